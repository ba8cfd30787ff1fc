"""Fit of a camera to pairs: maximum likelihood, starting from photon transfer."""

from collections.abc import Callable

import attrs
import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from torch import Tensor

from denoisplit.core.arrays import Float64Array
from denoisplit.core.network.interfaces import FitReport
from denoisplit.plugins.noise_models.pair_checks import CheckedPairs
from denoisplit.plugins.noise_models.pair_moments import (
    binned_moments,
    choose_half_even,
    choose_plain,
    dither,
    doubt_variance,
    fit_report,
    variance_misfit,
)
from denoisplit.plugins.noise_models.poisson_gaussian_maths import Camera, distribution, log_density, variance

READ_NOISES = (0.5, 2.0, 6.0)
"""Starting values of the read noise, photons: photon transfer cannot separate it from the offset."""

_TRIAL_PAIRS = 4000
_TRIAL_STEPS = 25
_REPORT_PAIRS = 20_000
_LEAST_READ_NOISE = 1e-2
"""Smallest read noise, as a fraction of the darkest pairs' std: below, the density is a comb of spikes."""


@attrs.frozen(kw_only=True)
class FitSettings:
    """Settings of the fit.

    Attributes:
        pairs: largest number of pairs used.
        steps: largest number of iterations of the optimiser.
    """

    pairs: int
    steps: int


def fit_camera(
    pairs: CheckedPairs, known: Float64Array, settings: FitSettings, *, channel: int, seed: int
) -> tuple[Float64Array, FitReport]:
    """Fit gain, offset and read noise [3] of one channel, counts; deterministic given ``seed``.

    Those that are ``known`` [3], NaN where unknown, stay as they are.
    """
    rng = np.random.default_rng(seed)
    t = (pairs.signal - pairs.low) / (pairs.high - pairs.low)
    residual = pairs.observation - pairs.signal
    plain = choose_plain(len(t), settings.pairs, rng)
    chosen = plain if len(t) <= settings.pairs else choose_half_even(t, settings.pairs, rng)
    gain, dark, darkest = photon_transfer(pairs, t, residual)
    least = max(_LEAST_READ_NOISE * darkest, pairs.resolved**0.5)
    every = max(1, len(chosen) // _TRIAL_PAIRS)
    search, trial = (
        Search(
            nll=_nll(*(torch.from_numpy(one[some]) for one in (pairs.observation, pairs.signal))),
            known=torch.from_numpy(known),
            unit=darkest,
            gains=(1e-3 * gain, 1e3 * gain),
            read_noises=(least, 1e3 * max(darkest, least)),
        )
        for some in (chosen, chosen[::every])
    )
    starts = [np.array([gain, dark + n**2 * gain, max(n * gain, 2 * least)]) for n in READ_NOISES]
    steps = min(_TRIAL_STEPS, settings.steps)
    trials = [trial.minimise(start, steps)[0] for start in starts]
    # To few pairs, many a comb of spikes looks like single photons: all pairs decide.
    best = min(trials, key=lambda found: float(search.nll(torch.from_numpy(found))))
    camera, _ = search.minimise(best, settings.steps)
    held = bool(np.isnan(known[2])) and camera[2] <= 1.001 * least
    if np.isnan(known).all():
        moments = binned_moments(t, residual, pairs.resolved)
        signal = torch.from_numpy(pairs.low + moments.t * (pairs.high - pairs.low))
        fitted = variance(signal, Camera(*torch.from_numpy(camera))).numpy()
        doubts = doubt_variance(
            pairs, variance_misfit(moments, fitted), "A gaussian_mixture or a histogram may fit"
        )
        pairs = attrs.evolve(pairs, warnings=(*pairs.warnings, *doubts))
    return camera, _report(pairs, camera, choose_plain(len(t), _REPORT_PAIRS, rng), rng, held, channel)


def _nll(observation: Tensor, signal: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda camera: -log_density(observation, signal, Camera(*camera)).mean()


def photon_transfer(
    pairs: CheckedPairs, t: Float64Array, residual: Float64Array
) -> tuple[float, float, float]:
    """Regress variance on mean: return gain, the signal of zero variance, and the smallest std.

    Source: Janesick, Photon Transfer, SPIE 2007.
    """
    moments = binned_moments(t, residual, pairs.resolved)
    signal = pairs.low + moments.t * (pairs.high - pairs.low)
    trust = np.sqrt(moments.count) / moments.variance
    design = np.stack([signal, np.ones_like(signal)], axis=1) * trust[:, None]
    (slope, intercept), *_ = np.linalg.lstsq(design, moments.variance * trust, rcond=None)
    # Noise that does not grow with the signal is like many photons with next to no gain.
    gain = max(float(slope), 1e-3 * float(moments.variance.mean()) / (pairs.high - pairs.low))
    if gain > slope:
        intercept = float(np.average(moments.variance, weights=trust**2)) - gain * float(signal.mean())
    return gain, -float(intercept) / gain, float(np.sqrt(moments.variance.min()))


@attrs.frozen(kw_only=True)
class Search:
    """Search of the most likely camera.

    Attributes:
        nll: mean negative log-likelihood, nats, of a camera [3].
        known: numbers that are given [3], NaN where unknown.
        unit: counts that the offset is searched in; gain and read noise are by their logarithms.
        gains: lowest and highest gain, counts.
        read_noises: lowest and highest read noise, counts.
    """

    nll: Callable[[Tensor], Tensor]
    known: Tensor
    unit: float
    gains: tuple[float, float]
    read_noises: tuple[float, float]

    def minimise(self, start: Float64Array, steps: int) -> tuple[Float64Array, float]:
        """Return camera [3] and mean negative log-likelihood after at most ``steps`` iterations of L-BFGS."""
        first = [
            np.log(np.clip(start[0], *self.gains)),
            start[1] / self.unit,
            np.log(np.clip(start[2], *self.read_noises)),
        ]
        found = minimize(
            self._loss,
            np.array(first),
            jac=True,
            method="L-BFGS-B",
            bounds=[tuple(np.log(self.gains)), (None, None), tuple(np.log(self.read_noises))],
            options={"maxiter": steps, "ftol": 1e-9, "gtol": 1e-6},
        )
        return self._camera(torch.from_numpy(found.x)).numpy(), float(found.fun)

    def _camera(self, point: Tensor) -> Tensor:
        values = torch.stack([point[0].exp(), point[1] * self.unit, point[2].exp()])
        return torch.where(self.known.isnan(), values, self.known)

    def _loss(self, point: Float64Array) -> tuple[float, Float64Array]:
        x = torch.from_numpy(point).requires_grad_()
        value = self.nll(self._camera(x))
        (gradient,) = torch.autograd.grad(value, x)
        return float(value.detach()), gradient.numpy()


def _report(
    pairs: CheckedPairs,
    camera: Float64Array,
    chosen: npt.NDArray[np.intp],
    rng: np.random.Generator,
    held: bool,
    channel: int,
) -> FitReport:
    """Report likelihood and calibration on pairs drawn at random."""
    signal, observation = pairs.signal[chosen], pairs.observation[chosen]
    numbers = Camera(*torch.from_numpy(camera))
    s = torch.from_numpy(signal)
    nll = -float(log_density(torch.from_numpy(observation), s, numbers).mean())
    spread = torch.from_numpy(observation + dither(len(signal), pairs.step, rng))
    transformed = distribution(spread, s, numbers).numpy()
    advice = "it is not Poisson and Gaussian alone, a gaussian_mixture may fit"
    doubt = f"the read noise is held at its floor of {camera[2]:.3g} counts: the noise would be narrower"
    return fit_report(pairs, channel, nll, transformed, advice, [doubt] if held else [])
