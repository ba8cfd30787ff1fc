"""Where an image lies in the world: axes, scale, units and position of its layers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

if TYPE_CHECKING:
    from denoisplit.core.images.bases import Image, PixelSize

AXES: Final = "stczyx"
"""Letters of axes: samples or positions, time, channel, depth, rows, columns."""

PIXEL: Final = "pixel"
SAMPLES: Final = "sample"

_USUAL: Final = "stzyx"
"""Axes of layers that do not name theirs, matched from the last."""


@attrs.frozen(kw_only=True)
class Frame:
    """Axes of an image, and what places its layers in the world.

    Attributes:
        axes: one letter per axis.
        labels: names of the axes for napari.
        scale: size of a pixel along each axis.
        units: unit of each size; ``pixel`` where it is unknown.
        shift: world coordinates of the first pixel.
        linear: matrix from pixels, already scaled, to the world; the identity unless the layer is rotated.
    """

    axes: str
    labels: tuple[str, ...]
    scale: tuple[float, ...]
    units: tuple[str, ...]
    shift: tuple[float, ...]
    linear: Any = attrs.field(eq=False)

    @classmethod
    def of_image(cls, image: "Image") -> "Frame":
        """The frame of an image from a file, at the origin."""
        from denoisplit.core.images.axes import sizes_by_axis

        sizes = {axis: (size, _unit(image.pixel_size)) for axis, size in sizes_by_axis(image).items()}
        if image.time_interval is not None:
            sizes["t"] = (image.time_interval.value, image.time_interval.unit)
        found = [sizes.get(axis, (1.0, PIXEL)) for axis in image.axes]
        return cls(
            axes=image.axes,
            labels=tuple(image.axes),
            scale=tuple(size for size, _ in found),
            units=tuple(unit for _, unit in found),
            shift=(0.0,) * len(found),
            linear=np.eye(len(found)),
        )

    @classmethod
    def of_layer(cls, layer: Any, axes: str) -> "Frame":
        """The frame of a layer of napari, whose axes have these letters."""
        origin = np.asarray(layer.data_to_world((0.0,) * len(axes)))
        columns = [np.asarray(layer.data_to_world(tuple(unit))) - origin for unit in np.eye(len(axes))]
        scale = tuple(float(size) for size in layer.scale)
        return cls(
            axes=axes,
            labels=tuple(str(label) for label in layer.axis_labels),
            scale=scale,
            units=tuple(map(str, layer.units)),
            shift=tuple(float(place) for place in origin),
            linear=np.stack(columns, axis=1) / np.asarray(scale),
        )

    def without(self, axis: str) -> "Frame":
        """The frame of an image of one position along an axis."""
        place = self.axes.find(axis)
        if place < 0:
            return self

        def rest(values: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(value for number, value in enumerate(values) if number != place)

        return Frame(
            axes=self.axes.replace(axis, ""),
            labels=rest(self.labels),
            scale=rest(self.scale),
            units=rest(self.units),
            shift=rest(self.shift),
            linear=np.delete(np.delete(self.linear, place, 0), place, 1),
        )

    def with_samples(self) -> "Frame":
        """The frame of several samples of the image, along a new first axis."""
        grown = np.eye(len(self.axes) + 1)
        grown[1:, 1:] = self.linear
        return Frame(
            axes=f"{SAMPLES[0]}{self.axes}",
            labels=(SAMPLES, *self.labels),
            scale=(1.0, *self.scale),
            units=(PIXEL, *self.units),
            shift=(0.0, *self.shift),
            linear=grown,
        )

    def arguments(self) -> Mapping[str, Any]:
        """Arguments of a layer of napari."""
        said: dict[str, Any] = {"scale": self.scale, "units": self.units, "axis_labels": self.labels}
        if np.allclose(self.linear, np.eye(len(self.axes)), atol=1e-9):
            return said | {"translate": self.shift}
        affine = np.eye(len(self.axes) + 1)
        affine[:-1, :-1], affine[:-1, -1] = self.linear, self.shift
        return said | {"affine": affine}

    def pixel_size(self) -> "PixelSize | None":
        """The sizes of the spatial axes, for denoisplit; None if none is known."""
        from denoisplit.core.images.physical import known_size

        spatial = [number for number, axis in enumerate(self.axes) if axis in "zyx"]
        return known_size([self.scale[n] for n in spatial], [self.units[n] for n in spatial])


def proposed_axes(layer: Any) -> str:
    """Letters for the axes of a layer: those of its labels if they are letters, else the usual ones."""
    labels = "".join(str(label).lower() for label in layer.axis_labels)
    named = len(labels) == len(set(labels)) == layer.ndim and {"y", "x"} <= set(labels) <= set(AXES)
    return labels if named else _USUAL[-layer.ndim :]


def _unit(size: "PixelSize | None") -> str:
    return PIXEL if size is None else size.unit
