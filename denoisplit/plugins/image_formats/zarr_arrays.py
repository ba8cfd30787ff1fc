"""Plain Zarr arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import attrs
from attrs.validators import ge

from denoisplit.core.images.interfaces import Image, ImageFormat, ImageLayout, ImageWriter
from denoisplit.core.images.layout import check_dtype, check_layout, remark
from denoisplit.core.images.writing import Put, RegionWriter, copy_pieces
from denoisplit.plugins.image_formats._zarr_nodes import KINDS, chunks_of, is_zarr, open_zarr, zarr_target


@final
class ZarrArrays(ImageFormat):
    """One array of Zarr 2 or 3, by itself or inside a group: ``run.zarr``, ``run.zarr/raw/0``.

    Axes come from the names of the dimensions or the attribute ``axes``. OME-Zarr under this name is read as
    such. Written is Zarr 3.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """How arrays are written.

        Attributes:
            chunk: pixels a side along y and x that are stored together.
        """

        chunk: int = attrs.field(default=256, validator=ge(16))

    suffixes = (".zarr",)
    holds_several = True

    def __init__(self, options: Options) -> None:
        self.options = options

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Open an array; those of 256 MiB and more are read where they are asked for.

        Raises:
            ImageError: missing or unreadable array, several arrays, or unknown axes.
        """
        return open_zarr(path, axes, self.suffixes)

    def write(self, path: Path, image: Image) -> None:
        """Write one array; its folder appears whole or not at all.

        Raises:
            ImageError: pixels that are no numbers, another folder in its place, or no space.
        """
        copy_pieces(image, self.create(path, image.layout))

    def may_replace(self, path: Path) -> bool:
        """Zarr folders; any other folder may hold what nobody wants to lose."""
        return is_zarr(path)

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Begin an array whose regions are written in their place."""
        check_layout(layout, str(path))
        check_dtype(layout, str(path), KINDS, "Zarr", "Convert them.")
        said = remark(layout)

        @contextmanager
        def begin(temporary: Path) -> Iterator[Put]:
            import zarr

            array: Any = zarr.create_array(
                str(temporary),
                shape=layout.shape,
                dtype=layout.dtype,
                chunks=chunks_of(layout.axes, layout.shape, self.options.chunk),
                dimension_names=list(layout.axes),
                attributes={**said, "denoisplit": said},
                fill_value=0,
                config={"write_empty_chunks": True},
            )
            yield array.__setitem__

        target = zarr_target(path, self.suffixes)
        return RegionWriter(target, layout, stored=layout.axes, begin=begin, replaceable=is_zarr)
