"""NumPy's .npy and .npz files."""

import struct
import zipfile
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, ImageFormat
from denoisplit.core.images.derived_images import rearranged
from denoisplit.core.images.image_checks import check_numbers
from denoisplit.core.images.layout import (
    check_layout,
    check_name,
    described,
    parse_remark,
    remark_text,
    settled_axes,
)
from denoisplit.core.images.lazy import LazyArray, at_hand, is_small, mapped, reading_file
from denoisplit.core.images.writing import write_whole
from denoisplit.core.numpy_files import members, read_header, read_member
from denoisplit.core.validators import NoOptions

_DATA, _REMARK = "data", "denoisplit"

_LOCAL_HEADER: Final = struct.Struct("<26xHH")
"""Header of a member of a zip file; it ends with the lengths of the two fields that follow."""


@final
class NumpyArrays(ImageFormat):
    """``.npz`` with pixels and their metadata, and bare ``.npy`` arrays, which are only read.

    Written files have the array ``data`` and the JSON text ``denoisplit``.
    """

    Options = NoOptions

    suffixes = (".npy", ".npz")
    read_only = (".npy",)

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Read an array; those of 256 MiB and more are read lazily, unless compressed."""
        with reading_file(path, "NumPy"):
            data, said = _zipped(path) if zipfile.is_zipfile(path) else (_plain(path), {})
        check_numbers(data.dtype, str(path))
        shape = tuple(data.shape)
        known = settled_axes(axes, said, shape, str(path))
        return described(data, known, said, str(path), overridden=axes is not None)

    def write(self, path: Path, image: Image) -> None:
        """Write ``.npz`` with everything that is known of the image; all or nothing."""
        check_name(path, self.read_only, self.suffixes)
        check_layout(image.layout, str(path))
        check_numbers(image.data.dtype, str(path))

        def save(temporary: Path) -> None:
            with temporary.open("wb") as file:
                arrays: dict[str, Any] = {_DATA: np.asarray(image.data), _REMARK: remark_text(image.layout)}
                np.savez(file, **arrays)

        write_whole(path, save)


def _zipped(path: Path) -> tuple[LazyArray, dict[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        arrays = members(archive)
        said = parse_remark(str(read_member(archive, arrays[_REMARK]))) if _REMARK in arrays else {}
        images = [name for name in arrays if name != _REMARK]
        if _DATA not in images and len(images) != 1:
            raise ImageError(
                f"{path}: it is not clear which array is the image (got {', '.join(images) or 'none'}). "
                f"Name it 'data', or save it alone."
            )
        member = arrays[_DATA if _DATA in images else images[0]]
        if member.compress_type != zipfile.ZIP_STORED or is_small(member.file_size):
            return read_member(archive, member), said
    return _plain(path, _begin(path, member)), said


def _begin(path: Path, member: zipfile.ZipInfo) -> int:
    """Return where the bytes of an uncompressed member begin: after its name and extra field."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return int(member.header_offset + _LOCAL_HEADER.size + name + extra)


def _plain(path: Path, begin: int = 0) -> LazyArray:
    """Return the array of a ``.npy`` file, or of one that begins at byte ``begin`` of another file."""
    with path.open("rb") as file:
        file.seek(begin)
        shape, fortran, dtype = read_header(file)
        offset = file.tell()
    check_numbers(dtype, str(path))
    if not shape or 0 in shape:
        raise ImageError(f"{path}: an image needs pixels (got shape {shape}). Check where it is from.")
    pixels = mapped(path, shape=shape[::-1] if fortran else shape, dtype=dtype, offset=offset)
    return at_hand(rearranged(pixels, range(len(shape))[::-1]) if fortran else pixels)
