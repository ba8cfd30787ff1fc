"""Arrays in files of others: read as numpy reads them, and whatever is wrong with a file is a ValueError."""

import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.numpy_files import read_npy, read_npz
from denoisplit.plugins.noise_models.exchange import read_mixture
from denoisplit.plugins.noise_models.histogram_table import read_table

PIXELS = np.arange(12, dtype=">f4").reshape(3, 4)


def npy(array: object = PIXELS) -> bytes:
    made = io.BytesIO()
    np.save(made, np.asarray(array))
    return made.getvalue()


def header(old: bytes, new: bytes) -> bytes:
    return npy().replace(old, new.ljust(len(old)), 1)


@pytest.mark.parametrize(
    "array",
    [PIXELS, np.asfortranarray(PIXELS), np.float64(3), np.zeros((0, 4), "u1"), [True], ["ä", "b\u1234"]],
)
def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path, array: object) -> None:
    (tmp_path / "a.npy").write_bytes(npy(array))
    np.savez_compressed(tmp_path / "a.npz", one=np.asarray(array), two=PIXELS)
    for found in (read_npy(tmp_path / "a.npy"), read_npz(tmp_path / "a.npz")["one"]):
        np.testing.assert_array_equal(found, np.asarray(array), strict=True)
        found[...] = 0  # it is an array of its own
    np.testing.assert_array_equal(read_npz(tmp_path / "a.npz")["two"], PIXELS)


DAMAGED = {
    "no array": b"something else",
    "empty": b"",
    "truncated": npy()[:-1],
    "an open bracket": header(b"(3, 4)", b"((3, 4"),
    "an open line": header(b"}", b"\\"),
    "sides of text": header(b"(3, 4)", b"('3',)"),
    "a negative side": header(b"(3, 4)", b"(-3,4)"),
    "a truth value": header(b"(3, 4)", b"(True)"),
    "more than there is": header(b"(3, 4), }   ", b"(3, 4 * 10), }"),
    "a thousand million million": header(b"(3, 4), }            ", b"(3, 4000000000000000), }"),
    "objects": npy(np.array([{}], dtype=object)),
    "letters that do not exist": npy("abc").replace("b".encode("utf-32-le"), b"\0\0\x11\0"),
    "another version": b"\x93NUMPY\x09\x00" + npy()[8:],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_no_array_is_a_value_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.npy").write_bytes(DAMAGED[name])
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", DAMAGED[name])
    with pytest.raises(ValueError, match=r".+"):
        read_npy(tmp_path / "a.npy")
    with pytest.raises(ValueError, match=r".+"):
        read_npz(tmp_path / "a.npz")


def _archive(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("a.npy", npy())
    return made.getvalue()


def _directory(offset: int, value: bytes) -> bytes:
    """The archive with other bytes at a place of its directory."""
    whole = _archive()
    at = whole.index(b"PK\x01\x02") + offset
    return whole[:at] + value + whole[at + len(value) :]


ARCHIVES = {
    "a newer version of zip": _directory(6, struct.pack("<H", 255)),
    "an unknown compression": _directory(10, struct.pack("<H", 99)),
    "a password": _directory(8, struct.pack("<H", 1)),
    "a wrong checksum": _directory(16, b"\0\0\0\0"),
    "another size": _directory(20, struct.pack("<I", 3)),
    "a bomb": _directory(24, struct.pack("<I", 2**32 - 2)),
    "cut off": _archive()[:-10],
    "damaged bytes": _archive()[:45] + b"\xff" * 9 + _archive()[54:],
    "no archive": npy(),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_what_is_no_archive_is_a_value_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.npz").write_bytes(ARCHIVES[name])
    with pytest.raises(ValueError, match=r".+"):
        read_npz(tmp_path / "a.npz")


def test_a_named_pipe_is_no_array(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for read in (read_npy, read_npz):
        with pytest.raises(ValueError, match=r"pipe: not a file \(got a named pipe\)"):
            read(tmp_path / "pipe")
    for read_model in (read_table, read_mixture):
        with pytest.raises(NoiseModelError, match="got a named pipe"):
            read_model(tmp_path / "pipe")
