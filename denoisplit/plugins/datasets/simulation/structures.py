"""Cellular structures: each is drawn as an image of relative brightness before the optics."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from denoisplit.core.arrays import Float64Array
from denoisplit.plugins.datasets.simulation.render import Points, blur, splat

_STEP = 0.5
_MARGIN = 12

_PIXELS_PER_FILAMENT = 2200
_PIXELS_PER_MITOCHONDRION = 2000
_PIXELS_PER_SPOT = 220
_PIXELS_PER_CELL = 5000


def filaments(rng: np.random.Generator, shape: tuple[int, ...]) -> Float64Array:
    """Long thin fibres that bend gently, like microtubules."""
    count = _number(rng, shape, per_pixel=1 / _PIXELS_PER_FILAMENT)
    paths = _walks(rng, _starts(rng, shape, count), length=1.2 * max(shape), persistence=300.0)
    brightness = np.repeat(rng.uniform(0.6, 1.4, count), paths.shape[1])
    return splat(_points(paths, brightness), shape)


def mitochondria(rng: np.random.Generator, shape: tuple[int, ...]) -> Float64Array:
    """Thick tubes with round ends, some branched into networks, with a slightly grainy inside."""
    count = _number(rng, shape, per_pixel=1 / _PIXELS_PER_MITOCHONDRION)
    parents = _walks(rng, _starts(rng, shape, count), length=50.0, persistence=40.0)
    roots = parents[rng.integers(count, size=count // 2), rng.integers(parents.shape[1], size=count // 2)]
    branches = _walks(rng, roots, length=22.0, persistence=20.0)
    lines = sum(
        (splat(_points(paths, np.full(paths.shape[:2], _STEP)), shape) for paths in (parents, branches)),
        np.zeros(shape),
    )
    tubes = 1 - np.exp(-((9.0 * blur(lines, 2.4)) ** 2))
    return tubes * np.exp(0.5 * _smooth_noise(rng, shape, 2.0))


def puncta(rng: np.random.Generator, shape: tuple[int, ...]) -> Float64Array:
    """Spots below the resolution limit, of widely varying brightness, like vesicles."""
    count = _number(rng, shape, per_pixel=1 / _PIXELS_PER_SPOT)
    return splat(Points(_starts(rng, shape, count), rng.lognormal(0.0, 0.6, count)), shape)


def membranes(rng: np.random.Generator, shape: tuple[int, ...]) -> Float64Array:
    """Closed smooth outlines of cells, in the (y, x) plane."""
    count = _number(rng, shape, per_pixel=1 / _PIXELS_PER_CELL)
    centres = _starts(rng, shape, count)
    angle = np.arange(0, 2 * np.pi, 0.01)
    radius = np.repeat(rng.uniform(22.0, 40.0, (count, 1)), angle.size, axis=1)
    for harmonic in range(2, 6):
        amplitude = rng.normal(0, 0.25 / harmonic, (count, 1))
        radius *= 1 + amplitude * np.cos(harmonic * angle + rng.uniform(0, 2 * np.pi, (count, 1)))
    paths = np.repeat(centres[:, None, :], angle.size, axis=1)
    paths[..., -2] += radius * np.sin(angle)
    paths[..., -1] += radius * np.cos(angle)
    return splat(_points(paths, radius * rng.uniform(0.7, 1.3, (count, 1))), shape)


STRUCTURES: Mapping[str, Callable[[np.random.Generator, tuple[int, ...]], Float64Array]] = MappingProxyType(
    {"filaments": filaments, "mitochondria": mitochondria, "puncta": puncta, "membranes": membranes}
)
"""Every structure by name, in the order in which channels take them by default."""


def _number(rng: np.random.Generator, shape: tuple[int, ...], per_pixel: float) -> int:
    """Poisson number of objects in the image and the margin around it, at least 2."""
    return max(2, int(rng.poisson(per_pixel * float(np.prod([side + 2 * _MARGIN for side in shape])))))


def _starts(rng: np.random.Generator, shape: tuple[int, ...], count: int) -> Float64Array:
    """Uniform positions in the image and the margin around it, [count rank]."""
    return rng.uniform(-_MARGIN, np.asarray(shape) + _MARGIN, (count, len(shape)))


def _walks(rng: np.random.Generator, starts: Float64Array, length: float, persistence: float) -> Float64Array:
    """Smooth random curves through ``starts`` in steps of equal length, [n steps rank].

    The direction is an Ornstein-Uhlenbeck process with a correlation length of ``persistence`` pixels.
    """
    count, rank = starts.shape
    steps = int(length / _STEP)
    decay = np.exp(-_STEP / persistence)
    kicks = rng.normal(0, np.sqrt(1 - decay**2), (count, steps, rank))
    kicks[:, 0] = rng.standard_normal((count, rank))
    powers = decay ** np.arange(steps)[:, None]
    velocity = powers * np.cumsum(kicks / powers, axis=1)
    velocity /= np.linalg.norm(velocity, axis=2, keepdims=True) + 1e-12
    path: Float64Array = np.cumsum(_STEP * velocity, axis=1)
    path += starts[:, None, :] - path[:, steps // 2, None, :]
    return path


def _points(paths: Float64Array, weights: Float64Array) -> Points:
    return Points(np.concatenate(paths), np.ravel(weights))


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Float64Array:
    """Gaussian random field of standard deviation 1/2 and correlation length ``sigma`` pixels."""
    noise = blur(rng.standard_normal(shape), sigma)
    noise *= 0.5 / (noise.std() + 1e-12)
    return noise
