"""Noise model: a Gaussian whose mean and std are measured in bins of the signal, one table per channel."""

import math
from collections.abc import Sequence

import attrs
import numpy as np
import torch
from attrs.validators import ge
from torch import Tensor

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs
from denoisplit.core.network.units import at_least_float32
from denoisplit.plugins.noise_models.pair_checks import CheckedPairs, check_all
from denoisplit.plugins.noise_models.pair_moments import choose_plain, dither, fit_report
from denoisplit.plugins.noise_models.requirements import require_channels, unfitted, with_parameters

FEWEST_IN_BIN = 50
_REPORT_PAIRS = 60_000


class BinnedGaussian(NoiseModel):
    r"""Gaussian noise whose bias and std are interpolated between the centres of bins of the signal.

    .. math:: p(y \mid s) = \mathcal N\bigl(y;\, s + b(s),\, \sigma^2(s)\bigr)

    Beyond the first and the last centre, bias b and std are constant; a bin with few pairs is interpolated
    from its neighbours. Bias and std are the moments of the pairs, which are their maximum-likelihood
    estimates. The reference instead fits a Gaussian to the histogram of every bin, which needs bins of the
    observation and a good start, and adds 1e-10 to the density, which makes the gradient vanish in the tails;
    neither is reproduced.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code (``histgmm``); method section 4.3.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the table.

        Attributes:
            bins: number of bins of equal width from the lowest signal to the highest.
        """

        bins: int = attrs.field(default=64, validator=ge(2))

    table: Tensor
    limits: Tensor

    def __init__(self, options: Options, *, statistics: IntensityStats) -> None:
        super().__init__()
        self.options = options
        self.channels = statistics.channels
        self.register_buffer("table", torch.zeros(self.channels, options.bins, 2))
        self.register_buffer("limits", torch.zeros(self.channels, 2))

    @property
    def needs_fit(self) -> bool:
        """True until the tables are measured, or loaded from a state dict."""
        return not bool((self.limits[:, 1] > self.limits[:, 0]).all())

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Log-density of noisy counts; see ``NoiseModel``."""
        del extra
        observation, signal, (bias, std) = with_parameters(observation, signal, self._bias_and_std)
        squared = ((observation - signal - bias) / std).square()
        return -0.5 * squared - std.log() - 0.5 * math.log(2 * math.pi)

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """Noisy counts [b c (z) y x] for clean counts."""
        del extra
        signal = at_least_float32(signal)
        bias, std = self._bias_and_std(signal)
        noise = torch.randn(signal.shape, generator=generator, device=generator.device, dtype=signal.dtype)
        mean = signal + bias
        return mean + std * noise.to(signal.device)

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Variance of the observation [b c (z) y x], counts squared."""
        del extra
        return self._bias_and_std(at_least_float32(signal))[1].square()

    def bias(self, signal: Tensor) -> Tensor:
        """Mean of the observation minus the signal [b c (z) y x], counts."""
        return self._bias_and_std(at_least_float32(signal))[0]

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Measure the table of every channel."""
        checked = list(check_all(pairs, self.channels, "binned_gaussian"))
        tables = np.stack([measured(one, self.options.bins) for one in checked])
        limits = [[one.low, one.high] for one in checked]
        self.table = torch.from_numpy(tables).to(self.table)
        self.limits = torch.tensor(limits).to(self.limits)
        return tuple(self._report(one, channel=c, seed=seed + c) for c, one in enumerate(checked))

    def _bias_and_std(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        if unfitted(self):
            raise NoiseModelError("noise model binned_gaussian: not fitted. Call fit, or load a state dict.")
        require_channels(signal, self.channels, "binned_gaussian")
        space = (1,) * (signal.ndim - 2)
        bins = self.table.shape[1]
        low, high = (ends.view(-1, *space) for ends in self.limits.to(signal.dtype).unbind(1))
        place = ((signal - low) / (high - low) * bins - 0.5).clamp(0, bins - 1)
        lower = place.detach().floor().clamp(max=bins - 2)
        first = bins * torch.arange(self.channels, device=signal.device).view(-1, *space)
        table = self.table.to(signal.dtype).flatten(0, 1)
        # NaN looks up an arbitrary row instead of failing; the density itself is NaN there.
        row = first + lower.nan_to_num(nan=0.0).long()
        below, above = table[row], table[row + 1]
        bias, std = torch.lerp(below, above, (place - lower)[..., None]).unbind(-1)
        return bias, std

    def _report(self, pairs: CheckedPairs, *, channel: int, seed: int) -> FitReport:
        """Report likelihood and calibration on pairs drawn at random."""
        rng = np.random.default_rng(seed)
        chosen = choose_plain(len(pairs.signal), _REPORT_PAIRS, rng)
        signal, observation = (torch.from_numpy(x[chosen]) for x in (pairs.signal, pairs.observation))
        image = signal.expand(self.channels, -1)[None]
        nll = -float(self.log_prob(observation.expand_as(image), image)[0, channel].mean())
        bias, std = (x[0, channel] for x in self._bias_and_std(image))
        spread = (observation + torch.from_numpy(dither(len(chosen), pairs.step, rng)) - signal - bias) / std
        advice = "it may not be Gaussian, as gaussian_mixture and histogram allow, or need more bins"
        return fit_report(pairs, channel, nll, torch.special.ndtr(spread).numpy(), advice)


def measured(pairs: CheckedPairs, bins: int) -> Float64Array:
    """Measure bias and std of the residual in every bin [bins 2], counts.

    Raises:
        NoiseModelError: no bin has enough pairs.
    """
    residual = pairs.observation - pairs.signal
    places = (pairs.signal - pairs.low) / (pairs.high - pairs.low) * bins
    index = np.minimum(places.astype(np.intp), bins - 1)
    count = np.bincount(index, minlength=bins)
    mean = np.bincount(index, residual, bins) / np.maximum(count, 1)
    variance = np.bincount(index, (residual - mean[index]) ** 2, bins) / np.maximum(count, 1)
    usable = np.flatnonzero((count >= FEWEST_IN_BIN) & (variance > 0))
    if not len(usable):
        raise NoiseModelError(
            f"noise model binned_gaussian: no bin has {FEWEST_IN_BIN} different pairs (got {len(residual)} "
            f"pairs for {bins} bins). Use fewer bins, or give more images."
        )
    every = np.arange(bins)
    columns = [np.interp(every, usable, values[usable]) for values in (mean, np.sqrt(variance))]
    return np.stack(columns, axis=1)
