"""Fit of an electron-multiplying camera to pairs: photon transfer to start with, then maximum likelihood."""

import attrs
import numpy as np
import torch
from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.interfaces import FitReport, NoisePairs
from scipy.optimize import minimize
from torch import Tensor

from denoisplit_emccd.density import EXCESS, Camera, draw, log_density

_FEWEST = 200
_BINS = 16
_REPORT_PAIRS = 2000
_REPORT_DRAWS = 200
_BADLY_CALIBRATED = 0.05
_NEAR = (-3.5, 3.5)
"""How far logarithms of gain and read noise may be from the photon transfer: a factor of 30."""


@attrs.frozen
class Known:
    """Numbers that are given, not fitted; None where unknown."""

    gain: float | None
    offset: float | None
    read_noise: float | None

    def complete(self, values: Float64Array) -> Float64Array:
        """``values`` [gain, offset, read noise] with the known ones in their places."""
        known = (self.gain, self.offset, self.read_noise)
        return np.array([v if k is None else k for k, v in zip(known, values, strict=True)], dtype=np.float64)


def fit_camera(
    pairs: NoisePairs, known: Known, *, most: int, steps: int, channel: int, seed: int
) -> tuple[Float64Array, FitReport]:
    """Gain, offset and read noise [3] of one channel, counts; deterministic given ``seed``.

    Args:
        pairs: signal and observation, counts.
        known: numbers that are given.
        most: pairs to use at most.
        steps: of the optimiser, at most.
        channel: for the report and for messages.
        seed: of the choice of pairs.

    Raises:
        NoiseModelError: mismatched, too few, constant or swapped pairs.
    """
    signal, observation = _checked(pairs, f"noise model of channel {channel} ({pairs.origin})")
    rng, finite = np.random.default_rng(seed), len(signal)
    if finite > most:
        chosen = rng.choice(finite, most, replace=False)
        signal, observation = signal[chosen], observation[chosen]
    start = known.complete(_photon_transfer(signal, observation))
    camera = _most_likely(signal, observation, known, start, steps)
    return camera, _report(signal, observation, camera, channel, finite, rng)


def _checked(pairs: NoisePairs, where: str) -> tuple[Float64Array, Float64Array]:
    """Finite pairs, float64, if they can be right."""
    if pairs.signal.ndim != 1 or pairs.signal.shape != pairs.observation.shape:
        raise NoiseModelError(
            f"{where}: signal and observation must be 1-D and equally long (got shapes {pairs.signal.shape} "
            f"and {pairs.observation.shape}). Give the observation of every signal pixel."
        )
    finite = np.isfinite(pairs.signal) & np.isfinite(pairs.observation)
    signal, observation = (x[finite].astype(np.float64) for x in (pairs.signal, pairs.observation))
    if len(signal) < _FEWEST:
        raise NoiseModelError(
            f"{where}: too few pairs (got {len(signal)} finite ones, need {_FEWEST}). Give more images."
        )
    if signal.std() == 0 or (observation - signal).std() == 0:
        raise NoiseModelError(
            f"{where}: constant signal or noise (got std {signal.std():g} and "
            f"{(observation - signal).std():g} counts). Give images with structure and noise."
        )
    if np.ptp(signal) < 0.5 * (observation - signal).std():
        raise NoiseModelError(
            f"{where}: the signal covers too narrow a range (got {np.ptp(signal):g} counts). Give images "
            f"that show bright and dark structures."
        )
    # Noise in the regressor flattens a regression: that of the observation on a clean signal has slope 1.
    slope, intercept = np.polyfit(signal, observation, 1)
    error = (observation - slope * signal - intercept).std() / signal.std() / len(signal) ** 0.5
    if signal.var() > observation.var() and slope < 1 - 4 * error:
        raise NoiseModelError(
            f"{where}: the signal is noisier than the observation (got a slope of {slope:.3f} of the "
            f"observation on the signal). Exchange signal and observation."
        )
    return signal, observation


def _photon_transfer(signal: Float64Array, observation: Float64Array) -> Float64Array:
    """Gain, offset and read noise [3] from variance against mean, half of the darkest std being read noise.

    Source: Janesick, Photon Transfer, SPIE 2007.
    """
    order = np.argsort(signal)
    bins = [part for part in np.array_split(order, _BINS) if len(part)]
    level = np.array([signal[part].mean() for part in bins])
    noise = np.array([(observation - signal)[part].var() for part in bins])
    noise = np.maximum(noise, 1e-6 * noise.mean())
    slope, intercept = np.polyfit(level, noise, 1, w=1 / noise)
    # Noise that does not grow with the signal has many electrons of next to no gain.
    slope = max(float(slope), 1e-3 * float(noise.mean()) / float(np.ptp(level)))
    read_noise = 0.5 * float(np.sqrt(noise.min()))
    return np.array([slope / EXCESS, (read_noise**2 - intercept) / slope, read_noise])


def _most_likely(
    signal: Float64Array, observation: Float64Array, known: Known, start: Float64Array, steps: int
) -> Float64Array:
    """Camera [3] that maximises the likelihood, from ``start``."""
    s, y, first = torch.from_numpy(signal), torch.from_numpy(observation), torch.from_numpy(start)
    free = torch.tensor([number is None for number in attrs.astuple(known)])
    unit = float(np.std(observation - signal))

    def camera(point: Tensor) -> Tensor:
        scale, shift, read = point
        moved = torch.stack([first[0] * scale.exp(), first[1] + unit * shift, first[2] * read.exp()])
        return torch.where(free, moved, first)

    def loss(point: Float64Array) -> tuple[float, Float64Array]:
        x = torch.from_numpy(point).requires_grad_()
        value = -log_density(y, s, Camera(*camera(x))).mean()
        (gradient,) = torch.autograd.grad(value, x)
        return float(value.detach()), gradient.numpy()

    if not bool(free.any()):
        return start
    found = minimize(
        loss,
        np.zeros(3),
        jac=True,
        method="L-BFGS-B",
        bounds=[_NEAR, (None, None), _NEAR],
        options={"maxiter": steps, "ftol": 1e-9, "gtol": 1e-6},
    )
    best: Float64Array = camera(torch.from_numpy(found.x)).numpy()
    return best


def _report(
    signal: Float64Array,
    observation: Float64Array,
    camera: Float64Array,
    channel: int,
    pairs: int,
    rng: np.random.Generator,
) -> FitReport:
    """Likelihood, and how far the ranks of observations among draws of the model are from uniform."""
    numbers = Camera(*torch.from_numpy(camera))
    s, y = torch.from_numpy(signal), torch.from_numpy(observation)
    nll = -float(log_density(y, s, numbers).mean())
    few = slice(0, _REPORT_PAIRS)
    draws = draw(s[few].expand(_REPORT_DRAWS, -1), numbers, rng).numpy()
    ranks = np.sort((draws < observation[few]).mean(0))
    even = (np.arange(len(ranks)) + 0.5) / len(ranks)
    error = float(np.abs(ranks - even).max())
    warnings = []
    if error > _BADLY_CALIBRATED:
        warnings.append(
            f"the noise is not well described (calibration error {error:.3f}): is the gain of the camera on?"
        )
    return FitReport(channel, pairs, nll, error, tuple(warnings))
