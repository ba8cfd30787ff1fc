"""Finest detail of noisy images: where their power spectrum vanishes in that of the noise."""

from collections.abc import Sequence

import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array

_BINS = 64
_SMALLEST = 32
_CORNER = 0.5
"""Radius, cycles per pixel, beyond which the spectrum has only its corners: noise, for any optics."""


def finest_detail(images: Sequence[AnyArray]) -> float:
    """Return the frequency at which the power of the structures falls below that of the noise.

    Noise that is independent from pixel to pixel has the same power at all frequencies, while optics pass
    nothing beyond their limit. So the corners of the spectrum have the power of the noise.

    Args:
        images: images of one channel [y x], any sizes.

    Returns:
        Cycles per pixel, at most 0.5; 0.5 where no image is large enough to tell.
    """
    ratios = [ratio for image in images if (ratio := _signal_to_noise(image)) is not None]
    if not ratios:
        return 0.5
    below = np.flatnonzero(np.mean(ratios, axis=0)[1:] < 1)
    return float(min(_edges()[below[0] + 1], 0.5)) if below.size else 0.5


def _edges() -> Float64Array:
    return np.linspace(0, np.sqrt(0.5), _BINS + 1)


def _signal_to_noise(image: AnyArray) -> Float64Array | None:
    """Return the ratio of the power of the structures to that of the noise, by radius."""
    side = min(image.shape)
    if side < _SMALLEST:
        return None
    square = np.asarray(image[:side, :side], dtype=np.float64)
    # Squared, the window lets almost nothing of strong coarse structures leak into the corners.
    window = np.outer(np.hanning(side), np.hanning(side)) ** 2
    power = np.abs(np.fft.fft2((square - square.mean()) * window)) ** 2
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency).ravel()
    number = np.minimum(np.digitize(radius, _edges()) - 1, _BINS - 1)
    counts = np.bincount(number, minlength=_BINS)
    mean = np.bincount(number, power.ravel(), _BINS) / np.maximum(counts, 1)
    floor = float(np.mean(power.ravel()[radius > _CORNER]))
    return mean / floor - 1 if floor > 0 else None
