"""Noise models that know every pixel of a camera, and how the others are asked as if they did."""

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

    Wherever an image is looked at in parts (patches that are turned and mirrored, tiles, regions of fields),
    the maps are cut with it, and come as ``camera`` [m b c (z) y x]: m maps of every pixel in question, sides
    of b and z possibly 1. A model without maps, to which ``camera_maps`` gives None, gets None. Other noise
    models never see the argument.
    """

    @abstractmethod
    def camera_maps(self, sides: tuple[int, int] | None = None) -> Tensor | None:
        """The maps [m c y x] of an image with these sides along y and x, as the camera recorded it.

        Channels that share a map have it once each (``expand`` does that without copies). None for a model
        that has no maps. Without ``sides``, those of all that the model knows.

        Raises:
            NoiseModelError: maps that cannot be read, or an image of other sides than the maps; what to do.
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
        """Read maps from files, once before a training; a run that is loaded has them in its state.

        Args:
            formats: that are installed; see ``core.images.io.open_image``.

        Raises:
            ImageError, NoiseModelError: a file that cannot be read, or holds no such maps.
        """
        del formats

    def bias(self, signal: Tensor, extra: Tensor | None = None, *, camera: Tensor | None = None) -> Tensor:
        """See ``NoiseModel.bias``."""
        del extra, camera
        return super().bias(signal)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take the sides of maps, which were not read yet, from the state dict, then load as usual."""
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
    """Whether a noise model knows the pixels of its maps alone, which may not have been read yet."""
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
    """``NoiseModel.log_prob``, with maps for a model that knows what they are."""
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
    """``NoiseModel.sample``, with maps for a model that knows what they are."""
    if isinstance(model, CameraNoiseModel):
        return model.sample(signal, generator, extra, camera=camera)
    return model.sample(signal, generator, extra)


def bias(model: NoiseModel, signal: Tensor, extra: Tensor | None, camera: Tensor | None) -> Tensor:
    """``CameraNoiseModel.bias``; of other noise models, what they declare without maps."""
    if isinstance(model, CameraNoiseModel):
        return model.bias(signal, extra, camera=camera)
    return model.bias(signal)


def variance(model: NoiseModel, signal: Tensor, extra: Tensor | None, camera: Tensor | None) -> Tensor:
    """``NoiseModel.variance``, with maps for a model that knows what they are."""
    if isinstance(model, CameraNoiseModel):
        return model.variance(signal, extra, camera=camera)
    return model.variance(signal, extra)
