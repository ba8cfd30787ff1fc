"""Images of which everything is known: dark level, gain, finest detail."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from denoisplit.core.arrays import Float64Array

OFFSET = 100.0
GAIN = 4.0


def light(side: int, *, seed: int, finest: float = 0.08, mean: float = 60.0) -> Float64Array:
    """Photons of smooth structures that have no detail above a frequency (cycles per pixel)."""
    rng = np.random.default_rng(seed)
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency)
    spectrum = np.fft.fft2(rng.normal(size=(side, side))) * (radius < finest)
    field = np.square(np.fft.ifft2(spectrum).real)
    return np.asarray(mean * field / field.mean())


def exposure(photons: Float64Array, *, seed: int) -> npt.NDArray[np.uint16]:
    """What a camera with shot noise makes of it, counts."""
    shot = np.random.default_rng(seed).poisson(photons)
    return np.clip(np.round(OFFSET + GAIN * shot), 0, 65535).astype(np.uint16)


def field(
    side: int, *, seed: int, channels: int = 2
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """A noisy field [c y x] and its clean reference."""
    photons = np.stack([light(side, seed=100 * seed + c) for c in range(channels)])
    return exposure(photons, seed=seed), np.round(OFFSET + GAIN * photons).astype(np.uint16)


def write(path: Path, image: npt.NDArray[np.uint16], axes: str) -> None:
    """An ImageJ file, which says what its axes are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, image, imagej=True, metadata={"axes": axes.upper()})
