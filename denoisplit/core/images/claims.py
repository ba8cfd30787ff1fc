"""Checks of a file's claimed size, and of free memory and space, before any work begins."""

import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from denoisplit.core.computer_memory import total_memory
from denoisplit.core.errors import ImageError

LARGE: Final = 2**28
"""Bytes from which pixels are read piece by piece and claims are checked."""

_MOST_PER_BYTE: Final = 2**14
"""Most bytes of pixels per stored byte; images of noise have 1 to 3, empty ones 1,000."""

_ADDRESSES: Final = 2**62
_MARGIN: Final = 2**26

_SMALL: Final = 2**27
"""Bytes below which messages give sizes in MiB."""


def check_claim(shape: Sequence[int], itemsize: int, stored: int | Path, where: str) -> None:
    """Refuse an image that claims more pixels than its compressed bytes can hold.

    Args:
        shape: shape that the file claims.
        itemsize: bytes of a pixel.
        stored: number of stored bytes, or the folder that holds them.
        where: subject of the message.

    Raises:
        ImageError: a side has no pixels, or there are far more pixels than the bytes can hold.
    """
    claimed = math.prod(shape) * itemsize
    if any(side < 1 for side in shape) or claimed > _ADDRESSES:
        raise ImageError(
            f"{where}: no image has such sides (got shape {tuple(shape)}). Check where the file is from."
        )
    if claimed < LARGE:
        return
    needed = claimed // _MOST_PER_BYTE
    found = _bytes_below(stored, needed) if isinstance(stored, Path) else stored
    if found < needed:
        raise ImageError(
            f"{where}: the file claims far more pixels than it can hold (got shape {tuple(shape)} and "
            f"{found} bytes). Copy it again."
        )


def _bytes_below(folder: Path, enough: int) -> int:
    """Return the bytes of all files in a folder; counting stops at ``enough``."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            total += Path(parent, name).lstat().st_size
            if total >= enough:
                return total
    return total


def check_memory(needed: int, where: str) -> None:
    """Refuse to read more at once than fits into free memory.

    Raises:
        ImageError: there is too little memory; says how much is needed and free.
    """
    if needed < LARGE:
        return
    free = _free_memory()
    if needed + _MARGIN > free:
        raise ImageError(
            f"{where}: the pixels do not fit into memory at once ({needed / 2**30:.1f} GiB needed, got "
            f"{free / 2**30:.1f} GiB free). Read a part of them, or use a computer with more memory."
        )


def check_space(needed: int, path: Path) -> None:
    """Refuse to begin a file for which there is no space.

    Raises:
        ImageError: there is too little space; says how much is needed and free.
    """
    folder = next((parent for parent in path.absolute().parents if parent.is_dir()), Path("/"))
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ImageError(
            f"{path}: there is no space for it in {folder} ({_size(needed)} needed, got "
            f"{_size(free)} free). Make space, or write to another disk."
        )


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= _SMALL else f"{count / 2**20:.1f} MiB"


def _free_memory() -> int:
    """Return the available memory, bytes; the whole address space if the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return total_memory() or _ADDRESSES
    said = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(said.get("MemAvailable", f"{_ADDRESSES // 1024} kB").split()[0]) * 1024
