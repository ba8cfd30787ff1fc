"""Noise models with maps of camera pixels, and functions that call any noise model in the same way."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.images.bases import ImageFormat
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.network.interfaces import NoiseModel


class CameraNoiseModel(NoiseModel):
    """A noise model with maps of a camera: numbers that differ from pixel to pixel.

    Wherever parts of an image are processed (patches that are turned and mirrored, tiles, regions of fields),
    the maps are cut in the same way and passed as ``camera`` [m b c (z) y x]: m maps of these pixels, with
    sides of b and z that may be 1. A model without maps, for which ``camera_maps`` returns None, gets None.
    Other noise models never get the argument.
    """

    @abstractmethod
    def camera_maps(self, sides: tuple[int, int] | None = None) -> Tensor | None:
        """The maps [m c y x] of an image with these sides along y and x, as the camera recorded it.

        Channels that share a map have it once each (``expand`` does this without copies). None for a model
        without maps. Without ``sides``, the maps of all pixels that the model knows.

        Raises:
            NoiseModelError: unreadable maps, or an image with other sides than the maps; says what to do.
        """

    @abstractmethod
    def log_prob(
        self,
        observation: Tensor,
        signal: Tensor,
        extra: Tensor | None = None,
        *,
        camera: Tensor | None = None,
    ) -> Tensor:
        """See ``NoiseModel.log_prob``."""

    @abstractmethod
    def sample(
        self,
        signal: Tensor,
        generator: torch.Generator,
        extra: Tensor | None = None,
        *,
        camera: Tensor | None = None,
    ) -> Tensor:
        """See ``NoiseModel.sample``."""

    @abstractmethod
    def variance(
        self, signal: Tensor, extra: Tensor | None = None, *, camera: Tensor | None = None
    ) -> Tensor:
        """See ``NoiseModel.variance``."""

    def read(self, formats: Sequence[ImageFormat]) -> None:
        """Read maps from files, once before a training; a loaded run has them in its state.

        Args:
            formats: installed formats; see ``core.images.io.open_image``.

        Raises:
            ImageError, NoiseModelError: a file cannot be read, or holds no such maps.
        """
        del formats

    def bias(self, signal: Tensor, extra: Tensor | None = None, *, camera: Tensor | None = None) -> Tensor:
        """See ``NoiseModel.bias``."""
        del extra, camera
        return super().bias(signal)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take the sides of maps not read yet from the state dict, then load as usual."""
        for name, own in list(self._buffers.items()):
            stored = state_dict.get(prefix + name)
            if own is not None and isinstance(stored, Tensor) and stored.ndim == own.ndim:
                setattr(self, name, own.new_zeros(stored.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)


def camera_of(model: NoiseModel, part: FramePart) -> Tensor | None:
    """Maps [m c y x] of a part of an image; None for a noise model without maps.

    Raises:
        NoiseModelError: see ``CameraNoiseModel.camera_maps``.
    """
    if not isinstance(model, CameraNoiseModel):
        return None
    maps = model.camera_maps(part.frame)
    return None if maps is None else maps[..., *part.slices]


def waits_for_maps(model: NoiseModel) -> bool:
    """Whether a noise model knows only the pixels of its maps, which may not have been read yet."""
    try:
        return isinstance(model, CameraNoiseModel) and model.camera_maps() is not None
    except NoiseModelError:
        return True


def as_batch(maps: Tensor, spatial_rank: int) -> Tensor:
    """Maps [m c y x] of one image as [m 1 c (1) y x], the same in every plane of a stack."""
    return maps.view(len(maps), 1, maps.shape[1], *(1,) * (spatial_rank - 2), *maps.shape[-2:])


def log_prob(
    model: NoiseModel, observation: Tensor, signal: Tensor, extra: Tensor | None, camera: Tensor | None
) -> Tensor:
    """``NoiseModel.log_prob``, with maps for a model that uses them."""
    if isinstance(model, CameraNoiseModel):
        return model.log_prob(observation, signal, extra, camera=camera)
    return model.log_prob(observation, signal, extra)


def sample(
    model: NoiseModel,
    signal: Tensor,
    generator: torch.Generator,
    extra: Tensor | None,
    camera: Tensor | None,
) -> Tensor:
    """``NoiseModel.sample``, with maps for a model that uses them."""
    if isinstance(model, CameraNoiseModel):
        return model.sample(signal, generator, extra, camera=camera)
    return model.sample(signal, generator, extra)


def bias(model: NoiseModel, signal: Tensor, extra: Tensor | None, camera: Tensor | None) -> Tensor:
    """``CameraNoiseModel.bias``; for other noise models, their bias without maps."""
    if isinstance(model, CameraNoiseModel):
        return model.bias(signal, extra, camera=camera)
    return model.bias(signal)


def variance(model: NoiseModel, signal: Tensor, extra: Tensor | None, camera: Tensor | None) -> Tensor:
    """``NoiseModel.variance``, with maps for a model that uses them."""
    if isinstance(model, CameraNoiseModel):
        return model.variance(signal, extra, camera=camera)
    return model.variance(signal, extra)
