"""Noise model: an electron-multiplying camera per channel."""

from collections.abc import Sequence

import attrs
import numpy as np
import torch
from attrs.validators import ge, gt, optional
from denoisplit.core.errors import ChannelCountError, NoiseModelError
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs
from denoisplit.core.network.units import of_same_channels
from torch import Tensor

from denoisplit_emccd.density import Camera, draw, log_density, variance
from denoisplit_emccd.fit import Known, fit_camera

_SEEDS = 2**63 - 1


class Emccd(NoiseModel):
    r"""Poisson photo-electrons, multiplied by a register of gamma-distributed gain, with Gaussian read noise.

    The mean is the signal; the variance is :math:`2 g (s - o) + r^2`, twice the shot noise of a camera
    without such a register, and the density is skewed: a few photo-electrons make most of the bright pixels.
    It is the exact one, see `density`, evaluated in float64, so not on devices without that.

    Source: Hirsch et al., PLoS ONE 8(1), 2013.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the camera. Numbers that are given hold for all channels.

        Attributes:
            gain: counts per photo-electron, after multiplication; None to fit.
            offset: counts without light; None to fit.
            read_noise: std of the read noise, counts; None to fit.
            fit_pairs: most pairs used per channel.
            fit_steps: most iterations of the optimiser.
        """

        gain: float | None = attrs.field(default=None, validator=optional(gt(0)))
        offset: float | None = None
        read_noise: float | None = attrs.field(default=None, validator=optional(gt(0)))
        fit_pairs: int = attrs.field(default=10_000, validator=ge(500))
        fit_steps: int = attrs.field(default=40, validator=ge(1))

    cameras: Tensor

    def __init__(self, options: Options, *, statistics: IntensityStats) -> None:
        super().__init__()
        self.options = options
        self.channels = statistics.channels
        self.known = Known(options.gain, options.offset, options.read_noise)
        # Not a number until it is fitted; a buffer, so that it is saved with the network.
        start = self.known.complete(np.full(3, np.nan))
        self.register_buffer("cameras", torch.from_numpy(start).repeat(self.channels, 1))

    @property
    def needs_fit(self) -> bool:
        """True until all numbers are given, fitted, or loaded from a state dict."""
        return bool(self.cameras.isnan().any())

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Log-density of noisy counts.

        Args:
            observation: [b c (z) y x], counts.
            signal: [b c (z) y x], counts.
            extra: not used.

        Returns:
            [b c (z) y x], nats per pixel; float64 for float64 input, else float32.

        Raises:
            NoiseModelError: not fitted yet.
            ChannelCountError: another number of channels.
        """
        del extra
        observation, signal = of_same_channels(observation, signal)
        value = log_density(observation.double(), signal.double(), self._camera(signal))
        return value.to(_precision(signal))

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """Noisy counts [b c (z) y x] for clean counts; raises as ``log_prob``."""
        del extra
        # The gamma distribution of torch takes no generator; that of numpy is seeded by it.
        seed = torch.randint(_SEEDS, (), generator=generator, device=generator.device)
        with torch.no_grad():
            drawn = draw(signal.double(), self._camera(signal), np.random.default_rng(int(seed)))
        return drawn.to(device=signal.device, dtype=_precision(signal))

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Variance of the observation [b c (z) y x], counts squared; raises as ``log_prob``."""
        del extra
        return variance(signal.double(), self._camera(signal)).to(_precision(signal))

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Fit what is not given, for every channel: photon transfer, then maximum likelihood.

        Raises:
            ChannelCountError: another number of pairs than channels.
            NoiseModelError: mismatched, too few, constant or swapped pairs.
        """
        if len(pairs) != self.channels:
            raise ChannelCountError(
                f"noise model emccd: pairs of {len(pairs)} channels for {self.channels} channels. "
                f"Give one NoisePairs per channel."
            )
        cameras, reports = [], []
        for channel, one in enumerate(pairs):
            camera, report = fit_camera(
                one,
                self.known,
                most=self.options.fit_pairs,
                steps=self.options.fit_steps,
                channel=channel,
                seed=seed + channel,
            )
            cameras.append(camera)
            reports.append(report)
        self.cameras = torch.from_numpy(np.stack(cameras)).to(self.cameras)
        return tuple(reports)

    def _camera(self, signal: Tensor) -> Camera:
        if self.needs_fit:
            raise NoiseModelError(
                "noise model emccd: not fitted. Call fit, load a state dict, or give gain, offset and "
                "read_noise."
            )
        if signal.shape[1] != self.channels:
            raise ChannelCountError(
                f"noise model emccd: the image has {signal.shape[1]} channels, the noise model "
                f"{self.channels}. Use images with the channels that the model was built for."
            )
        numbers = self.cameras.double().view(self.channels, 3, *(1,) * (signal.ndim - 2))
        return Camera(*numbers.unbind(1))


def _precision(values: Tensor) -> torch.dtype:
    return torch.float64 if values.dtype == torch.float64 else torch.float32
