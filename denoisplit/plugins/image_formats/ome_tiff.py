"""OME-TIFF files."""

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, final

import attrs
import numpy as np
import tifffile
from attrs.validators import ge, in_

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.axes import reorder, sizes_by_axis
from denoisplit.core.images.bases import Image, ImageLayout, ImageWriter, LazyArray
from denoisplit.core.images.layout import check_dtype, remark_text
from denoisplit.core.images.writing import Put, RegionWriter, copy_pieces, raw_file, spooled, write_whole
from denoisplit.plugins.image_formats._tiff_metadata import TiffFormat, stored_axes
from denoisplit.plugins.image_formats._tiff_pages import NOTE, REMARK
from denoisplit.plugins.image_formats._tiff_pixels import first_pixel

_BIG = 2**32 - 2**25
_TILE = 256
_KINDS = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64")


@final
class OmeTiff(TiffFormat):
    """TIFF with OME-XML, as Bio-Formats, QuPath and OMERO read it; files over 4 GiB become BigTIFF.

    Source: Goldberg et al., Genome Biology 2005, in the OME model of 2016-06.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of writing.

        Attributes:
            compression: ``none``, or ``zlib`` or ``zstd`` (lossless).
            pyramid: number of smaller copies to write with the image, each half as large as the one before.
        """

        compression: Literal["none", "zlib", "zstd"] = attrs.field(
            default="none", validator=in_(("none", "zlib", "zstd"))
        )
        pyramid: int = attrs.field(default=0, validator=ge(0))

    options: Options
    suffixes = (".ome.tiff", ".ome.tif", ".ome.btf")

    def write(self, path: Path, image: Image) -> None:
        """Write axes, pixel size and time increment with their units, and channel names; all or nothing."""
        if self._plain:
            copy_pieces(image, self.create(path, image.layout))
            return
        layout = image.layout
        stored = self._checked(path, layout)
        data = reorder(image.data, image.axes, stored)
        write_whole(path, lambda temporary: self._write_tiles(temporary, data, layout, stored))

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Begin a file; compressed files and pyramids are made once all regions are written."""
        stored = self._checked(path, layout)
        if not self._plain:
            return spooled(self.write, path, layout)

        @contextmanager
        def begin(temporary: Path) -> Iterator[Put]:
            sides = dict(zip(layout.axes, layout.shape, strict=True))
            shape = tuple(sides[letter] for letter in stored)
            place = tifffile.imwrite(
                temporary, shape=shape, dtype=layout.dtype, returnoffset=True, **_arguments(layout, stored)
            )
            with raw_file(temporary, shape, layout.dtype, first_pixel(place)) as put:
                yield put

        return RegionWriter(path, layout, stored=stored, begin=begin)

    @property
    def _plain(self) -> bool:
        return self.options.compression == "none" and not self.options.pyramid

    def _checked(self, path: Path, layout: ImageLayout) -> str:
        stored = stored_axes(layout, path)
        check_dtype(layout, str(path), _KINDS, "OME", "Convert them.")
        return stored

    def _write_tiles(self, path: Path, data: Any, layout: ImageLayout, stored: str) -> None:
        compression = None if self.options.compression == "none" else self.options.compression
        how: dict[str, Any] = {
            "compression": compression,
            "tile": (_TILE, _TILE),
            "photometric": "minisblack",
        }
        arguments = _arguments(layout, stored)
        file = {key: arguments.pop(key) for key in ("ome", "bigtiff")}
        with tifffile.TiffWriter(path, **file) as writer:
            levels = [_scaled(data.shape, level) for level in range(self.options.pyramid + 1)]
            for level, shape in enumerate(levels):
                top = {"subifds": len(levels) - 1, **arguments}
                extra = {"subfiletype": 1, "metadata": None} if level else top
                tiles = _tiles(data, shape, 2**level)
                writer.write(tiles, shape=shape, dtype=layout.dtype, **(extra | how))


def _scaled(shape: tuple[int, ...], level: int) -> tuple[int, ...]:
    """Return the shape of a level of the pyramid, 0 for the image itself."""
    return (*shape[:-2], *(max(1, side // 2**level) for side in shape[-2:]))


def _tiles(data: LazyArray, shape: tuple[int, ...], step: int) -> Iterator[AnyArray]:
    """Yield the tiles of a level; each pixel is the mean of ``step`` x ``step``."""
    steps = [side if smaller == 1 else step for side, smaller in zip(data.shape, shape, strict=True)]
    corners = [range(0, side, _TILE) for side in shape[-2:]]
    for index in np.ndindex(shape[:-2]):
        for corner in itertools.product(*corners):
            part = tuple(
                slice(start * by, min(start + _TILE, side) * by)
                for start, side, by in zip(corner, shape[-2:], steps[-2:], strict=True)
            )
            yield _means(np.asarray(data[(*index, *part)]), steps[-2], steps[-1])


def _arguments(layout: ImageLayout, stored: str) -> dict[str, Any]:
    """Return the arguments of tifffile besides the pixels."""
    description = f"{NOTE}={layout.axes} {REMARK}={remark_text(layout)}"
    metadata: dict[str, Any] = {"axes": stored.replace("s", "t").upper(), "Description": description}
    if layout.channel_names:
        metadata["Channel"] = {"Name": list(layout.channel_names)}
    for letter, size in sizes_by_axis(layout).items():
        metadata[f"PhysicalSize{letter.upper()}"] = size
        metadata[f"PhysicalSize{letter.upper()}Unit"] = layout.pixel_size.unit if layout.pixel_size else "µm"
    if layout.time_interval is not None:
        metadata |= {
            "TimeIncrement": layout.time_interval.value,
            "TimeIncrementUnit": layout.time_interval.unit,
        }
    size = math.prod(layout.shape) * layout.dtype.itemsize
    return {"ome": True, "bigtiff": size > _BIG, "photometric": "minisblack", "metadata": metadata}


def _means(plane: AnyArray, step_y: int, step_x: int) -> AnyArray:
    """Average blocks of pixels of a plane whose sides are multiples of the steps."""
    if step_y == step_x == 1:
        return plane
    height, width = plane.shape
    blocks = plane.reshape(height // step_y, step_y, width // step_x, step_x)
    means = blocks.mean((1, 3), dtype=np.float64)
    made: AnyArray = (np.round(means) if plane.dtype.kind in "iu" else means).astype(plane.dtype)
    return made
