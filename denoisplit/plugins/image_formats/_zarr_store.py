"""Folders of Zarr chunks: one that notices truncated chunks, and one that knows when all are written."""

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from typing import Any, Final, Self, final

from zarr.abc.store import ByteRequest, RangeByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore, WrapperStore

from denoisplit.core.errors import ImageError

_BLOSC_HEADER: Final = struct.Struct("<12xI")
"""Header of a Blosc chunk; its last number is the size of the chunk with header, bytes."""


@final
class CheckedStore(WrapperStore[LocalStore]):
    """Files of chunks, for reading only.

    Blosc reads past the end of a truncated chunk and returns whatever is there; an empty shard counts as one
    without chunks.

    Args:
        store: the folder.
        blosc: whether the chunks were compressed with Blosc.
    """

    def __init__(self, store: LocalStore, blosc: bool) -> None:
        super().__init__(store)
        self._blosc = blosc

    def _with_store(self, store: LocalStore) -> Self:
        return type(self)(store, self._blosc)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Read what is stored under a key.

        Raises:
            ImageError: the chunk is truncated.
        """
        found = await super().get(key, prototype, byte_range)
        if found is None:
            return None
        needed = 1
        if isinstance(byte_range, RangeByteRequest):
            needed = byte_range.end - byte_range.start
        elif byte_range is None and self._blosc and not key.endswith(_METADATA):
            head = found.to_bytes()[: _BLOSC_HEADER.size]
            needed = _BLOSC_HEADER.unpack(head)[0] if len(head) == _BLOSC_HEADER.size else _BLOSC_HEADER.size
        if len(found) < needed:
            raise ImageError(
                f"{self._store.root / key}: the chunk is truncated (got {len(found)} bytes of {needed}). "
                f"Copy it again."
            )
        return found


_METADATA: Final = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")


def checked(array: Any, store: str) -> Any:
    """Return the same array, with its chunks checked where their codec does not check them."""
    import zarr

    codecs = [*(array.filters or ()), *(array.compressors or ())]
    blosc = bool(codecs) and type(codecs[-1]).__name__ in ("Blosc", "BloscCodec") and not array.shards
    if not (blosc or array.shards):
        return array
    files = CheckedStore(LocalStore(store, read_only=True), blosc)
    return zarr.open_array(files, path=array.path, mode="r", zarr_format=array.metadata.zarr_format)


@final
class _SettlingStore(LocalStore):
    """Files of chunks, for writing.

    Zarr writes chunks at the same time, and returns from the first error or an interruption while others are
    still being written: what removes the folder then finds it made again.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._changed, self._writing, self._settled = Condition(), 0, False

    async def set(self, key: str, value: Buffer) -> None:
        """Write what is stored under a key."""
        with self._changed:
            if self._settled:
                raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED), str(self.root / key))
            self._writing += 1
        try:
            await super().set(key, value)
        finally:
            with self._changed:
                self._writing -= 1
                self._changed.notify_all()

    def settle(self) -> None:
        """Refuse further chunks, and wait for those that are being written."""
        with self._changed:
            self._settled = True
            self._changed.wait_for(lambda: self._writing == 0)


@contextmanager
def settled(path: Path) -> Iterator[LocalStore]:
    """Open a folder of chunks for writing; nothing is written to it any more when the block ends."""
    store = _SettlingStore(path)
    try:
        yield store
    finally:
        store.settle()
