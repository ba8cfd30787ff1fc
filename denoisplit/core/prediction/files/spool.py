"""Finished jobs of an incomplete prediction, one file each, from which an interrupted one resumes.

The folder lies beside the result. A file gets its name only when it is complete, so any number of processes,
on any number of machines that see the folder, may add to it at the same time.
"""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, final

import attrs
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError, RunError
from denoisplit.core.images.bases import LazyArray
from denoisplit.core.images.block_walks import blocks
from denoisplit.core.prediction.samples.engine import Found
from denoisplit.core.staging import hidden
from denoisplit.core.storage.digests import NAME, ZEROS, file_hash, require_intact, sealed
from denoisplit.core.storage.image_files import file_of

TILES: Final = "tiles"
"""Among what jobs depend on: how a plane is cut up."""

_KEY: Final = "prediction.json"
_SIDE, _MEMORY = "side of a tile", "memory of a tile"
_IMAGE: Final = "image "
_FACT: Final = "fact "
_NUMBER: Final = "number"
_OURS: Final = re.compile(
    r"prediction\.json|\d{8}\.safetensors|\.\d+\.[0-9a-f]{32}|(image|labels)\.npy|\.lock"
)
_BLOCK: Final = 2**16


class OtherTilesError(RunError):
    """Finished jobs are of other tiles of the same prediction."""


@attrs.frozen
class Tiling:
    """How the tiles of a prediction were chosen.

    Attributes:
        side: side that was asked for, pixels; 0 for what fits into memory.
        memory: working memory of one tile, bytes.
    """

    side: int
    memory: int


@final
class Spool:
    """The stored jobs of one prediction."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def begun(self) -> bool:
        """Whether it is written for what the jobs are, or a job is finished."""
        return (self.folder / _KEY).exists() or any(self.folder.glob("*.safetensors"))

    def has(self, job: int) -> bool:
        """Whether a job is finished."""
        return self._file(job).is_file()

    def store(self, job: int, found: Found) -> None:
        """Store the result of a job.

        Raises:
            ImageError: it cannot be written.
        """
        arrays = {f"{_IMAGE}{name}": np.ascontiguousarray(image) for name, image in found.images.items()}
        for number, facts in enumerate(found.facts):
            arrays |= {f"{_FACT}{number} {name}": np.ascontiguousarray(fact) for name, fact in facts.items()}
        arrays[_NUMBER] = np.array(job)
        part = self.folder / f".{job}.{uuid.uuid4().hex}"
        try:
            part.write_bytes(sealed(save(arrays, metadata={NAME: ZEROS})))
            part.replace(self._file(job))
        except (OSError, SafetensorError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ImageError(
                f"{self.folder}: cannot be written (got: {reason}). Check folder and space."
            ) from error

    def load(self, job: int) -> Found | None:
        """The result of a job; None if its file is damaged or belongs to another job."""
        file = self._file(job)
        try:
            content = file.read_bytes()
            require_intact(file, content)
            arrays = load(content)
            if int(arrays[_NUMBER]) != job:
                return None
        except (OSError, RunError, SafetensorError, TypeError, ValueError, KeyError):
            return None
        images = {n.removeprefix(_IMAGE): a for n, a in arrays.items() if n.startswith(_IMAGE)}
        parts: dict[int, dict[str, AnyArray]] = {0: {}}
        for name in sorted(arrays):
            if name.startswith(_FACT):
                part, _, fact = name.removeprefix(_FACT).partition(" ")
                parts.setdefault(int(part), {})[fact] = arrays[name]
        return Found(images=images, facts=tuple(parts[number] for number in sorted(parts)))

    def remove(self) -> None:
        """Remove all jobs; files that others have put into the folder stay."""
        with suppress(OSError):
            for entry in list(self.folder.iterdir()):
                if _OURS.fullmatch(entry.name) and not entry.is_dir():
                    entry.unlink()
            self.folder.rmdir()

    def _file(self, job: int) -> Path:
        return self.folder / f"{job:08d}.safetensors"


def open_spool(out: Path, key: Mapping[str, str], tiling: Tiling, *, resume: bool) -> Spool:
    """Open the finished jobs of a prediction, or begin without any.

    Args:
        out: file of the prediction.
        key: everything that the jobs depend on, by name.
        tiling: how their tiles were chosen; see ``tiling_of``.
        resume: whether existing jobs are kept.

    Raises:
        OtherTilesError: existing jobs were to be kept, but are of other tiles of the same prediction.
        RunError: they belong to another prediction.
        ImageError: the folder cannot be written.
    """
    spool = Spool(spool_of(out))
    try:
        if not resume:
            spool.remove()
        elif spool.begun:  # shards of an array start together, and find a folder that has just been made
            _require(spool.folder, key)
        spool.folder.mkdir(parents=True, exist_ok=True)
        chosen = {_SIDE: tiling.side, _MEMORY: tiling.memory}
        if not _first(spool.folder, json.dumps({**key, **chosen}, indent=2)):
            _require(spool.folder, key)
    except OSError as error:
        reason = error.strerror or error
        raise ImageError(f"{out}: it cannot be written (got: {reason}). Check folder and space.") from error
    return spool


def _first(folder: Path, ledger: str) -> bool:
    """Write what the jobs are; False if somebody else has done so, at the same moment even."""
    part = folder / f".0.{uuid.uuid4().hex}"
    part.write_text(ledger, encoding="utf-8")
    try:
        os.link(part, folder / _KEY)
    except FileExistsError:
        return False
    except OSError:  # a file system without links: the last of those who begin at once is taken
        part.replace(folder / _KEY)
    finally:
        part.unlink(missing_ok=True)
    return True


def tiling_of(out: Path) -> Tiling | None:
    """How the tiles of the finished jobs of a prediction were chosen; None if that is not known."""
    found = _ledger(spool_of(out))
    side, memory = found.get(_SIDE), found.get(_MEMORY)
    return Tiling(side, memory) if isinstance(side, int) and isinstance(memory, int) and memory > 0 else None


def _ledger(folder: Path) -> Mapping[str, object]:
    try:
        found = json.loads((folder / _KEY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _require(folder: Path, key: Mapping[str, str]) -> None:
    """Refuse jobs of another prediction."""
    found = _ledger(folder)
    other = [name for name in key if found.get(name) != key[name]]
    if other:
        kind, first = (OtherTilesError, "Leave out --tile") if other == [TILES] else (RunError, "Remove it")
        raise kind(
            f"{folder}: holds a part of another prediction (differs in: {', '.join(other)}). "
            f"{first}, leave out --resume to start over, or choose another --out."
        )


def spool_of(out: Path) -> Path:
    """Folder of the finished jobs of a prediction, beside its file."""
    file = file_of(out)
    inside = out.name if file == out else f"{file.name}.{out.relative_to(file).as_posix().replace('/', '.')}"
    return hidden(file.with_name(inside), ".jobs")


def digest_of(*parts: object) -> str:
    """Digest of the text of some objects."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def file_states(path: Path) -> list[os.stat_result]:
    """States of the files of an image, which may lie inside a file; none where it is missing."""
    file = next(one for one in (path, *path.parents) if one.exists())
    if not file.is_dir():
        return [file.stat()]
    return [entry.stat() for entry in (file, *file.rglob("*"))] if file == path else []


def file_identity(path: Path) -> str:
    """Digest that tells states of a file or folder apart without reading all of it."""
    states = file_states(path)
    last = max((state.st_mtime_ns for state in states), default=0)
    return digest_of(os.path.realpath(path), len(states), sum(state.st_size for state in states), last)


def network_identity(weights: Path, description: Path) -> str:
    """Digest of a run: its description, and the beginning of its weights, which holds their digest."""
    with weights.open("rb") as file:
        beginning = file.read(_BLOCK)
    return digest_of(hashlib.sha256(beginning).hexdigest(), file_hash(description))


def image_identity(pixels: LazyArray) -> str:
    """Digest of the pixels of an array."""
    found = hashlib.sha256(str((pixels.shape, pixels.dtype)).encode())
    for _, block in blocks(pixels):
        found.update(np.ascontiguousarray(block).tobytes())
    return found.hexdigest()
