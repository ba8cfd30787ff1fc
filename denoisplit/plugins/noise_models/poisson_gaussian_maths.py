r"""The noise of a camera, Poisson photons with Gaussian read noise, as pure functions.

With gain g, offset o and read noise r, and :math:`\lambda = (s - o) / g` expected photons,

.. math:: p(y \mid s) = \sum_n \operatorname{Poisson}(n; \lambda)\, \mathcal N(y; o + g n, r^2).

* The terms are log-concave in n, and their spread about the largest one is at most r/g photons, however large
  n is. A window of few terms around the largest one gives the sum to a relative error below 1e-6.
* Where the spread exceeds ``WIDE`` photons, the sum is the trapezoidal rule of a smooth function, and steps
  of ``STRIDE`` spreads are as exact: this is what makes many photons cheap. Where such a window would come
  near zero photons, every term is summed.
* Below ``DIMMEST`` expected photons, the density at ``DIMMEST`` is shifted to the signal. So it stays a
  density whose mean is the signal, with a gradient, even for signals below the offset.

Source: Foi et al., IEEE Transactions on Image Processing 2008; method section 4.4.
"""

import math

import attrs
import numpy as np
import torch
from torch import Tensor

DIMMEST = 1e-3
WIDE = 1.1
STRIDE = 0.9
REACH = 7
"""Number of terms on either side of the largest one."""

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_STIRLING_FROM = 16
_FEWEST = 4
"""Photons that the trapezoidal rule stays above."""

_NEWTON_STEPS = 4
_MANY_PHOTONS = 400.0
_CUMULATIVE_REACH = 140
"""Seven standard deviations of ``_MANY_PHOTONS``."""


@attrs.frozen
class Camera:
    """Parameters of a camera; tensors that broadcast against images.

    Attributes:
        gain: counts per photon (photo-electron).
        offset: counts without light.
        read_noise: std, counts.
    """

    gain: Tensor
    offset: Tensor
    read_noise: Tensor


@attrs.frozen
class _Window:
    """The sum over a window: its log, and moments of the photons given the observation.

    Attributes:
        log_sum: nats.
        pull: expected photons minus observed electrons.
        square: expected square of that difference.
    """

    log_sum: Tensor
    pull: Tensor
    square: Tensor


def log_density(observation: Tensor, signal: Tensor, camera: Camera) -> Tensor:
    """Return the log-density of observations [...] at signals [...], nats per count."""
    expected, moved = _photons(signal, camera)
    read = camera.read_noise / camera.gain
    electrons = (observation - camera.offset) / camera.gain - moved
    electrons, expected, read = _alike(electrons, expected, read)
    with torch.no_grad():
        window = _sum(electrons, expected, read)
        slopes = (
            window.pull / read.square(),
            (window.pull + (electrons - expected)) / expected,
            (window.square / read.square() - 1) / read,
        )
    # The derivatives follow from the sums, so no term has to be kept for the backward pass.
    value = window.log_sum
    for argument, slope in zip((electrons, expected, read), slopes, strict=True):
        if argument.requires_grad:
            value = value + slope * (argument - argument.detach())
    return value - camera.gain.log()


def variance(signal: Tensor, camera: Camera) -> Tensor:
    """Return the variance of the observation [...], counts squared."""
    expected, _ = _photons(signal, camera)
    return camera.gain.square() * expected + camera.read_noise.square()


def draw(signal: Tensor, camera: Camera, generator: torch.Generator) -> Tensor:
    """Draw observations [...] at signals [...]."""
    expected, moved = _photons(signal, camera)
    photons = torch.poisson(expected.to(generator.device), generator=generator)
    normal = torch.randn(photons.shape, generator=generator, device=generator.device, dtype=photons.dtype).to(
        signal.device
    )
    counts = camera.offset + camera.gain * (photons.to(signal.device) + moved)
    return counts + camera.read_noise * normal


def distribution(observation: Tensor, signal: Tensor, camera: Camera) -> Tensor:
    """Return the probability of at most ``observation`` [...]; a series good to 1e-3 for many photons."""
    expected, moved = _photons(signal, camera)
    read = camera.read_noise / camera.gain
    electrons = (observation - camera.offset) / camera.gain - moved
    electrons, expected, read = _alike(electrons, expected, read)
    spread = (expected + read.square()).sqrt()
    z = (electrons - expected) / spread
    skewness = expected / spread**3
    bell = (-0.5 * z.square() - _HALF_LOG_2PI).exp()
    value = torch.special.ndtr(z) - skewness / 6 * (z.square() - 1) * bell
    few = expected <= _MANY_PHOTONS
    seen, clean, width = electrons[few], expected[few], read[few]
    n = (clean.round() - _CUMULATIVE_REACH).clamp(min=0)
    term, total = _log_poisson(n, clean), torch.zeros_like(n)
    for _ in range(2 * _CUMULATIVE_REACH + 1):
        total = total + term.exp() * torch.special.ndtr((seen - n) / width)
        n = n + 1
        term = term + (clean / n).log()
    mixed: Tensor = value.masked_scatter(few, total).clamp(0, 1)
    return mixed


def _photons(signal: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Return the expected photons, and by how many the density is shifted where there are too few."""
    photons = (signal - camera.offset) / camera.gain
    expected = photons.clamp(min=DIMMEST)
    return expected, photons - expected


def _alike(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Broadcast tensors against each other."""
    shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    return tuple(tensor.expand(shape) for tensor in tensors)


def _sum(electrons: Tensor, expected: Tensor, read: Tensor) -> _Window:
    """Sum over n of Poisson(n; expected) N(electrons; n, read^2)."""
    likely = _most_likely(electrons, expected, read)
    spread = (1 / likely.clamp(min=1e-6) + 1 / read.square()).rsqrt()
    wide = spread > WIDE
    dim = wide & (likely < REACH * spread + _FEWEST)
    found = _Window(*(torch.empty_like(likely) for _ in range(3)))

    def part(of: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return electrons[of], expected[of], read[of], likely[of]

    def store(of: Tensor, window: _Window) -> None:
        found.log_sum[of], found.pull[of], found.square[of] = window.log_sum, window.pull, window.square

    few, many = ~wide, wide & ~dim
    if bool(few.any()):
        first = (likely[few].round() - REACH).clamp(min=0)
        store(few, _every_term(*part(few), first, 2 * REACH + 1))
    if bool(dim.any()):
        terms = math.ceil(2 * REACH * float(spread[dim].max()) + _FEWEST) + 1
        store(dim, _every_term(*part(dim), torch.zeros_like(likely[dim]), terms))
    if bool(many.any()):
        store(many, _smooth_terms(*part(many), STRIDE * spread[many]))
    return found


def _every_term(
    electrons: Tensor, expected: Tensor, read: Tensor, likely: Tensor, first: Tensor, terms: int
) -> _Window:
    """Sum of ``terms`` terms from ``first`` photons on, relative to the term at ``likely``."""
    precision = 1 / read.square()
    photons = _log_poisson(likely, expected)
    top = photons - 0.5 * precision * (electrons - likely).square()
    # The difference of squares as a product: far out, the squares alone would overflow float32.
    squares = (first - likely) * ((first - electrons) + (likely - electrons))
    term = _log_poisson(first, expected) - photons - 0.5 * precision * squares
    distance = first - electrons
    sums = _Sums(electrons)
    for step in range(terms):
        sums.add(term.exp(), distance)
        # The ratio of the terms of n + 1 and n photons, which needs no factorial.
        term = term + (expected / (first + (step + 1))).log() - (distance + 0.5) * precision
        distance = distance + 1
    return sums.window(top - read.log() - _HALF_LOG_2PI)


def _smooth_terms(
    electrons: Tensor, expected: Tensor, read: Tensor, likely: Tensor, stride: Tensor
) -> _Window:
    """Sum by the trapezoidal rule around ``likely``.

    With u = n - m, the terms are, relative to the largest at m,
    exp(u - (n + 1/2) log(n/m) - u^2 / (2 r^2) + c(m) - c(n)), c being the rest of Stirling's series.
    """
    precision = 1 / read.square()
    top = _log_poisson(likely, expected) - 0.5 * precision * (electrons - likely).square()
    # ``likely`` solves the equation of the largest term except for the last digits; this is the remainder.
    slope = (expected / likely).log() + (electrons - likely) * precision
    centre, away = _stirling_rest(likely), likely - electrons
    sums = _Sums(electrons)
    for step in range(-REACH, REACH + 1):
        u = step * stride
        n = likely + u
        term = u * (1 + slope - 0.5 * precision * u) - (n + 0.5) * torch.log1p(u / likely)
        sums.add((term + centre - _stirling_rest(n)).exp(), away + u)
    return sums.window(top + stride.log() - read.log() - _HALF_LOG_2PI)


class _Sums:
    """Running sums of weights, and of weighted powers of the distance from the observation."""

    def __init__(self, like: Tensor) -> None:
        self._total, self._first, self._second = (torch.zeros_like(like) for _ in range(3))

    def add(self, weight: Tensor, distance: Tensor) -> None:
        moment = weight * distance
        self._total += weight
        self._first += moment
        self._second.addcmul_(moment, distance)

    def window(self, log_unit: Tensor) -> _Window:
        """Return the sums as a window, with weights in units of exp(``log_unit``)."""
        return _Window(log_unit + self._total.log(), self._first / self._total, self._second / self._total)


def _most_likely(electrons: Tensor, expected: Tensor, read: Tensor) -> Tensor:
    """Return the number of photons, not whole, whose term is largest, except for the last digits.

    Solves log(expected / n) + (electrons - n) / read^2 = 0: with w = n / read^2, w + log w = level.
    """
    level = (expected / read.square()).log() + electrons / read.square()
    level = level.clamp(min=-60)
    w = torch.where(
        level > 1,
        level - level.clamp(min=1).log(),
        torch.where(level > -2, (2 / 3 * (level.clamp(max=1) - 1)).exp(), level.clamp(max=1).exp()),
    )
    for _ in range(_NEWTON_STEPS):
        w = w * (1 + level - w.log()) / (1 + w)
    return w * read.square()


def _log_poisson(n: Tensor, expected: Tensor) -> Tensor:
    """Return the log-probability of n >= 0 photons, not necessarily whole; no cancellation for large n."""
    ratio = n / expected
    far = ratio < 0.5
    log_ratio = torch.where(
        far, ratio.clamp(min=1e-35).log(), torch.log1p(((n - expected) / expected).clamp(min=-0.5))
    )
    deviance = n * log_ratio - (n - expected)
    small = n.clamp(max=_STIRLING_FROM)
    large = n.clamp(min=_STIRLING_FROM)
    exact = torch.lgamma(small + 1) - torch.xlogy(small, small) + small
    series = _HALF_LOG_2PI + 0.5 * large.log() + _stirling_rest(large)
    return -deviance - torch.where(n < _STIRLING_FROM, exact, series)


def _stirling_rest(n: Tensor) -> Tensor:
    """Return Stirling's series of log n! without its logarithms; good to 1e-7 from ``_FEWEST`` photons on."""
    inverse = 1 / n
    square = inverse.square()
    return inverse * (1 / 12 - square * (1 / 360 - square / 1260))
