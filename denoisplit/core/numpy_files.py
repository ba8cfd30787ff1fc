"""Foreign .npy and .npz files: any fault in them is a ValueError, and no code in them is run."""

import io
import math
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.claims import check_claim
from denoisplit.core.special_files import special_file

_MEMBER: Final = ".npy"


def read_npy(path: Path) -> AnyArray:
    """Read the array in a .npy file.

    Raises:
        OSError: the file cannot be read.
        ValueError: not such a file, truncated, or with Python objects.
    """
    with _one_kind_of_error(), _opened(path) as file:
        return _array(file, path.stat().st_size)


def read_npz(path: Path) -> Mapping[str, AnyArray]:
    """Read all arrays in a .npz file, by name.

    Raises:
        OSError, ValueError: see ``read_npy``.
    """
    with _one_kind_of_error(), _opened(path) as file, zipfile.ZipFile(file) as archive:
        return {name: read_member(archive, member) for name, member in members(archive).items()}


def _opened(path: Path) -> IO[bytes]:
    if problem := special_file(path):
        raise ValueError(problem)
    return path.open("rb")


def members(archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    """The arrays of an archive by name."""
    return {member.filename.removesuffix(_MEMBER): member for member in archive.infolist()}


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> AnyArray:
    """Read an array in an archive.

    Raises:
        OSError, ValueError: see ``read_npy``.
    """
    with _one_kind_of_error():
        # No more is unpacked than the stored bytes can stand for.
        check_claim((max(member.file_size, 1),), 1, member.compress_size, member.filename)
        with archive.open(member) as stream:
            return _array(io.BytesIO(stream.read()), member.file_size)


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape of the array that begins here, whether its first axis is fastest, and its type.

    Raises:
        ValueError: no array begins here.
    """
    with _one_kind_of_error():
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if any(isinstance(side, bool) or side < 0 for side in shape):
            raise ValueError(f"no array has such sides (got shape {shape})")
        return shape, bool(fortran), dtype


def _array(file: IO[bytes], size: int) -> AnyArray:
    shape, fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not loaded because they could run any code")
    needed = math.prod(shape) * dtype.itemsize
    if needed > size - file.tell():
        raise ValueError(f"the array is truncated (got {size - file.tell()} bytes of {needed})")
    content = file.read(needed)
    if dtype.kind == "U":
        letters = np.frombuffer(content, np.dtype("u4").newbyteorder(dtype.byteorder))
        if (letters > sys.maxunicode).any():  # Python accepts them, but fails at the first use
            raise ValueError("the text has characters that do not exist")
    flat = np.frombuffer(content, dtype, math.prod(shape))
    return flat.reshape(shape[::-1]).T.copy() if fortran else flat.reshape(shape).copy()


@contextmanager
def _one_kind_of_error() -> Iterator[None]:
    """Turn all errors but OSError into ValueErrors, as headers are parsed as Python and archives vary."""
    try:
        yield
    except (OSError, ValueError):
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error
