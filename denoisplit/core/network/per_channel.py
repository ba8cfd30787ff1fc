"""One noise model per channel, behind the interface of a single one."""

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor, nn

from denoisplit.core.errors import NoiseModelError, SpecError
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs


class PerChannelNoiseModel(NoiseModel):
    """Gives channel c to the c-th noise model."""

    def __init__(self, models: Sequence[NoiseModel]) -> None:
        super().__init__()
        extra = {model.extra_maps for model in models}
        if len(extra) != 1:
            problem = (
                f"model.noise_model: models with and without predicted parameters cannot be combined "
                f"(got {sorted(extra)} predicted maps per channel). Use one sort for all channels."
            )
            raise SpecError([problem])
        self.extra_maps = extra.pop()
        self.is_density = all(model.is_density for model in models)
        self.models = nn.ModuleList(models)

    @property
    def _members(self) -> list[NoiseModel]:
        return [model for model in self.models if isinstance(model, NoiseModel)]

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """See ``NoiseModel.log_prob``."""
        parts = [
            model.log_prob(observation[:, [c]], signal[:, [c]], self._extra(extra, c))
            for c, model in enumerate(self._members)
        ]
        return torch.cat(parts, dim=1)

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """See ``NoiseModel.sample``."""
        parts = [
            model.sample(signal[:, [c]], generator, self._extra(extra, c))
            for c, model in enumerate(self._members)
        ]
        return torch.cat(parts, dim=1)

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """See ``NoiseModel.variance``."""
        parts = [
            model.variance(signal[:, [c]], self._extra(extra, c)) for c, model in enumerate(self._members)
        ]
        return torch.cat(parts, dim=1)

    @property
    def needs_fit(self) -> bool:
        """Whether any channel's model has to be fitted."""
        return any(model.needs_fit for model in self._members)

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Fit every model that needs it to the pairs of its channel.

        Raises:
            NoiseModelError: names the model that cannot be fitted.
        """
        reports: list[FitReport] = []
        for channel, (model, own) in enumerate(zip(self._members, pairs, strict=True)):
            if not model.needs_fit:
                continue
            try:
                found = model.fit([own], seed=seed)
            except NoiseModelError as error:
                raise NoiseModelError(f"model.noise_model[{channel}]: {error}") from error
            reports += [attrs.evolve(report, channel=channel) for report in found]
        return tuple(reports)

    def concerns(self) -> tuple[tuple[int, str], ...]:
        """See ``NoiseModel.concerns``."""
        return tuple(
            (channel, sentence)
            for channel, model in enumerate(self._members)
            for _, sentence in model.concerns()
        )

    def _extra(self, extra: Tensor | None, channel: int) -> Tensor | None:
        if extra is None:
            return None
        return extra[:, channel * self.extra_maps : (channel + 1) * self.extra_maps]


def channel_statistics(statistics: IntensityStats, channel: int) -> IntensityStats:
    """Statistics of one channel alone."""
    return attrs.evolve(
        statistics,
        target_mean=(statistics.target_mean[channel],),
        target_std=(statistics.target_std[channel],),
    )
