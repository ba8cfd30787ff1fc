"""Predictions written to a file tile by tile, so that they need not fit into memory."""

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.axes import to_canonical
from denoisplit.core.images.bases import ImageFormat, ImageLayout, ImageWriter
from denoisplit.core.images.block_walks import block_places
from denoisplit.core.images.claims import LARGE
from denoisplit.core.images.lazy import mapped
from denoisplit.core.images.scaled import WholeNumbers, require_dtype, whole_numbers
from denoisplit.core.images.writing import RegionWriter, raw_file
from denoisplit.core.prediction.files.sinks import Asked, Sink
from denoisplit.core.prediction.outputs.output_words import channels_of
from denoisplit.core.prediction.outputs.posterior import Posterior
from denoisplit.core.prediction.tiles.tiling import Tile
from denoisplit.core.storage.image_files import installed_formats, open_given, writing_format

_LOG = logging.getLogger("denoisplit.prediction")

_FLOAT: Final[np.dtype[Any]] = np.dtype(np.float32)
_WHOLE: Final[np.dtype[Any]] = np.dtype(np.uint16)


@final
class File(Sink):
    """Writes tiles to their place in a file.

    Args:
        path: file, which appears when ``stack`` ends without an error.
        dtype: type of the pixels, ``float32`` or ``uint16``.
        stack: stack of contexts that closes or discards the file.

    Raises:
        ImageError: no installed format has this ending or takes this type of pixels.
    """

    def __init__(self, path: Path, *, dtype: str, stack: ExitStack) -> None:
        require_dtype(dtype)
        self.path: Path = path
        self._format = writing_format(path, installed_formats())
        self._whole, self._stack = dtype == _WHOLE, stack
        self._asked: Asked | None = None
        self._layout: ImageLayout | None = None
        self._images: Mapping[str, AnyArray] = {}
        self._rounding: _Rounding | None = None

    def begin(self, asked: Asked) -> None:
        """Remember the request; the file is made with the first tile, which tells which images there are."""
        self._asked = asked

    def put(self, number: int, tile: Tile, posterior: Posterior) -> None:
        """Write all images of a tile."""
        asked = self._known()
        made = asked.made(posterior)
        if self._layout is None:
            self._open(asked, made)
        pixels = np.concatenate(list(made.values())).astype(np.float32, copy=False)
        self._writer.write(asked.place(number, tile, len(pixels)), asked.turned(pixels))

    @property
    def layout(self) -> ImageLayout:
        """Layout of the images in the file."""
        if self._layout is None:
            raise ValueError("nothing was predicted")
        return self._layout

    @property
    def images(self) -> Mapping[str, AnyArray]:
        """The images in the file, read on demand."""
        return self._images

    usual = images

    @property
    def whole(self) -> WholeNumbers | None:
        """How counts are stored as whole numbers, once the file is complete; None for float32."""
        return None if self._rounding is None else self._rounding.whole

    def _open(self, asked: Asked, made: Mapping[str, AnyArray]) -> None:
        self._layout = asked.layout(made, _FLOAT)
        self._images = _Written(self.path, {n: len(channels_of(n, asked.channels)) for n in made})
        held = math.prod(self._layout.shape) * _FLOAT.itemsize
        if type(self._format).create is ImageFormat.create and held > LARGE:
            _LOG.warning(
                "%s: this format is written whole, so all of the result (%.1f GiB) has to fit into memory in "
                "the end; others, such as .ome.zarr, are written piece by piece",
                self.path,
                held / 2**30,
            )
        self._rounding = _Rounding(self.path, self._format, self._layout) if self._whole else None
        writer = self._rounding or self._format.create(self.path, self._layout)
        self._writer: ImageWriter = self._stack.enter_context(writer)

    def _known(self) -> Asked:
        if self._asked is None:
            raise ValueError("there is no image yet. Call begin first.")
        return self._asked


@final
class _Written(Mapping[str, AnyArray]):
    """Images in a file by name, with the number of channels of each."""

    def __init__(self, path: Path, channels: Mapping[str, int]) -> None:
        self._path, self._channels = path, channels

    def __getitem__(self, name: str) -> AnyArray:
        before = list(self._channels).index(name) if name in self._channels else None
        if before is None:
            raise KeyError(name)
        first = sum(list(self._channels.values())[:before])
        image = to_canonical(open_given(self._path, None))
        part = slice(first, first + self._channels[name])
        pixels: AnyArray = np.asarray(
            image.data[tuple(part if a == "c" else slice(None) for a in image.axes)]
        )
        if (scale := image.intensity_scale) is not None:
            shape = [-1 if a == "c" else 1 for a in image.axes]
            factor, offset = (np.reshape(numbers[part], shape) for numbers in (scale.factor, scale.offset))
            pixels = pixels * factor + offset
        return pixels.astype(_FLOAT, copy=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self._channels)

    def __len__(self) -> int:
        return len(self._channels)


@final
class _Rounding(ImageWriter):
    """Writes float32 to a temporary file, then uint16 to ``path`` when the largest count is known.

    Attributes:
        whole: how counts are stored, once the file is complete.
    """

    def __init__(self, path: Path, chosen: ImageFormat, layout: ImageLayout) -> None:
        self._path, self._format, self._layout = path, chosen, layout
        self.whole: WholeNumbers | None = None
        self._channel = layout.axes.index("c")
        count = layout.shape[self._channel]
        self._lowest, self._highest = np.full(count, np.inf), np.full(count, -np.inf)
        self._raw = RegionWriter(
            path,
            layout,
            stored=layout.axes,
            begin=lambda raw: raw_file(raw, layout.shape, layout.dtype),
            complete=self._complete,
            replaceable=lambda _: True,
        )

    def write(self, region: tuple[slice, ...], pixels: AnyArray) -> None:
        """Keep the pixels, and the smallest and largest of every channel."""
        others = tuple(axis for axis in range(pixels.ndim) if axis != self._channel)
        channels = region[self._channel]
        # NaN has to survive as NaN, to be refused at the end.
        self._lowest[channels] = np.minimum(self._lowest[channels], pixels.min(axis=others))
        self._highest[channels] = np.maximum(self._highest[channels], pixels.max(axis=others))
        self._raw.write(region, pixels)

    def finish(self) -> None:
        """Write the rounded pixels."""
        self._raw.finish()

    def discard(self) -> None:
        """Drop the temporary file."""
        self._raw.discard()

    def _complete(self, raw: Path, path: Path) -> None:
        layout = self._layout
        whole = whole_numbers(
            self._lowest.tolist(), self._highest.tolist(), layout.channel_names, "prediction"
        )
        data = mapped(raw, shape=layout.shape, dtype=layout.dtype, where=str(path))
        scale = whole.scale(layout.shape[self._channel])
        with self._format.create(path, attrs.evolve(layout, dtype=_WHOLE, intensity_scale=scale)) as writer:
            for region in block_places(layout.shape):
                writer.write(region, whole.of(data[region]))
        self.whole = whole
