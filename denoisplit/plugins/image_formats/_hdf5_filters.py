"""Compression filters of HDF5 files that do not come with h5py."""

import functools
import importlib
from contextlib import suppress
from typing import Any, Final

from denoisplit.core.errors import ImageError

_PACKAGED: Final = {
    307: "bzip2",
    32001: "Blosc",
    32004: "LZ4",
    32008: "Bitshuffle",
    32013: "ZFP",
    32015: "Zstandard",
    32017: "SZ",
    32018: "FCIDecomp",
    32024: "SZ3",
    32026: "Blosc2",
    32028: "SPERR",
}
"""Filters of the package hdf5plugin, by number."""


@functools.cache
def use_installed() -> None:
    """Register the filters of the package hdf5plugin with h5py where it is installed."""
    with suppress(ImportError):
        importlib.import_module("hdf5plugin")


def check_filters(found: Any, where: str) -> None:
    """Check that the pixels of a data set can be decompressed here.

    Raises:
        ImageError: a filter is missing; says what to install.
    """
    from h5py import h5z

    properties = found.id.get_create_plist()
    for index in range(properties.get_nfilters()):
        code, _, _, name = properties.get_filter(index)
        if h5z.filter_avail(code):
            continue
        use_installed()
        if h5z.filter_avail(code):
            continue
        called = _PACKAGED.get(code) or name.decode("utf-8", "replace").strip("\0") or "without a name"
        advice = (
            "Install it with: pip install hdf5plugin"
            if code in _PACKAGED
            else "Save the image without it, or with gzip"
        )
        raise ImageError(
            f"{where}: the filter that its pixels are compressed with is missing (got {called}, number "
            f"{code}). {advice}."
        )
