"""The image that tiles are cut from: padded to whole strides, at every scale that the network takes."""

import math
from functools import partial

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.images.context_pyramid import context_crop, pyramid
from denoisplit.core.images.derived_images import elementwise
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.tiles.tiling import Box, pad_to_canvas


def canvas_multiple(vse: VSE) -> tuple[int, ...]:
    """Pixels per axis of which the padded image is a multiple.

    The coarsest stride. With lateral context, enough that strides divide the image without remainder and its
    centre is a whole pixel at every scale; feature maps that cover the surround need no more.
    """
    if not vse.context:
        return vse.stride
    halvings = (1,) * len(vse.multiple[:-2]) + (2 ** (vse.context + 1),) * 2
    return tuple(math.lcm(m, h) for m, h in zip(vse.multiple, halvings, strict=True))


@attrs.frozen
class Canvas:
    """A padded image.

    Attributes:
        scales: the image [(z) y x], counts, then the image halved once, twice, ... along y and x, as many as
            the network takes.
    """

    scales: tuple[LazyArray, ...]

    @classmethod
    def of(cls, image: LazyArray, vse: VSE) -> "Canvas":
        """The canvas of an image [(z) y x] of any size."""
        padded = pad_to_canvas(image, canvas_multiple(vse))
        if not vse.context:
            return cls((padded,))
        dtype = np.result_type(padded.dtype, np.float32)
        return cls(pyramid(elementwise(partial(np.asarray, dtype=dtype), padded, dtype=dtype), vse.context))

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels per axis of the padded image."""
        return self.scales[0].shape

    def cut(self, region: Box) -> npt.NDArray[np.float64]:
        """Cut out all scales [scales (z) y x], centred on a region, with as many pixels each.

        Beyond the canvas, a scale is reflected. A window around a place of the canvas is large enough that
        its reflection equals that of the whole scale: what lies at a place does not depend on the window.
        """
        first = np.ascontiguousarray(self.scales[0][region.slices], dtype=np.float64)
        around = [
            context_crop(image, region.start, region.shape, scale)
            for scale, image in enumerate(self.scales[1:], start=1)
        ]
        return np.stack([first, *around]) if around else first[None]

    def shift(self, region: Box) -> tuple[int, ...]:
        """Pixels from the centre of the canvas to that of a region whose sides have the same parity."""
        sides = zip(region.start, region.stop, self.shape, strict=True)
        return tuple((start + stop - side) // 2 for start, stop, side in sides)
