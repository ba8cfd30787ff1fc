"""Noise model: Poisson photons with gain and offset, and Gaussian read noise; one camera per channel."""

from collections.abc import Sequence

import attrs
import numpy as np
import torch
from attrs.validators import ge, gt, optional
from torch import Tensor

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs
from denoisplit.core.network.pointwise import pointwise
from denoisplit.core.network.units import at_least_float32, of_same_channels
from denoisplit.plugins.noise_models.pair_checks import check_all
from denoisplit.plugins.noise_models.poisson_gaussian_fit import FitSettings, fit_camera
from denoisplit.plugins.noise_models.poisson_gaussian_maths import Camera, draw, log_density, variance
from denoisplit.plugins.noise_models.requirements import require_channels, unfitted
from denoisplit.plugins.noise_models.split_numbers import join, split


class PoissonGaussian(NoiseModel):
    r"""Poisson photons, amplified, with Gaussian read noise; the mean is the signal.

    .. math:: p(y \mid s) = \sum_n \operatorname{Poisson}(n; (s - o) / g)\, \mathcal N(y; o + g n, r^2)

    with gain g, offset o and read noise r, to a relative error below 1e-6 for signals of at least 0.001
    photons. For darker signals, and below the offset, the density at 0.001 photons is shifted to the signal.

    Source: Foi et al., IEEE Transactions on Image Processing 2008; method section 4.4.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the camera. Given numbers hold for all channels.

        Attributes:
            gain: counts per photon (photo-electron); None to fit. Give it for a camera that resolves single
                photons: a fit to a few percent misses the peaks of many photons.
            offset: counts without light; None to fit.
            read_noise: std of the read noise, counts; None to fit.
            fit_pairs: largest number of pairs used per channel.
            fit_steps: largest number of iterations of the optimiser.
        """

        gain: float | None = attrs.field(default=None, validator=optional(gt(0)))
        offset: float | None = None
        read_noise: float | None = attrs.field(default=None, validator=optional(gt(0)))
        fit_pairs: int = attrs.field(default=30_000, validator=ge(1000))
        fit_steps: int = attrs.field(default=60, validator=ge(1))

    cameras: Tensor

    def __init__(self, options: Options, *, statistics: IntensityStats) -> None:
        super().__init__()
        self.options = options
        self.channels = statistics.channels
        self.register_buffer("cameras", torch.zeros(self.channels, 3, 2))
        known = self._known()
        if not np.isnan(known).any():
            self._set([known] * self.channels)

    @property
    def needs_fit(self) -> bool:
        """True until all numbers are given, fitted, or loaded from a state dict."""
        return not bool((self.cameras[:, 0, 0] > 0).all())

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Log-density of noisy counts; see ``NoiseModel``."""
        del extra
        observation, signal = of_same_channels(observation, signal)
        return pointwise(self._log_density, observation, signal)

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """Noisy counts [b c (z) y x] for clean counts."""
        del extra
        signal = at_least_float32(signal)
        with torch.no_grad():
            return draw(signal, self._camera(signal), generator)

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Variance of the observation [b c (z) y x], counts squared."""
        del extra
        signal = at_least_float32(signal)
        return variance(signal, self._camera(signal))

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Fit the numbers that are not given, for every channel: photon transfer, then maximum likelihood."""
        settings = FitSettings(pairs=self.options.fit_pairs, steps=self.options.fit_steps)
        cameras, reports = [], []
        for channel, checked in enumerate(check_all(pairs, self.channels, "poisson_gaussian")):
            camera, report = fit_camera(
                checked, self._known(), settings, channel=channel, seed=seed + channel
            )
            cameras.append(camera)
            reports.append(report)
        self._set(cameras)
        return tuple(reports)

    def _log_density(self, observation: Tensor, signal: Tensor) -> Tensor:
        return log_density(observation, signal, self._camera(signal))

    def _known(self) -> Float64Array:
        """Return gain, offset and read noise [3] as given, NaN where they are to be fitted."""
        given = (self.options.gain, self.options.offset, self.options.read_noise)
        return np.array(given, dtype=np.float64)

    def _camera(self, signal: Tensor) -> Camera:
        if unfitted(self):
            raise NoiseModelError(
                "noise model poisson_gaussian: not fitted. Call fit, load a state dict, or give gain, offset "
                "and read_noise."
            )
        require_channels(signal, self.channels, "poisson_gaussian")
        numbers = join(self.cameras, signal.dtype).view(self.channels, 3, *(1,) * (signal.ndim - 2))
        return Camera(*numbers.unbind(1))

    def _set(self, cameras: Sequence[Float64Array]) -> None:
        self.cameras = split(torch.from_numpy(np.stack(cameras))).to(self.cameras.device)
