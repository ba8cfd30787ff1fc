"""Destinations of the results of a prediction."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import AnyArray, Float32Array
from denoisplit.core.images.axes import AXES
from denoisplit.core.images.bases import ImageLayout
from denoisplit.core.images.io import Planes
from denoisplit.core.prediction.outputs.offers import CALIBRATED_STD, CHI_SQUARE, Calibrated, Output
from denoisplit.core.prediction.outputs.output_words import default_outputs
from denoisplit.core.prediction.outputs.posterior import Posterior
from denoisplit.core.prediction.outputs.result import names_of
from denoisplit.core.prediction.tiles.tiling import Tile


@attrs.frozen(kw_only=True)
class Asked:
    """The request that a destination fulfils.

    Attributes:
        planes: planes of the image.
        outputs: outputs that were asked for.
        calibrated: calibration of the run; None without one.
        samples: number of posterior samples.
        channels: names of the channels.
    """

    planes: Planes
    outputs: tuple[Output, ...]
    calibrated: Calibrated | None
    samples: int
    channels: tuple[str, ...]

    def made(self, posterior: Posterior) -> dict[str, Float32Array]:
        """The requested images of a tile."""
        found: dict[str, Float32Array] = {}
        for one in self.outputs:
            found |= one.make(posterior, self.calibrated)
        return found

    @property
    def axes(self) -> str:
        """Axes of the results."""
        planes = self.planes
        return "".join(a for a in AXES if a in planes.leading or a == "c" or a in planes.spatial)

    def layout(self, images: Mapping[str, object], dtype: np.dtype[Any]) -> ImageLayout:
        """Layout of the results, all images together."""
        planes, names = self.planes, names_of(images, self.channels)
        sides = dict(zip(planes.leading, planes.shape, strict=True)) | {"c": len(names)}
        sides |= dict(zip(planes.spatial, planes.plane_shape[1:], strict=True))
        return ImageLayout(
            shape=tuple(sides[a] for a in self.axes),
            dtype=dtype,
            axes=self.axes,
            channel_names=names,
            pixel_size=planes.image.pixel_size,
            time_interval=planes.image.time_interval,
        )

    def place(self, number: int, tile: Tile, channels: int) -> tuple[slice, ...]:
        """Place of a tile of a plane in the results."""
        planes = self.planes
        index = planes.index(number)
        places = {a: slice(i, i + 1) for a, i in zip(planes.leading, index, strict=True)}
        places |= {"c": slice(0, channels), **dict(zip(planes.spatial, tile.inner.slices, strict=True))}
        return tuple(places[a] for a in self.axes)

    def turned(self, pixels: AnyArray) -> AnyArray:
        """Pixels [c (z) y x] of a tile, given all axes of the results."""
        letters = f"c{self.planes.spatial}"
        moved = np.transpose(pixels, [letters.index(a) for a in self.axes if a in letters])
        sides = iter(moved.shape)
        return moved.reshape([next(sides) if a in letters else 1 for a in self.axes])


class Sink(ABC):
    """Receives the tiles of an image one by one.

    Attributes:
        path: file that they go to; None for memory.
    """

    path: Path | None = None

    @abstractmethod
    def begin(self, asked: Asked) -> None:
        """Learn about the image and what to keep."""

    @abstractmethod
    def put(self, number: int, tile: Tile, posterior: Posterior) -> None:
        """Store the inner area of a tile of the plane ``number``, which the images of ``posterior`` show."""

    @property
    @abstractmethod
    def layout(self) -> ImageLayout:
        """Layout of all images together, once there is a tile."""

    @property
    @abstractmethod
    def images(self) -> Mapping[str, AnyArray]:
        """The requested images by name."""

    @property
    @abstractmethod
    def usual(self) -> Mapping[str, AnyArray]:
        """Mean, std and calibrated std, if kept."""

    @property
    def misfit(self) -> npt.NDArray[np.float32] | None:
        """Map of chi-square with the axes of the prediction but ``c``; None if not kept."""
        return None


@final
class Memory(Sink):
    """Keeps whole images, including those that every prediction has."""

    def __init__(self) -> None:
        self._asked: Asked | None = None
        self._usual: Asked | None = None
        self._names: tuple[str, ...] = ()
        self._dtype: np.dtype[Any] = np.dtype(np.float32)
        self._all: dict[str, AnyArray] = {}

    def begin(self, asked: Asked) -> None:
        """Remember the request; the images are allocated with the first tile."""
        usual = default_outputs(samples=asked.samples, calibrated=asked.calibrated)
        self._asked, self._usual = asked, attrs.evolve(asked, outputs=usual)

    def put(self, number: int, tile: Tile, posterior: Posterior) -> None:
        """Copy the images of a tile to their place."""
        chosen, usual = self._known()
        made = chosen.made(posterior)
        self._names, self._dtype = tuple(made), posterior.mean.dtype
        made = {**usual.made(posterior), **made}
        if CHI_SQUARE in posterior.images:
            made[CHI_SQUARE] = posterior.images[CHI_SQUARE]
        for name, image in made.items():
            if name not in self._all:
                shape = list(chosen.layout(made, image.dtype).shape)
                shape[chosen.axes.index("c")] = len(image)
                self._all[name] = np.empty(shape, dtype=image.dtype)
            self._all[name][chosen.place(number, tile, len(image))] = chosen.turned(image)

    @property
    def layout(self) -> ImageLayout:
        """Layout of all images together."""
        return self._known()[0].layout(self.images, self._dtype)

    @property
    def images(self) -> Mapping[str, AnyArray]:
        """The requested images by name."""
        return {name: self._all[name] for name in self._names}

    @property
    def usual(self) -> Mapping[str, AnyArray]:
        """Mean, std and calibrated std, if available."""
        return {name: self._all[name] for name in ("mean", "std", CALIBRATED_STD) if name in self._all}

    @property
    def misfit(self) -> npt.NDArray[Any] | None:
        """Map of chi-square with the axes of the prediction but ``c``; None if not measured."""
        found = self._all.get(CHI_SQUARE)
        return None if found is None else found.squeeze(axis=self._known()[0].axes.index("c"))

    def _known(self) -> tuple[Asked, Asked]:
        if self._asked is None or self._usual is None:
            raise ValueError("there is no image yet. Call begin first.")
        return self._asked, self._usual
