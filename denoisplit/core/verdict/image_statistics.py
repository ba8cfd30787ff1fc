"""Statistics of mixed images that need no network."""

import math

import attrs
import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.images.bases import LazyArray
from denoisplit.core.images.block_walks import BLOCK_PIXELS, extremes
from denoisplit.core.images.pixel_moments import PixelMoments, moments_of
from denoisplit.core.images.quantiles import quantile

DARK_QUANTILE = 0.01
SCALES = (2, 4, 8)
TINY = 1e-6
"""Keeps logarithms finite; far below all values that are compared."""


def image_statistics(mixed: LazyArray, *, centre: float, scale: float) -> dict[str, float]:
    """Offset, brightness, contrast, noise and the sizes of structures of a mixed image.

    All but the offset are natural logarithms, so that a factor becomes a difference, and do not change if a
    constant is added to the image.

    Args:
        mixed: image [(z) y x], counts. Structures and noise are measured within planes.
        centre: mean of the training images, counts.
        scale: standard deviation of the training images, counts.

    Returns:
        ``offset`` (low quantile), ``brightness`` (mean above it), ``contrast`` (standard deviation) and
        ``noise`` (standard deviation of pixel-to-pixel noise) in units of ``scale``; ``photons`` (variance of
        the noise over the brightness, which depends on the gain but not on the exposure); ``detail_2``,
        ``detail_4`` (variance of structures of 2 to 4 and 4 to 8 pixels) and ``detail_8`` (of larger ones) as
        shares of the whole variance. Statistics for which the image is too small are left out.
    """
    sides = mixed.shape[-2:]
    measured = _at_once(mixed) if math.prod(mixed.shape) <= BLOCK_PIXELS else _in_bands(mixed)
    variance = measured.variance
    found = {
        "offset": (measured.dark - centre) / scale,
        "brightness": _log((measured.mean - measured.dark) / scale),
        "contrast": _log(variance**0.5 / scale),
    }
    if min(sides) >= SCALES[0]:
        found["noise"] = _log(measured.noise / scale)
        found["photons"] = 2 * found["noise"] - found["brightness"]
    if min(sides) >= 2 * SCALES[-1]:
        binned = measured.binned
        bands = [a - b for a, b in zip(binned, [*binned[1:], 0.0], strict=True)]
        shares = {
            f"detail_{size}": band / max(variance, TINY) for size, band in zip(SCALES, bands, strict=True)
        }
        found |= {name: _log(share) for name, share in shares.items()}
    return found


@attrs.frozen
class _Measures:
    """Low quantile, mean, variance, noise level, and variances of binned images, of an image [(z) y x]."""

    dark: float
    mean: float
    variance: float
    noise: float
    binned: tuple[float, ...]


def _at_once(mixed: LazyArray) -> _Measures:
    pixels = np.asarray(mixed).astype(np.float64)
    large = min(pixels.shape[-2:]) >= 2 * SCALES[-1]
    return _Measures(
        dark=float(np.quantile(pixels, DARK_QUANTILE)),
        mean=float(pixels.mean()),
        variance=float(pixels.var()),
        noise=noise_level(pixels) if min(pixels.shape[-2:]) >= SCALES[0] else 0.0,
        binned=tuple(float(_binned(pixels, size).var()) for size in SCALES) if large else (),
    )


def _in_bands(mixed: LazyArray) -> _Measures:
    """Measure an image that is large or not in memory, some rows at a time."""
    *planes, height, width = mixed.shape
    rows = max(1, BLOCK_PIXELS // (width * SCALES[-1])) * SCALES[-1]
    whole, binned = PixelMoments(), [PixelMoments()] * len(SCALES)
    rough = 0.0
    for index in np.ndindex(*planes):
        for start in range(0, height, rows):
            # One row more, for the differences to the next band.
            band = np.asarray(mixed[(*index, slice(start, start + rows + 1))]).astype(np.float64)
            own = band[:rows]
            whole += moments_of(own)
            rough += float(np.abs(_diagonal(band)).sum())
            for number, size in enumerate(SCALES):
                if (small := _binned(own, size)).size:
                    binned[number] += moments_of(small)
    pairs = math.prod(planes) * (height - 1) * (width - 1)
    return _Measures(
        dark=quantile([mixed], DARK_QUANTILE, double=True),
        mean=whole.mean,
        variance=whole.variance,
        noise=_of_differences(rough / max(pairs, 1)),
        binned=tuple(part.variance if part.count else 0.0 for part in binned),
    )


def noise_level(pixels: FloatArray) -> float:
    r"""Standard deviation of white noise, from the diagonal differences of neighbours.

    .. math:: \hat\sigma = \sqrt{\pi / 2} \; \overline{|a - b - c + d|} / 2

    over squares of four pixels; smooth structures cancel. Uses the mean instead of Donoho's median, which is
    zero for whole numbers with little noise.

    Args:
        pixels: image [(z) y x], at least 2 pixels along y and x.

    Source: Donoho & Johnstone, Biometrika 1994; Immerkær, Computer Vision and Image Understanding 1996.
    """
    return _of_differences(np.abs(_diagonal(pixels)).mean())


def _diagonal(pixels: FloatArray) -> FloatArray:
    """A - b - c + d of all squares of four pixels."""
    difference: FloatArray = (
        pixels[..., :-1, :-1] - pixels[..., :-1, 1:] - pixels[..., 1:, :-1] + pixels[..., 1:, 1:]
    )
    return difference


def _of_differences(mean: float) -> float:
    return float(np.sqrt(np.pi / 2) * mean / 2)


def share_at_maximum(pixels: LazyArray) -> float:
    """Share of pixels as bright as the brightest: many if saturated, one if only noisy."""
    return extremes(pixels).at_highest / math.prod(pixels.shape)


def _binned(pixels: FloatArray, size: int) -> FloatArray:
    """Means of squares of ``size`` pixels; remainders at the far sides are left out."""
    *planes, y, x = pixels.shape
    cut = pixels[..., : y // size * size, : x // size * size]
    binned: FloatArray = cut.reshape(*planes, y // size, size, x // size, size).mean(axis=(-3, -1))
    return binned


def _log(value: float) -> float:
    return float(np.log(max(value, TINY)))
