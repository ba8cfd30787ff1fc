"""Fit of the unknown numbers of a camera whose other numbers are known, for some pixel by pixel."""

import math

import attrs
import numpy as np
import torch
from torch import Tensor

from denoisplit.core.arrays import Float64Array
from denoisplit.core.network.interfaces import FitReport
from denoisplit.plugins.noise_models.pair_checks import CheckedPairs
from denoisplit.plugins.noise_models.pair_moments import choose_plain, dither, fit_report
from denoisplit.plugins.noise_models.poisson_gaussian_fit import (
    READ_NOISES,
    FitSettings,
    Search,
    fit_camera,
    photon_transfer,
)
from denoisplit.plugins.noise_models.poisson_gaussian_maths import Camera, distribution, log_density

LEAST_READ_NOISE = 0.05
"""Photons: between narrower spikes, the likelihood would underflow to zero."""

_REACH = math.exp(7)
"""Factor between the start of a search and its ends."""


def pixel(gain: Tensor, offset: Tensor, read_noise: Tensor) -> Camera:
    """Return a camera whose read noise is not below ``LEAST_READ_NOISE``."""
    return Camera(gain, offset, torch.maximum(read_noise, LEAST_READ_NOISE * gain))


def on_pixel(signal: Tensor, here: Camera, nominal: Camera) -> Tensor:
    """Return the mean counts of a pixel where those of the nominal camera are ``signal`` [...]."""
    return here.offset + here.gain * ((signal - nominal.offset) / nominal.gain)


def fit_pixels(
    pairs: CheckedPairs,
    nominal: Float64Array,
    pixels: Float64Array | None,
    settings: FitSettings,
    *,
    own: bool,
    channel: int,
    seed: int,
) -> tuple[Float64Array, FitReport]:
    """Fit gain, offset and read noise [3] of the nominal camera of one channel, counts; deterministic.

    Args:
        pairs: signal and observation.
        nominal: known numbers of the nominal camera [3], NaN for those to fit.
        pixels: numbers of the pixel of every pair [3 pairs], NaN where they are those of the nominal
            camera; None for a camera whose pixels are all alike.
        settings: settings of the fit.
        own: whether signals are in counts of their own pixel, as means of its exposures are.
        channel: index, for the report.
        seed: seed of the choice of pairs.
    """
    if pixels is None:
        return fit_camera(pairs, nominal, settings, channel=channel, seed=seed)
    rng = np.random.default_rng(seed)
    chosen = choose_plain(len(pairs.signal), settings.pairs, rng)
    likelihood = _Likelihood(
        nominal=torch.from_numpy(nominal),
        pixels=torch.from_numpy(pixels[:, chosen]),
        signal=torch.from_numpy(pairs.signal[chosen]),
        observation=torch.from_numpy(pairs.observation[chosen]),
        own=own,
    )
    t = (pairs.signal - pairs.low) / (pairs.high - pairs.low)
    gain, dark, darkest = photon_transfer(pairs, t, pairs.observation - pairs.signal)
    starts = [np.array([gain, dark + n**2 * gain, n * gain]) for n in READ_NOISES]
    found = [
        Search(
            nll=likelihood,
            known=likelihood.nominal,
            unit=darkest,
            gains=(start[0] / _REACH, start[0] * _REACH),
            read_noises=(start[2] / _REACH, start[2] * _REACH),
        ).minimise(start, settings.steps)
        for start in starts
    ]
    best = min(found, key=lambda one: one[1])[0]
    return best, _report(pairs, likelihood, best, rng, channel)


@attrs.frozen(kw_only=True)
class _Likelihood:
    """Mean negative log-likelihood of pairs as a function of the nominal camera [3]."""

    nominal: Tensor
    pixels: Tensor
    signal: Tensor
    observation: Tensor
    own: bool

    def __call__(self, numbers: Tensor) -> Tensor:
        return -log_density(*self.arguments(numbers)).mean()

    def arguments(self, numbers: Tensor) -> tuple[Tensor, Tensor, Camera]:
        """Return observation, mean of the pixel, and its camera, for a nominal camera [3]."""
        here = pixel(*torch.where(self.pixels.isnan(), numbers[:, None], self.pixels))
        mean = self.signal if self.own else on_pixel(self.signal, here, Camera(*numbers))
        return self.observation, mean, here


def _report(
    pairs: CheckedPairs,
    likelihood: _Likelihood,
    numbers: Float64Array,
    rng: np.random.Generator,
    channel: int,
) -> FitReport:
    observation, mean, here = likelihood.arguments(torch.from_numpy(numbers))
    spread = observation + torch.from_numpy(dither(len(mean), pairs.step, rng))
    transformed = distribution(spread, mean, here).numpy()
    nll = -float(log_density(observation, mean, here).mean())
    advice = "the maps may be those of another camera, of other pixels, or in other units"
    return fit_report(pairs, channel, nll, transformed, advice)
