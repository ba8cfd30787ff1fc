"""What a mixed image looks like, in a few numbers that need no network."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]

DARK_QUANTILE = 0.01
SCALES = (2, 4, 8)
TINY = 1e-6
"""Keeps logarithms finite: far below everything that is compared."""


def image_statistics(mixed: Array, *, centre: float, scale: float) -> dict[str, float]:
    """Offset, brightness, contrast, noise and the sizes of structures of a mixed image.

    All but the offset are natural logarithms, so that a factor is a difference, and none of them but the
    offset changes with a constant that is added to the image.

    Args:
        mixed: image [(z) y x], counts. Structures and noise are those within planes.
        centre: mean of the training images, counts.
        scale: standard deviation of the training images, counts.

    Returns:
        ``offset`` (low quantile), ``brightness`` (mean above it), ``contrast`` (standard deviation) and
        ``noise`` (standard deviation of what differs from pixel to pixel) in units of ``scale``; ``photons``
        (variance of the noise over the brightness, which a gain changes but the exposure does not);
        ``detail_2``, ``detail_4`` (variance of structures of 2 to 4 and 4 to 8 pixels) and ``detail_8``
        (of larger ones) as shares of the whole variance. What an image is too small for is left out.
    """
    pixels = mixed.astype(np.float64)
    dark = float(np.quantile(pixels, DARK_QUANTILE))
    variance = float(pixels.var())
    found = {
        "offset": (dark - centre) / scale,
        "brightness": _log((float(pixels.mean()) - dark) / scale),
        "contrast": _log(variance**0.5 / scale),
    }
    if min(pixels.shape[-2:]) >= SCALES[0]:
        found["noise"] = _log(noise_level(pixels) / scale)
        found["photons"] = 2 * found["noise"] - found["brightness"]
    if min(pixels.shape[-2:]) >= 2 * SCALES[-1]:
        binned = [float(_binned(pixels, size).var()) for size in SCALES]
        bands = [a - b for a, b in zip(binned, [*binned[1:], 0.0], strict=True)]
        shares = {
            f"detail_{size}": band / max(variance, TINY) for size, band in zip(SCALES, bands, strict=True)
        }
        found |= {name: _log(share) for name, share in shares.items()}
    return found


def noise_level(pixels: Array) -> float:
    r"""Standard deviation of white noise, from the diagonal differences of neighbours.

    .. math:: \hat\sigma = \sqrt{\pi / 2} \; \overline{|a - b - c + d|} / 2

    over squares of four pixels; smooth structures cancel. The mean, not the median of Donoho, so that whole
    numbers with little noise do not give zero.

    Args:
        pixels: image [(z) y x], at least 2 pixels along y and x.

    Source: Donoho & Johnstone, Biometrika 1994; Immerkaer, Computer Vision and Image Understanding 1996.
    """
    difference = pixels[..., :-1, :-1] - pixels[..., :-1, 1:] - pixels[..., 1:, :-1] + pixels[..., 1:, 1:]
    return float(np.sqrt(np.pi / 2) * np.abs(difference).mean() / 2)


def share_at_maximum(pixels: Array) -> float:
    """Share of pixels that equal the brightest one: saturation leaves many, noise leaves one."""
    return float(np.mean(pixels == pixels.max()))


def _binned(pixels: Array, size: int) -> Array:
    """Means of squares of ``size`` pixels; a rest at the far sides is left out."""
    *planes, y, x = pixels.shape
    cut = pixels[..., : y // size * size, : x // size * size]
    binned: Array = cut.reshape(*planes, y // size, size, x // size, size).mean(axis=(-3, -1))
    return binned


def _log(value: float) -> float:
    return float(np.log(max(value, TINY)))
