"""Files as other programs write them, for the conformance suites of denoisplit's image formats."""

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.images.bases import Image, IntensityScale, PixelSize, TimeInterval

_MODULES: Final = {
    "tiff": "foreign_tiff",
    "ome_tiff": "foreign_ome_tiff",
    "mrc": "foreign_mrc",
    "hdf5": "foreign_hdf5",
    "zarr": "foreign_zarr",
    "ome_zarr": "foreign_ome_zarr",
    "numpy": "foreign_numpy",
    "png": "foreign_png",
    "czi": "foreign_czi",
    "nd2": "foreign_nd2",
    "lif": "foreign_lif",
}
"""Module with ``FILES`` by the name of the format."""


@attrs.frozen(kw_only=True)
class Foreign:
    """A file, or a folder with several.

    Attributes:
        what: what is special about it.
        name: name of the file or folder.
        write: function that writes it, given its path.
        image: the image to be read; None where the file must be refused.
        inside: name of the image in the file.
        axes: axes given by the caller.
    """

    what: str
    name: str
    write: Callable[[Path], object]
    image: Image | None = None
    inside: str = ""
    axes: str | None = None


def image(
    pixels: Any,
    axes: str,
    size: tuple[float | None, ...] = (),
    *,
    names: tuple[str, ...] = (),
    interval: float | None = None,
    scale: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
) -> Image:
    """Return the image to be read; sizes in µm, times in seconds."""
    return Image(
        data=np.asarray(pixels),
        axes=axes,
        channel_names=names,
        pixel_size=PixelSize(size) if size else None,
        time_interval=None if interval is None else TimeInterval(interval, "s"),
        intensity_scale=None if scale is None else IntensityScale(*scale),
    )


def counts(*shape: int, kind: str = "uint16") -> npt.NDArray[Any]:
    """Return pixels whose planes all differ, also from themselves when rotated."""
    return np.random.default_rng(shape).integers(1, 250, shape).astype(kind)


@cache
def foreign_files(name: str) -> tuple[Foreign, ...]:
    """Return the foreign files of a format of denoisplit."""
    if name not in _MODULES:
        return ()
    found: tuple[Foreign, ...] = importlib.import_module(f"{__package__}.{_MODULES[name]}").FILES
    return found
