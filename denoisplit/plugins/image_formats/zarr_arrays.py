"""Plain Zarr arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import attrs
from attrs.validators import ge

from denoisplit.core.images.bases import ImageLayout
from denoisplit.core.images.layout import remark
from denoisplit.core.images.writing import Begin, Put
from denoisplit.plugins.image_formats._zarr_format import ZarrFormat
from denoisplit.plugins.image_formats._zarr_nodes import chunks_of


@final
class ZarrArrays(ZarrFormat):
    """One array of Zarr 2 or 3, by itself or inside a group: ``run.zarr``, ``run.zarr/raw/0``.

    Axes come from the names of the dimensions or the attribute ``axes``. OME-Zarr under such a name is read
    as OME-Zarr. Written files are Zarr 3.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of writing.

        Attributes:
            chunk: side of a chunk along y and x, pixels.
        """

        chunk: int = attrs.field(default=256, validator=ge(16))

    options: Options
    suffixes = (".zarr",)
    called = "Zarr"

    def stored_axes(self, layout: ImageLayout, where: str) -> str:
        """Return the axes of the image."""
        del where
        return layout.axes

    def begin(self, layout: ImageLayout, stored: str) -> Begin:
        """Return a function that makes the array."""
        said = remark(layout)

        @contextmanager
        def begin(temporary: Path) -> Iterator[Put]:
            import zarr

            from denoisplit.plugins.image_formats._zarr_store import settled

            with settled(temporary) as store:
                array: Any = zarr.create_array(
                    store,
                    shape=layout.shape,
                    dtype=layout.dtype,
                    chunks=chunks_of(stored, layout.shape, self.options.chunk),
                    dimension_names=list(stored),
                    attributes={**said, "denoisplit": said},
                    config={"write_empty_chunks": True},
                )
                yield array.__setitem__

        return begin
