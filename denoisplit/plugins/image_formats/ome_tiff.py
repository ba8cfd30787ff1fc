"""OME-TIFF files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, final

import attrs
import numpy as np
import tifffile
from attrs.validators import ge, in_

from denoisplit.core.images.axes import reorder, sizes_by_axis
from denoisplit.core.images.interfaces import AnyArray, Image, ImageFormat, ImageLayout, ImageWriter
from denoisplit.core.images.layout import check_dtype, remark_text
from denoisplit.core.images.writing import Put, RegionWriter, copy_pieces, raw_file, spooled, write_whole
from denoisplit.plugins.image_formats._tiff_metadata import read_tiff, stored_axes
from denoisplit.plugins.image_formats._tiff_pages import NOTE, REMARK

_BIG = 2**32 - 2**25
_TILE = 256
_KINDS = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64")


@final
class OmeTiff(ImageFormat):
    """TIFF with OME-XML, as Bio-Formats, QuPath and OMERO read it; files over 4 GiB become BigTIFF.

    Source: Goldberg et al., Genome Biology 2005; OME model 2016-06.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """How files are written.

        Attributes:
            compression: ``none``, or ``zlib`` or ``zstd`` (lossless).
            pyramid: smaller copies of the image to write beside it, each half as large as the one before.
        """

        compression: Literal["none", "zlib", "zstd"] = attrs.field(
            default="none", validator=in_(("none", "zlib", "zstd"))
        )
        pyramid: int = attrs.field(default=0, validator=ge(0))

    suffixes = (".ome.tiff", ".ome.tif", ".ome.btf")

    def __init__(self, options: Options) -> None:
        self.options = options

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Read the image of a file at its full size; several alike become an axis ``s``.

        Pixels of 256 MiB and more are read where they are asked for.

        Raises:
            ImageError: missing, truncated, unreadable, RGB or palette file, or unknown axes.
        """
        return read_tiff(path, axes)

    def write(self, path: Path, image: Image) -> None:
        """Write axes, physical size and time increment with their units, and channel names; all or nothing.

        Raises:
            ImageError: pixels that OME cannot hold, or no space.
        """
        if self._plain:
            copy_pieces(image, self.create(path, image.layout))
            return
        layout = image.layout
        stored = self._checked(path, layout)
        data = reorder(image.data, image.axes, stored)
        write_whole(path, lambda temporary: self._write_tiles(temporary, data, layout, stored))

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Begin a file; compressed files and pyramids are made when all regions are there."""
        stored = self._checked(path, layout)
        if not self._plain:
            return spooled(self, path, layout)

        @contextmanager
        def begin(temporary: Path) -> Iterator[Put]:
            sides = dict(zip(layout.axes, layout.shape, strict=True))
            shape = tuple(sides[letter] for letter in stored)
            place = tifffile.imwrite(
                temporary, shape=shape, dtype=layout.dtype, returnoffset=True, **_arguments(layout, stored)
            )
            with raw_file(temporary, shape, layout.dtype, int((place or (0,))[0])) as put:
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
            planes = (np.asarray(data[index]) for index in np.ndindex(data.shape[:-2]))
            sub = self.options.pyramid
            writer.write(planes, shape=data.shape, dtype=layout.dtype, subifds=sub, **(arguments | how))
            for level in range(1, sub + 1):
                smaller = [_smaller(np.asarray(data[i]), 2**level) for i in np.ndindex(data.shape[:-2])]
                shape = (*data.shape[:-2], *smaller[0].shape)
                writer.write(np.reshape(smaller, shape), subfiletype=1, metadata=None, **how)


def _arguments(layout: ImageLayout, stored: str) -> dict[str, Any]:
    """What tifffile needs to know besides the pixels."""
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
    size = int(np.prod(layout.shape, dtype=np.int64)) * layout.dtype.itemsize
    return {"ome": True, "bigtiff": size > _BIG, "photometric": "minisblack", "metadata": metadata}


def _smaller(plane: AnyArray, step: int) -> AnyArray:
    """Means of squares of ``step`` pixels; what is left over at the end of an axis is dropped."""
    step_y, step_x = (min(step, side) for side in plane.shape)
    height, width = (side // by * by for side, by in zip(plane.shape, (step_y, step_x), strict=True))
    cut = plane[:height, :width].reshape(height // step_y, step_y, width // step_x, step_x)
    means = cut.mean((1, 3), dtype=np.float64)
    smaller: AnyArray = (np.round(means) if plane.dtype.kind in "iu" else means).astype(plane.dtype)
    return smaller
