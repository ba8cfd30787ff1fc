"""Contents of an HDF5 file as plain values, looked up in a separate process (see ``_hdf5_child``)."""

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import letter_of
from denoisplit.core.images.claims import check_claim
from denoisplit.core.images.layout import parse_remark
from denoisplit.core.images.physical import number
from denoisplit.plugins.image_formats._hdf5_filters import check_filters

REMARK, LABELS, TAGS, SIZE_UM = "denoisplit", "DIMENSION_LABELS", "axistags", "element_size_um"

_FAILURES: Final = (LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
"""Errors that the library raises for damaged files."""

_MOST_NAMES: Final = 100_000
_MOST_STEPS: Final = 64
_LISTED: Final = 9
_PIECE: Final = 2**24
_READ_WHOLE: Final = 2**26


def contents(file: str, inside: str, path: str, other_files: bool, bare: bool) -> dict[str, Any]:
    """Describe the image of a file: its name, shape, type, chunks, and metadata from its attributes.

    All its pixels are read once if they are few, else the first and the last.

    Args:
        file: the HDF5 file.
        inside: name of the data set; empty for the only one.
        path: the path as given, for messages.
        other_files: whether pixels may be in other files.
        bare: skip the attributes.

    Raises:
        ImageError: no such image, several, or pixels in other files.
    """
    import h5py

    with h5py.File(file, "r") as opened:
        name = _only(opened, inside, Path(path), Path(file))
        found = opened[name]
        shape = tuple(int(side) for side in found.shape)
        stored = int(found.id.get_storage_size())
        if (found.external or found.is_virtual) and not other_files:
            kind = "a virtual data set" if found.is_virtual else "external storage"
            raise ImageError(
                f"{path}: the pixels of {name} lie in other files (got {kind}). "
                f"Copy them into a data set of this file."
            )
        if not (found.external or found.is_virtual):
            for sides in (shape, found.chunks or shape):
                check_claim(sides, found.dtype.itemsize, stored, path)
        said = {} if bare else _said(found)
        check_filters(found, path)
        if found.dtype.kind in "uif":
            _touch(found, shape)
        return {"name": name, "shape": shape, "dtype": found.dtype.str, "chunks": found.chunks, "said": said}


def _touch(found: Any, shape: tuple[int, ...]) -> None:
    """Read pixels, so that a file that crashes the process does so here."""
    if math.prod(shape) * found.dtype.itemsize >= _READ_WHOLE:
        found[(0,) * len(shape)], found[(-1,) * len(shape)]
        return
    rows = max(1, _PIECE * shape[0] // (math.prod(shape) * found.dtype.itemsize))
    step = -(-rows // found.chunks[0]) * found.chunks[0] if found.chunks else rows
    for row in range(0, shape[0], step):
        found[row : row + step]


def _only(opened: Any, inside: str, path: Path, file: Path) -> str:
    """Return the name of the image: the one asked for, or the only one, even if it has several names."""
    if inside and _is_image(_step(opened, opened, inside, file.parent)):
        return inside
    images = dict(_images(opened, opened, "", file.parent, set()))
    names = list(images)
    below = [name for name in names if not inside or name.startswith(f"{inside}/")]
    if len({images[name] for name in below}) == 1:
        return below[0]
    if not names:
        raise ImageError(
            f"{path}: there is no image in it (got no data set of two axes or more). Check where it is from."
        )
    listed = below or names
    what = f"there is no image {inside!r}" if inside and not below else "expected one image per file"
    raise ImageError(
        f"{path}: {what} (got the data sets {', '.join(listed[:_LISTED])}"
        f"{f' and {len(listed) - _LISTED} more' if len(listed) > _LISTED else ''}). "
        f"Name one behind the file, for example {file.name}::{max(listed, key=partial(_weight, opened))}."
    )


def _weight(opened: Any, name: str) -> tuple[bool, int]:
    """Rank how likely a data set is the image: tables are smaller, or not numbers."""
    found = opened[name]
    return found.dtype.kind in "uif", math.prod(found.shape)


def _is_image(node: Any) -> bool:
    import h5py

    return isinstance(node, h5py.Dataset) and len(node.shape or ()) >= 2


def _images(root: Any, group: Any, prefix: str, folder: Path, seen: set[Any]) -> Iterator[tuple[str, Any]]:
    """Yield names and identities of the images below a group; every group is entered once."""
    import h5py

    if _identity(group) in seen or len(seen) > _MOST_NAMES or prefix.count("/") > _MOST_STEPS:
        return
    seen.add(_identity(group))
    for key in group:
        node = _step(root, group, key, folder)
        if isinstance(node, h5py.Group):
            yield from _images(root, node, f"{prefix}{key}/", folder, seen)
        elif _is_image(node):
            yield f"{prefix}{key}", _identity(node)


def _identity(node: Any) -> tuple[Any, ...]:
    import h5py

    info = h5py.h5o.get_info(node.id)
    return info.fileno, info.addr


def _step(root: Any, group: Any, path: str, folder: Path, steps: int = 0) -> Any:
    """Follow a path step by step to an object; None where there is none.

    Raises:
        ImageError: a link leads out of the folder of the file.
    """
    import h5py

    node = root if path.startswith("/") else group
    for part in PurePosixPath(path).parts:
        if part == "/":
            continue
        if not isinstance(node, h5py.Group) or steps > _MOST_STEPS:
            return None
        link = node.get(part, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            target = (folder / link.filename).resolve()
            if not target.is_relative_to(folder.resolve()):
                raise ImageError(
                    f"{folder / root.file.filename}: {part} lies in another folder (got the link "
                    f"{link.filename}). Open that file, or move it here."
                )
            node = node.get(part) if target.is_file() else None
        elif isinstance(link, h5py.SoftLink):
            node = _step(root, node, link.path, folder, steps + 1)
        else:
            node = node.get(part)
    return node


def _said(found: Any) -> dict[str, Any]:
    """Read metadata from the attributes of a data set, under the keys of our remark; skip broken ones."""
    said: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for key in (LABELS, TAGS, SIZE_UM, REMARK):
        with suppress(Exception):  # a damaged attribute must not keep pixels from being read
            attributes[key] = found.attrs[key]
    labels = [_text(label) for label in np.ravel(attributes.get(LABELS, ()))]
    if any(labels):
        said["axes"] = "".join(map(letter_of, labels))
    tags = parse_remark(_text(attributes.get(TAGS, ""))).get("axes", ())
    if isinstance(tags, list) and tags:
        said["axes"] = "".join(letter_of(a.get("key") if isinstance(a, dict) else a) for a in tags)
    said[SIZE_UM] = [number(size) for size in np.ravel(attributes.get(SIZE_UM, ()))]
    return said | parse_remark(_text(attributes.get(REMARK, "")))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def answer(question: str) -> str:
    """Answer a question, both in JSON: with the contents, or the reason why there are none."""
    try:
        return json.dumps({"found": contents(**json.loads(question))})
    except ImageError as error:
        return json.dumps({"refused": str(error)})
    except _FAILURES as error:
        return json.dumps({"unreadable": f"{error}"})
