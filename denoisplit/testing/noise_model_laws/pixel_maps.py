"""Maps of a camera for the suites of noise models, and a model with maps as that of a single pixel."""

import functools
import tempfile
import typing
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, get_args

import attrs
import numpy as np
import torch
from torch import Tensor

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.camera_noise import CameraNoiseModel, as_batch, waits_for_maps
from denoisplit.core.network.interfaces import FitReport, NoiseModel, NoisePairs
from denoisplit.core.storage.image_files import installed_formats

SIDES: Final = (6, 7)
"""Sides of the maps."""

PART: Final = (3, 4)
"""Sides of an image that shows a part of the maps."""


def map_fields(options: type[Any]) -> tuple[str, ...]:
    """Return the options that take a path."""
    hints = typing.get_type_hints(options)
    return tuple(f.name for f in attrs.fields(options) if Path in (hints[f.name], *get_args(hints[f.name])))


def with_maps(options: Any, fields: Sequence[str], variant: int = 0) -> Any:
    """Return options with a random map in these fields; another variant has other maps."""
    order = map_fields(type(options))
    return attrs.evolve(options, **{name: _map_file(order.index(name), variant) for name in fields})


def named_maps(options: Any) -> tuple[str, ...]:
    """Return the options that name a file."""
    return tuple(name for name in map_fields(type(options)) if isinstance(getattr(options, name), Path))


def seen_by_a_pixel(model: NoiseModel) -> NoiseModel:
    """Return a model that needs no maps: the same, or one whose pixels are all like its first."""
    if not isinstance(model, CameraNoiseModel) or not waits_for_maps(model):
        return model
    model.read(installed_formats())
    return OfOnePixel(model)


class OfOnePixel(NoiseModel):
    """A noise model with maps whose pixels are all alike, to be used like any other."""

    def __init__(self, inner: CameraNoiseModel) -> None:
        super().__init__()
        self.inner, self.extra_maps, self.is_density = inner, inner.extra_maps, inner.is_density

    @property
    def needs_fit(self) -> bool:
        """Whether the model needs a fit."""
        return self.inner.needs_fit

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Fit to pairs of this pixel."""
        here = [attrs.evolve(one, place=np.zeros((2, one.signal.size), dtype=np.int64)) for one in pairs]
        return self.inner.fit(here, seed=seed)

    def concerns(self) -> tuple[tuple[int, str], ...]:
        """Return the concerns of the model."""
        return self.inner.concerns()

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Return the log-density at this pixel."""
        return self.inner.log_prob(observation, signal, extra, camera=self._camera(signal))

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """Draw counts of this pixel."""
        return self.inner.sample(signal, generator, extra, camera=self._camera(signal))

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Return the variance at this pixel."""
        return self.inner.variance(signal, extra, camera=self._camera(signal))

    def signal_variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor | None:
        """Return that of the model, which is the same at every pixel."""
        return self.inner.signal_variance(signal, extra)

    def bias(self, signal: Tensor) -> Tensor:
        """Return the bias at this pixel."""
        return self.inner.bias(signal, camera=self._camera(signal))

    def _camera(self, signal: Tensor) -> Tensor:
        maps = self.inner.camera_maps()
        if maps is None:
            raise ValueError("the maps are gone")
        pixel = as_batch(maps[:, : signal.shape[1], :1, :1], signal.ndim - 2)
        return pixel.expand(*pixel.shape[:-2], *signal.shape[-2:])


def maps_of_a_part(model: NoiseModel) -> list[tuple[str, Tensor]]:
    """Return the maps of an image that shows a part of them, with a name; nothing where that is refused."""
    if isinstance(model, OfOnePixel):
        with suppress(NoiseModelError):
            maps = model.inner.camera_maps(PART)
            return [] if maps is None else [("maps of a part", maps)]
    return []


def scratch() -> Path:
    """Return a folder that exists until the process ends."""
    return Path(_folder().name)


@functools.cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="denoisplit-noise-")


@functools.cache
def _map_file(number: int, variant: int) -> Path:
    """Write a map [y x] of numbers about 3, without symmetry."""
    path = scratch() / f"map{number}_{variant}.npy"
    rng = np.random.default_rng([variant, number] if variant else number)
    np.save(path, rng.uniform(2, 4, SIDES).astype(np.float32))
    return path
