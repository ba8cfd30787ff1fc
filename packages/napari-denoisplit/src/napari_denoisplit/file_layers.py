"""Layers of an image file, read by denoisplit."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_denoisplit.frame import Frame
from napari_denoisplit.layer_data import LayerData, Part, layers

if TYPE_CHECKING:
    from denoisplit.core.images.bases import Image


def file_layers(path: Path) -> "list[LayerData]":
    """Open an image of any format that denoisplit reads; large pixels are read plane by plane when shown.

    Raises:
        ImageError: it cannot be read; the message says why.
    """
    import denoisplit

    return image_layers(denoisplit.read_image(path), path.name.partition(".")[0] or path.name)


def image_layers(image: "Image", name: str) -> "list[LayerData]":
    """Layers of an opened image, in counts, one for every channel; ``name`` is for channels without one."""
    from denoisplit.core.images.axes import to_canonical

    image = to_canonical(image)
    pixels = image.data if isinstance(image.data, np.ndarray) else _on_demand(image)
    frame = Frame.of_image(image)
    if "c" not in image.axes:
        label = image.channel_names[0] if image.channel_names else name
        return layers([Part.named(label, _counts(pixels, image, 0))], frame)
    place = image.axes.index("c")
    parts = []
    for number in range(image.data.shape[place]):
        label = image.channel_names[number] if image.channel_names else f"{name} {number + 1}"
        one = pixels[(slice(None),) * place + (number,)]
        parts.append(Part.named(label, _counts(one, image, number)))
    return layers(parts, frame.without("c"))


def _on_demand(image: "Image") -> Any:
    """The pixels as a dask array of single planes; one is read at a time, as files may not be shared."""
    from dask import array

    empty = np.empty((0,) * image.data.ndim, image.data.dtype)  # else dask reads some pixels to look at
    chunks = (1,) * (image.data.ndim - 2) + tuple(image.data.shape[-2:])
    return array.from_array(image.data, chunks=chunks, lock=True, name=False, meta=empty)


def _counts(pixels: Any, image: "Image", channel: int) -> Any:
    """Pixels of a channel in counts, with the scale that the file stores for them."""
    scale = image.intensity_scale
    if scale is None:
        return pixels
    factor, offset = np.float32(scale.factor[channel]), np.float32(scale.offset[channel])
    return pixels.astype(np.float32) * factor + offset
