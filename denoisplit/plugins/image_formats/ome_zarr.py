"""OME-Zarr images, versions 0.4 and 0.5."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, final

import attrs
import numpy as np
from attrs.validators import ge, in_

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.images.bases import ImageLayout
from denoisplit.core.images.layout import channel_count
from denoisplit.core.images.writing import Begin, Put
from denoisplit.plugins.image_formats._channel_ranges import ChannelRanges
from denoisplit.plugins.image_formats._ome_zarr_metadata import metadata, stored_axes
from denoisplit.plugins.image_formats._zarr_format import ZarrFormat
from denoisplit.plugins.image_formats._zarr_nodes import chunks_of

_ENOUGH: Final = 512
"""Side in pixels at which an image needs no smaller copy."""


@final
class OmeZarr(ZarrFormat):
    """Multiscale images in the layout of OME-NGFF, with channel names for OMERO.

    Plates, wells and collections whose images are alike are read with their positions as an axis ``s``;
    ``plate.ome.zarr/A/1/0`` selects one.

    Source: Moore et al., Nature Methods 2021, OME-NGFF 0.4 and 0.5.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of writing.

        Attributes:
            version: version of OME-NGFF; ``0.4`` is Zarr 2, ``0.5`` is Zarr 3.
            chunk: side of a chunk along y and x, pixels.
            shard: side of a shard, in chunks, which share a file; 1 for a file per chunk. Version 0.5 only.
        """

        version: Literal["0.4", "0.5"] = attrs.field(default="0.5", validator=in_(("0.4", "0.5")))
        chunk: int = attrs.field(default=256, validator=ge(16))
        shard: int = attrs.field(default=4, validator=ge(1))

    options: Options
    suffixes = (".ome.zarr",)
    called = "OME-Zarr"

    def stored_axes(self, layout: ImageLayout, where: str) -> str:
        """Return the axes of the image in the order of OME-NGFF."""
        return stored_axes(layout, where)

    def begin(self, layout: ImageLayout, stored: str) -> Begin:
        """Return a function that makes all scales; the smaller ones are computed at the end."""
        sides = dict(zip(layout.axes, layout.shape, strict=True))
        shape = tuple(sides[letter] for letter in stored)

        @contextmanager
        def begin(temporary: Path) -> Iterator[Put]:
            import zarr

            from denoisplit.plugins.image_formats._zarr_store import settled

            two = self.options.version == "0.4"
            with settled(temporary) as store:
                group: Any = zarr.open_group(store, mode="w", zarr_format=2 if two else 3)
                arrays = [
                    self._array(group, str(level), stored, smaller, layout)
                    for level, smaller in enumerate(_scales(shape))
                ]
                ranges = ChannelRanges(channel_count(layout.axes, layout.shape), stored)

                def put(region: Window, pixels: AnyArray) -> None:
                    arrays[0][region] = pixels

                yield ranges.watching(put)
                for larger, smaller in itertools.pairwise(arrays):
                    _shrink(larger, smaller, self.options.chunk * self.options.shard)
                steps = [{a: float(2**level) for a in "yx"} for level in range(len(arrays))]
                said = metadata(layout, stored, steps, self.options.version, ranges.bounds())
                group.attrs.update(said)

        return begin

    def _array(self, group: Any, name: str, stored: str, shape: tuple[int, ...], layout: ImageLayout) -> Any:
        chunks = chunks_of(stored, shape, self.options.chunk)
        how: dict[str, Any] = {"chunks": chunks, "config": {"write_empty_chunks": True}}
        if self.options.version == "0.4":
            how["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
        else:
            how["dimension_names"] = list(stored.replace("s", "t"))
            shards = tuple(
                min(self.options.shard, -(-side // chunk)) * chunk if letter in "yx" else chunk
                for letter, side, chunk in zip(stored, shape, chunks, strict=True)
            )
            how |= {"shards": shards} if shards != chunks else {}
        return group.create_array(name, shape=shape, dtype=layout.dtype, **how)


def _scales(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shapes of the scales: y and x halve until they are small."""
    scales = [shape]
    while max(scales[-1][-2:]) > _ENOUGH and min(scales[-1][-2:]) > 1:
        *rest, height, width = scales[-1]
        scales.append((*rest, height // 2, width // 2))
    return scales


def _shrink(larger: Any, smaller: Any, rows: int) -> None:
    """Average 2 x 2 pixels, a row of shards at a time; a last odd row or column is left out."""
    *leading, height, width = smaller.shape
    for index in np.ndindex(*leading):
        for start in range(0, height, rows):
            stop = min(start + rows, height)
            found = np.asarray(larger[(*index, slice(2 * start, 2 * stop), slice(0, 2 * width))])
            means = found.reshape(stop - start, 2, width, 2).mean((1, 3), dtype=np.float64)
            rounded = np.round(means) if smaller.dtype.kind in "iu" else means
            smaller[(*index, slice(start, stop), slice(None))] = rounded.astype(smaller.dtype)
