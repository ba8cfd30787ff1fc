"""Recognition of file kinds by their first bytes, for messages about files with a wrong name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs


@attrs.frozen
class FileKind:
    """A kind of file.

    Attributes:
        what: name of the kind, for a message.
        advice: what to do with such a file.
        suffixes: suffixes under which it is read; empty if it is not.
    """

    what: str
    advice: str
    suffixes: tuple[str, ...] = ()


_LOSSY: Final = "Save the microscope's own pixels, for example as .tif."

_KINDS: Final = (
    (0, b"\x89PNG", FileKind("a PNG picture", "Rename it to end in .png.", (".png",))),
    (0, b"\xff\xd8\xff", FileKind("a JPEG picture, which keeps no exact pixels", _LOSSY)),
    (0, b"GIF8", FileKind("a GIF picture", _LOSSY)),
    (0, b"BM", FileKind("a BMP picture", _LOSSY)),
    (0, b"II*\x00", FileKind("TIFF", "Rename it to end in .tif.", (".tif", ".tiff", ".lsm", ".stk"))),
    (0, b"MM\x00*", FileKind("TIFF", "Rename it to end in .tif.", (".tif", ".tiff"))),
    (0, b"II+\x00", FileKind("BigTIFF", "Rename it to end in .tif.", (".tif", ".tiff"))),
    (0, b"MM\x00+", FileKind("BigTIFF", "Rename it to end in .tif.", (".tif", ".tiff"))),
    (0, b"\x89HDF", FileKind("HDF5", "Rename it to end in .h5.", (".h5", ".hdf5", ".ilp", ".ims"))),
    (0, b"\x93NUMPY", FileKind("a NumPy array", "Rename it to end in .npy.", (".npy",))),
    (0, b"PK\x03\x04", FileKind("a zip archive", "Unpack it, or rename it to .npz if it is one.", (".npz",))),
    (0, b"ZISRAWFILE", FileKind("Zeiss CZI", "Rename it to end in .czi.", (".czi",))),
    (0, b"\xda\xce\xbe\x0a", FileKind("Nikon ND2", "Rename it to end in .nd2.", (".nd2",))),
    (0, b"\x70\x00\x00\x00", FileKind("Leica LIF", "Rename it to end in .lif.", (".lif",))),
    (208, b"MAP ", FileKind("MRC", "Rename it to end in .mrc.", (".mrc", ".map", ".st", ".rec"))),
)


def wrongly_named(path: Path, suffixes: Sequence[str] = ()) -> FileKind | None:
    """Return the kind of a file if it is certain and none of ``suffixes`` belongs to it, else None."""
    try:
        with path.open("rb") as file:
            first = file.read(256)
    except OSError:
        return None
    for offset, magic, kind in _KINDS:
        if first[offset:].startswith(magic):
            known = any(suffix.endswith(mine) for suffix in suffixes for mine in kind.suffixes)
            return None if known else kind
    return None
