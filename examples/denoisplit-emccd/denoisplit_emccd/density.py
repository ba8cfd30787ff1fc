r"""The noise of an electron-multiplying camera, as pure functions.

A pixel catches n photo-electrons, Poisson with mean :math:`\lambda = (s - o) / g`. The register turns each
into an exponentially distributed number of mean gain g, so that all of them are gamma distributed; the
amplifier adds Gaussian read noise r. In units of the gain, with u multiplied electrons,
:math:`e = (y - o) / g` and :math:`\rho = r / g`:

.. math:: p(e) = e^{-\lambda} \mathcal N(e; 0, \rho^2)
    + \int_0^\infty e^{-\lambda - u} \sqrt{\lambda / u}\, I_1(2 \sqrt{\lambda u})\,
    \mathcal N(e; u, \rho^2)\, du

With :math:`u = v^2` the integrand is smooth and has one maximum, near the positive root of a cubic equation.
Gauss's rule in a window around it is the integral, to a relative error below 1e-6 for any number of
photo-electrons.

Source: Hirsch et al., PLoS ONE 8(1), 2013; Basden, Haniff & Mackay, MNRAS 345, 2003.
"""

import math

import attrs
import numpy as np
import torch
from torch import Tensor

DIMMEST = 1e-3
"""Photo-electrons; at darker signals the density of this many moves along, so the mean stays the signal."""

EXCESS = 2
"""Variance of the multiplied electrons over that of the caught ones, in units of the gain squared."""

_REACH = 9.0
"""Half of the window, in standard deviations of the integrand at its maximum."""

_NEWTON_STEPS = 10
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_POINTS, _SHARES = np.polynomial.legendre.leggauss(32)


@attrs.frozen
class Camera:
    """Parameters of a camera; tensors that broadcast against images, float64.

    Attributes:
        gain: counts per photo-electron, after multiplication.
        offset: counts without light.
        read_noise: std, counts.
    """

    gain: Tensor
    offset: Tensor
    read_noise: Tensor


def log_density(observation: Tensor, signal: Tensor, camera: Camera) -> Tensor:
    """Log-density of observations [...] at signals [...], both float64: nats per count."""
    expected, moved = _electrons(signal, camera)
    found = (observation - camera.offset) / camera.gain - moved
    parts = (found, expected, camera.read_noise / camera.gain)
    shape = np.broadcast_shapes(*(part.shape for part in parts))
    arguments = tuple(part.expand(shape) for part in parts)
    with torch.no_grad():
        value, slopes = _integral(*arguments)
    # The derivatives are integrals as well, so that no point of the rule is kept for the backward pass.
    for argument, slope in zip(arguments, slopes, strict=True):
        if argument.requires_grad:
            value = value + slope * (argument - argument.detach())
    return value - camera.gain.log()


def variance(signal: Tensor, camera: Camera) -> Tensor:
    """Variance of the observation [...], counts squared."""
    expected, _ = _electrons(signal, camera)
    return EXCESS * camera.gain.square() * expected + camera.read_noise.square()


def draw(signal: Tensor, camera: Camera, rng: np.random.Generator) -> Tensor:
    """Observations [...] drawn at signals [...], float64 on the processor."""
    expected, moved = (part.cpu().numpy() for part in _electrons(signal, camera))
    multiplied = rng.standard_gamma(rng.poisson(expected).astype(np.float64)) + moved
    noise = torch.from_numpy(rng.standard_normal(multiplied.shape))
    gain, offset, read_noise = camera.gain.cpu(), camera.offset.cpu(), camera.read_noise.cpu()
    drawn: Tensor = offset + gain * torch.from_numpy(multiplied) + read_noise * noise
    return drawn


def _electrons(signal: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Expected photo-electrons, and by how many the density is moved along where there are too few."""
    electrons = (signal - camera.offset) / camera.gain
    expected = electrons.clamp(min=DIMMEST)
    return expected, electrons - expected


def _integral(found: Tensor, expected: Tensor, read: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Log-density in units of the gain, and its derivatives by the three arguments."""
    root, spread = expected.sqrt(), read.square()
    mode = _mode(found, root, spread)
    width = (4 * mode.square() / spread + 2 * root / mode).rsqrt()
    low = (mode - _REACH * width).clamp(min=0)
    half = (mode + _REACH * width - low) / 2
    top = _exponent(mode, found, root, spread)
    # No photo-electron at all: the term outside the integral.
    total = (_exponent(torch.zeros_like(mode), found, root, spread) - top).exp()
    first, second = -found * total, found.square() * total
    ratio = torch.zeros_like(total)
    for point, share in zip(_POINTS.tolist(), _SHARES.tolist(), strict=True):
        v = low + half * (1 + point)
        z = 2 * root * v
        part = 2 * share * half * (_exponent(v, found, root, spread) - top).exp()
        weight = part * root * torch.special.i1e(z)
        away = v.square() - found
        total = total + weight
        first = first + weight * away
        second = second + weight * away.square()
        ratio = ratio + part * v * torch.special.i0e(z)
    value = top + total.log() - read.log() - _HALF_LOG_2PI
    by_read = (second / total / spread - 1) / read
    return value, (first / total / spread, ratio / total - 1, by_read)


def _exponent(v: Tensor, found: Tensor, root: Tensor, spread: Tensor) -> Tensor:
    """Logarithm of the integrand but for the Bessel function, which varies slowly."""
    return -(root - v).square() - (found - v.square()).square() / (2 * spread)


def _mode(found: Tensor, root: Tensor, spread: Tensor) -> Tensor:
    """Where ``_exponent`` is largest: v^3 + (spread - found) v = spread root, by Newton from above."""
    linear, constant = spread - found, spread * root
    light = found.clamp(min=0).sqrt()
    v = torch.minimum(torch.maximum(light, root), light + constant.pow(1 / 3))
    for _ in range(_NEWTON_STEPS):
        v = (2 * v.pow(3) + constant) / (3 * v.square() + linear)
    return v
