"""Laws of noise models about the quality of a fit, on pairs of several cameras."""

import math
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from scipy.special import gammaln
from torch import Tensor

from denoisplit.core.images.noise_pairs import smallest_step
from denoisplit.core.network.interfaces import NoiseModel, NoisePairs
from denoisplit.testing.noise_model_laws.noise_model_cases import (
    GAIN,
    MANY,
    OFFSET,
    READ_NOISE,
    NoiseModelCases,
)
from denoisplit.testing.noise_model_laws.noise_model_pairs import (
    BIAS,
    BIASED,
    CAMERAS,
    DAMAGED,
    EVEN,
    OTHERS,
    USUAL,
)

_SURE = 1000.0
"""So far below 0 are maps of a network that knows the signal."""

_BINS = 8
_STD_OFF, _STD_OFF_WHERE_IT_CHANGES, _MEAN_OFF = 0.08, 0.3, 0.3
"""Largest error of a fitted std in a bin, for noise of one size and for other noise; and of the mean."""

_LOST, _LOST_ON_OTHERS = 0.015, 0.3
"""Nats per pixel that a fit may lose against the true density: on its own pairs, and on others."""

_NO_BIAS = 0.1
"""Part of the mean of the noise below which none is found."""

_SPIKED = 0.02
_NLL_OFF, _CALIBRATION_OFF, _SLACK = 0.03, 0.05, 4.0
_PROBED, _GRID, _REACH = 2000, 101, 7.0
"""Number of pairs for the integral transform, and its grid: this many stds down from the signal."""

of_every_camera = pytest.mark.parametrize("camera", list(CAMERAS))


class NoiseModelQualityTests(NoiseModelCases):
    """Laws of the quality of a fit with the default options; they do not apply without a fit."""

    @of_every_camera
    def test_mean_and_std_are_those_of_the_pairs_at_every_signal(self, camera: str) -> None:
        """On other pairs than those of the fit, in bins of the signal."""
        self.assert_mean_and_std(self.fitted(camera), USUAL if camera == DAMAGED else camera)

    def assert_mean_and_std(self, model: NoiseModel, camera: str) -> None:
        """Check bias and variance of a model on new pairs of a camera, in bins of the signal."""
        for channel, usual in enumerate(self.pairs(MANY, seed=1)):
            one = (CAMERAS | OTHERS)[camera](usual, np.random.default_rng(9))
            signal, residual = one.signal, one.observation - one.signal
            whole = self.as_image(signal)
            with torch.no_grad():
                variance = (
                    model.variance(whole, self.certain_maps(model, whole))[0, channel].flatten().numpy()
                )
                bias = self.bias(model, whole)[0, channel].flatten().numpy()
            place = self.bins(one, channel)
            for number in range(_BINS):
                own = residual[place == number]
                ratio = float((variance[place == number] ** 0.5).mean() / own.std())
                most = _STD_OFF if camera in EVEN else _STD_OFF_WHERE_IT_CHANGES
                assert abs(ratio - 1) < most, (
                    f"{camera} pairs: in bin {number} of {_BINS} of the signals of channel {channel} the "
                    f"fitted std is {ratio:.3g} times that of the pairs"
                )
                off = float(bias[place == number].mean() - own.mean()) / own.std()
                assert abs(off) < _MEAN_OFF, (
                    f"{camera} pairs: in bin {number} of {_BINS} of the signals of channel {channel} the "
                    f"mean is {off:.3g} std from that of the pairs"
                )

    def test_a_mean_of_the_noise_is_found_or_none(self) -> None:
        """A model that finds any where the noise of all pairs has one finds all, and the std about it."""
        if self.target().bias is NoiseModel.bias:
            pytest.skip("the mean of its noise is zero")
        model = self.fitted(BIASED)
        ends = [self.range_of(channel) for channel in range(self.statistics().channels)]
        signal = torch.tensor(ends, dtype=torch.float64).view(1, len(ends), 1, 2)
        found = self.bias(model, signal) / (signal[..., 1:] - signal[..., :1])
        if float(found.abs().max()) < _NO_BIAS * BIAS:
            pytest.skip("it finds none")
        self.assert_mean_and_std(model, BIASED)
        self.assert_report(self.defaults(), BIASED, 1.0)

    @pytest.mark.parametrize("camera", [USUAL, DAMAGED])
    def test_a_fit_is_as_likely_as_the_truth(self, camera: str) -> None:
        """Nearly so on its own pairs at every signal, and not much less on others of the same camera."""
        model = self.fitted_density(camera)
        for seed, most in ((0, _LOST), (1, _LOST_ON_OTHERS)):
            pairs = self.pairs(MANY, seed=seed)
            for channel, (one, found) in enumerate(zip(pairs, self.log_densities(model, pairs), strict=True)):
                lost = true_log_density(one, self.factor(channel), self.pedestal(channel)) - found.numpy()
                place = self.bins(one, channel)
                for number in range(_BINS):
                    own = float(lost[place == number].mean())
                    assert own < most, (
                        f"{camera} pairs: in bin {number} of {_BINS} of the signals channel {channel} loses "
                        f"{own:.3g} nats per pixel against the true density, "
                        f"{'on other pairs' if seed else 'on its own pairs'}"
                    )

    def test_probabilities_of_digital_counts_sum_to_one(self) -> None:
        """A density has no spikes at the steps of a camera: over all of them, it integrates to one, too."""
        model = self.fitted_density("digital")
        for channel, one in enumerate(self.pairs(MANY, camera="digital")):
            step, (low, high) = smallest_step(one.observation), self.range_of(channel)
            middle, half = (low + high) / 2 / step, (high - low) / step
            levels = step * torch.arange(middle - half, middle + half).round().double().view(-1, 1, 1, 1)
            signal = self.as_image(np.linspace(low, high, _BINS)[1:-1]).expand(len(levels), -1, -1, -1)
            with torch.no_grad():
                density = model.log_prob(
                    levels.expand_as(signal), signal, self.certain_maps(model, signal)
                ).exp()
            found = step * density[:, channel].sum(0)
            assert float((found - 1).abs().max()) < _SPIKED, (
                f"probabilities of the digital counts of channel {channel} sum to {float(found.min()):.3g} "
                f"to {float(found.max()):.3g}"
            )

    @of_every_camera
    def test_a_report_is_true(self, camera: str) -> None:
        """Its number of pairs, its likelihood, and how far the integral transform is from uniform.

        Also with the simplest options, which may limit the fit to few pairs.
        """
        self.require_fit(self.defaults())
        self.assert_report(self.defaults(), camera, 1.0)
        if camera == USUAL and self.new(self.smallest()).needs_fit:
            self.assert_report(self.smallest(), camera, _SLACK)

    def assert_report(self, options: Any, camera: str, slack: float) -> None:
        """Check the reports of the fit of ``model``, with tolerances multiplied by ``slack``."""
        model = self.model(options, camera)
        reports, pairs = self.reports(options, camera), self.pairs(self.enough(options), camera=camera)
        finite = [_inside(one, *self.range_of(channel)) for channel, one in enumerate(pairs)]
        for report, one, found in zip(reports, finite, self.log_densities(model, finite), strict=True):
            nll = -float(found.mean())
            assert abs(report.pairs / one.signal.size - 1) < 0.01, (
                f"{report.pairs} pairs of channel {report.channel} are reported, of {one.signal.size}"
            )
            assert not model.is_density or abs(report.nll - nll) < slack * _NLL_OFF, (
                f"{camera} pairs: the nll of channel {report.channel} is {nll:.4f}, reported is "
                f"{report.nll:.4f}"
            )
        if model.is_density and camera != DAMAGED:
            for report, error in zip(reports, self.calibration_errors(model, finite), strict=True):
                assert abs(report.calibration_error - error) < slack * _CALIBRATION_OFF, (
                    f"{camera} pairs: the calibration error of channel {report.channel} is {error:.3f}, "
                    f"reported is {report.calibration_error:.3f}"
                )

    def fitted(self, camera: str) -> NoiseModel:
        """Return the model with default options, fitted to many pairs; skip the test if it needs no fit."""
        self.require_fit(self.defaults())
        return self.model(self.defaults(), camera)

    def fitted_density(self, camera: str) -> NoiseModel:
        """Return the same; skip the test for a composite likelihood, too."""
        model = self.fitted(camera)
        return model if model.is_density else pytest.skip("it declares that it is no density")

    def certain_maps(self, model: NoiseModel, like: Tensor) -> Tensor | None:
        """Return maps of a network that is sure of the signal: noise is left alone, as in pairs.

        Override it for a model some of whose maps say something else.
        """
        maps = self.maps(model, like)
        if maps is None or model.signal_variance(like, maps) is None:
            return maps
        return maps - _SURE

    def as_image(self, values: Any) -> Tensor:
        """Return numbers [n] as an image [1 c 1 n], the same in every channel."""
        row = torch.as_tensor(values)[None, None, None]
        return row.expand(1, self.statistics().channels, 1, -1)

    def bins(self, pairs: NoisePairs, channel: int) -> Any:
        """Return in which part of the range of a channel every signal is."""
        low, high = self.range_of(channel)
        return ((pairs.signal - low) / (high - low) * _BINS).astype(int).clip(0, _BINS - 1)

    def log_densities(self, model: NoiseModel, pairs: Sequence[NoisePairs]) -> list[Tensor]:
        """Return the log-likelihood of the pairs of every channel, nats per pixel."""
        found = []
        for channel, one in enumerate(pairs):
            signal, observation = (self.as_image(x) for x in (one.signal, one.observation))
            with torch.no_grad():
                found.append(
                    model.log_prob(observation, signal, self.certain_maps(model, signal))[0, channel, 0]
                )
        return found

    def calibration_errors(self, model: NoiseModel, pairs: Sequence[NoisePairs]) -> list[float]:
        """Return the largest distance of the integral transform of some pairs from uniform, per channel."""
        rng, rows = np.random.default_rng(3), []
        for one in pairs:
            some, step = rng.permutation(one.signal.size)[:_PROBED], smallest_step(one.observation)
            rows.append((one.signal[some], one.observation[some] + step * rng.uniform(-0.5, 0.5, some.size)))
        signal, seen = (torch.as_tensor(np.stack(row))[None, :, None] for row in zip(*rows, strict=True))
        share = torch.linspace(0, 1, _GRID, dtype=torch.float64).view(-1, 1, 1, 1)
        with torch.no_grad():
            lowest = signal - _REACH * model.variance(signal, self.certain_maps(model, signal)).sqrt()
            grid, many = lowest + share * (seen - lowest), signal.expand(_GRID, *signal.shape[1:])
            density = model.log_prob(grid, many, self.certain_maps(model, many)).exp()
            below = torch.trapezoid(density, grid, dim=0).flatten(1).sort().values
        rank = torch.arange(_PROBED + 1, dtype=torch.float64) / _PROBED
        return torch.maximum(rank[1:] - below, below - rank[:-1]).amax(1).tolist()


def true_log_density(pairs: NoisePairs, factor: float, pedestal: float) -> Any:
    """Return the log-density of ``NoiseModelCases.pairs`` under their camera: a plain sum over photons."""
    gain, read_noise, offset = GAIN * factor**2, READ_NOISE * factor, pedestal + OFFSET * factor
    photons = ((pairs.signal - offset) / gain)[:, None]
    around = np.round((pairs.observation - offset) / gain)[:, None]
    n = np.maximum(around + np.arange(-20, 21), 0)
    n = np.where(np.diff(n, axis=1, prepend=-1) > 0, n, np.inf)
    count = np.where(np.isfinite(n), n, 0)
    away = (pairs.observation[:, None] - offset - gain * count) / read_noise
    terms = count * np.log(photons) - photons - gammaln(count + 1) - 0.5 * away**2
    return np.logaddexp.reduce(np.where(np.isfinite(n), terms, -np.inf), axis=1) - math.log(
        read_noise * math.sqrt(2 * math.pi)
    )


def _inside(pairs: NoisePairs, low: float, high: float) -> NoisePairs:
    """Return the finite pairs with signals in the range."""
    kept = np.isfinite(pairs.observation) & (pairs.signal >= low) & (pairs.signal <= high)
    return attrs.evolve(pairs, signal=pairs.signal[kept], observation=pairs.observation[kept])
