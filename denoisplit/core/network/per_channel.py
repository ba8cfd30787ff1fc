"""One noise model per channel, behind the interface of a single one."""

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor, nn

from denoisplit.core.errors import NoiseModelError, SpecError
from denoisplit.core.images.bases import ImageFormat
from denoisplit.core.network import camera_noise as cameras
from denoisplit.core.network.camera_noise import CameraNoiseModel
from denoisplit.core.network.fitting import fit_noise
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs


class PerChannelNoiseModel(CameraNoiseModel):
    """Passes channel c, and its camera maps, to the c-th noise model."""

    def __init__(self, models: Sequence[NoiseModel]) -> None:
        super().__init__()
        extra = {model.extra_maps for model in models}
        if len(extra) != 1:
            raise SpecError(
                f"model.noise_model: models with and without predicted parameters cannot be combined "
                f"(got {sorted(extra)} predicted maps per channel). Use one sort for all channels."
            )
        self.extra_maps = extra.pop()
        self.is_density = all(model.is_density for model in models)
        self.models = nn.ModuleList(models)

    @property
    def _members(self) -> list[NoiseModel]:
        return [model for model in self.models if isinstance(model, NoiseModel)]

    def read(self, formats: Sequence[ImageFormat]) -> None:
        """See ``CameraNoiseModel.read``; errors name the model."""
        for channel, model in enumerate(self._members):
            if isinstance(model, CameraNoiseModel):
                try:
                    model.read(formats)
                except NoiseModelError as error:
                    raise NoiseModelError(f"model.noise_model[{channel}]: {error}") from error

    def camera_maps(self, sides: tuple[int, int] | None = None) -> Tensor | None:
        """Maps of all channels [m c y x], with m of the model with most; zeros fill up the others.

        Raises:
            NoiseModelError: names the model without readable maps; or maps of two models differ in size.
        """
        found = [self._maps_of(channel, sides) for channel in range(len(self.models))]
        known = [maps for maps in found if maps is not None]
        if not known:
            return None
        planes = {tuple(maps.shape[-2:]) for maps in known}
        if len(planes) > 1:
            raise NoiseModelError(
                f"model.noise_model: the maps of all channels must be of one size (got {sorted(planes)}). "
                f"Give maps of one camera frame, or an origin to each."
            )
        together = known[0].new_zeros(max(map(len, known)), len(found), *planes.pop())
        for channel, maps in enumerate(found):
            if maps is not None:
                together[: len(maps), channel] = maps[:, 0]
        return together

    def log_prob(
        self,
        observation: Tensor,
        signal: Tensor,
        extra: Tensor | None = None,
        *,
        camera: Tensor | None = None,
    ) -> Tensor:
        """See ``NoiseModel.log_prob``."""
        parts = [
            cameras.log_prob(
                model,
                observation[:, [c]],
                signal[:, [c]],
                self._extra(extra, c),
                self._camera(camera, c),
            )
            for c, model in enumerate(self._members)
        ]
        return torch.cat(parts, dim=1)

    def sample(
        self,
        signal: Tensor,
        generator: torch.Generator,
        extra: Tensor | None = None,
        *,
        camera: Tensor | None = None,
    ) -> Tensor:
        """See ``NoiseModel.sample``."""
        parts = [
            cameras.sample(model, signal[:, [c]], generator, self._extra(extra, c), self._camera(camera, c))
            for c, model in enumerate(self._members)
        ]
        return torch.cat(parts, dim=1)

    def variance(
        self, signal: Tensor, extra: Tensor | None = None, *, camera: Tensor | None = None
    ) -> Tensor:
        """See ``NoiseModel.variance``."""
        parts = [
            cameras.variance(model, signal[:, [c]], self._extra(extra, c), self._camera(camera, c))
            for c, model in enumerate(self._members)
        ]
        return torch.cat(parts, dim=1)

    def signal_variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor | None:
        """See ``NoiseModel.signal_variance``; 0 for the channels whose models have none."""
        parts = [
            model.signal_variance(signal[:, [c]], self._extra(extra, c))
            for c, model in enumerate(self._members)
        ]
        if all(part is None for part in parts):
            return None
        none = torch.zeros_like(signal[:, [0]])
        return torch.cat([none if part is None else part for part in parts], dim=1)

    def bias(self, signal: Tensor, extra: Tensor | None = None, *, camera: Tensor | None = None) -> Tensor:
        """See ``CameraNoiseModel.bias``."""
        parts = [
            cameras.bias(model, signal[:, [c]], self._extra(extra, c), self._camera(camera, c))
            for c, model in enumerate(self._members)
        ]
        return torch.cat(parts, dim=1)

    @property
    def needs_fit(self) -> bool:
        """Whether the model of any channel has to be fitted."""
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
                found = fit_noise(model, [own], seed=seed)
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

    def _camera(self, camera: Tensor | None, channel: int) -> Tensor | None:
        """The maps of one channel's model."""
        own = None if camera is None else self._maps_of(channel)
        return None if camera is None or own is None else camera[: len(own), :, [channel]]

    def _maps_of(self, channel: int, sides: tuple[int, int] | None = None) -> Tensor | None:
        model = self._members[channel]
        try:
            return model.camera_maps(sides) if isinstance(model, CameraNoiseModel) else None
        except NoiseModelError as error:
            raise NoiseModelError(f"model.noise_model[{channel}]: {error}") from error


def channel_statistics(statistics: IntensityStats, channel: int) -> IntensityStats:
    """Statistics of one channel alone."""
    return attrs.evolve(
        statistics,
        target_mean=(statistics.target_mean[channel],),
        target_std=(statistics.target_std[channel],),
    )
