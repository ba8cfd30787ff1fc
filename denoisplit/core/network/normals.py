"""Standard normal numbers from random words, by a formula that is the same on every device.

Words of a stream come in chunks of ``CHUNK``. Word p of the first half of a chunk and word p of its second
half, a and b as signed numbers of 32 bits, give numbers p and p + CHUNK/2 of the chunk:

    r = sqrt(-2 ln(max(|a|, 1/4) / 2^31)),  t = b * PI / 2^31,  r cos t  and  r sin t

all in float32. Here a and b are rounded to the nearest float32, and PI is the float32 nearest to pi. Every
step but ln, cos and sin is exactly rounded, so all devices apply these to the same numbers.

Source: Box & Muller, Annals of Mathematical Statistics 1958.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from denoisplit.core.network.kernels import kernels_of
from denoisplit.core.network.philox import WORDS, Run, Streams, computed_words, raw_words

CHUNK: Final = 64
"""Numbers that are made together. Changing it changes every number."""
COUNTERS: Final = CHUNK // WORDS
"""Counters per chunk."""

SHARE: Final = 2.0**-31
"""Value of one unit of a word: as part of the unit interval, and of half a turn."""
ANGLE: Final = 3.1415927410125732 * SHARE
"""Radians per unit of a word; exact in float32."""
SMALLEST: Final = 0.25
"""Replaces 0: the middle of the values that are rounded to it."""

_CACHED: Final = 4096
"""Chunks that a processor makes at a time: few calls of torch, and intermediate results stay in the cache."""


def words(streams: Streams, counters: int, device: torch.device) -> Tensor:
    """The first words of every stream, by the fastest way on the device.

    For arguments and result, see ``computed_words``.
    """
    kernels = kernels_of(device)
    if kernels is not None:
        return kernels.words(streams, counters, device)
    if device.type != "cpu":
        return computed_words(streams, counters, device)
    found = raw_words(streams, ((stream, range(counters)) for stream in streams.each()))
    return torch.from_numpy(found).view(*streams.shape, -1)


def normals(streams: Streams, count: int, device: torch.device) -> Tensor:
    """The first numbers of every stream.

    Returns:
        [numbers z y x, count] with an axis for each of the first four, float32.
    """
    chunks = -(-count // CHUNK)
    if device.type == "cpu":
        return _by_processor(streams, chunks)[..., :count]
    kernels = kernels_of(device)
    if kernels is not None:
        return kernels.normals(streams, chunks, device)[..., :count]
    bits = computed_words(streams, chunks * COUNTERS, device)
    return box_muller(bits, torch.empty(bits.shape, device=device))[..., :count]


def box_muller(bits: Tensor, out: Tensor) -> Tensor:
    """Convert words to as many normal numbers.

    Args:
        bits: [... n], int32, n a multiple of ``CHUNK``.
        out: output, float32, of the same shape.
    """
    first, second = _halves(bits)
    radius = first.to(torch.float32).abs_().clamp_(min=SMALLEST).mul_(SHARE).log_().mul_(-2).sqrt_()
    angle = second.to(torch.float32).mul_(ANGLE)
    even, odd = _halves(out)
    torch.mul(angle.cos(), radius, out=even)
    torch.mul(angle.sin_(), radius, out=odd)
    return out


def _halves(chunks: Tensor) -> tuple[Tensor, Tensor]:
    both = chunks.view(*chunks.shape[:-1], -1, 2, CHUNK // 2)
    return both[..., 0, :], both[..., 1, :]


def _groups(streams: Streams, chunks: int) -> Iterator[list[Run]]:
    """Yield all chunks of all streams in order, in groups that fit the cache."""
    group, room = list[Run](), _CACHED
    for stream in streams.each():
        start = 0
        while start < chunks:
            stop = min(start + room, chunks)
            group.append((stream, range(start * COUNTERS, stop * COUNTERS)))
            start, room = stop, room - (stop - start)
            if not room:
                yield group
                group, room = [], _CACHED
    if group:
        yield group


def _by_processor(streams: Streams, chunks: int) -> Tensor:
    """Make words with as many threads as torch may use, and numbers with torch."""
    out = torch.empty((*streams.shape, chunks * CHUNK))
    groups = list(_groups(streams, chunks))
    parts = zip(torch.split(out.view(-1), _CACHED * CHUNK), _words_of(streams, groups), strict=True)
    for part, bits in parts:
        box_muller(torch.from_numpy(bits), part)
    return out


def _words_of(streams: Streams, groups: Sequence[Sequence[Run]]) -> Iterator["np.ndarray[Any, Any]"]:
    make, workers = partial(raw_words, streams), min(len(groups), torch.get_num_threads())
    if workers <= 1:
        yield from map(make, groups)
        return
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(groups), workers):  # keep the words of a few groups, not of all
            yield from pool.map(make, groups[start : start + workers])
