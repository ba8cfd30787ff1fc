"""Standard normal numbers out of random words, by a formula that is the same on every device.

Words of a stream come in chunks of ``CHUNK``. Word p of the first half of a chunk and word p of its second
half, a and b as signed numbers of 32 bits, give numbers p and p + CHUNK/2 of the chunk:

    r = sqrt(-2 ln(max(|a|, 1/4) / 2^31)),  t = b * PI / 2^31,  r cos t  and  r sin t

all in float32. Here a and b are rounded to the nearest float32, and PI is the float32 nearest to pi. Every
step but ln, cos and sin is rounded exactly, so these are taken of the same numbers on all devices.

Source: Box & Muller, Annals of Mathematical Statistics 29, 1958.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import attrs
import torch
from torch import Tensor

from denoisplit.core.network.philox import WORDS, Stream, Streams, computed_words, raw_words

CHUNK: Final = 1024
"""Numbers that are made together. Changing it changes every number."""
COUNTERS: Final = CHUNK // WORDS
"""Of a chunk."""

SHARE: Final = 2.0**-31
"""Of the unit interval, and of half a turn, per unit of a word."""
ANGLE: Final = 3.1415927410125732 * SHARE
"""Radians per unit of a word; float32 holds it."""
SMALLEST: Final = 0.25
"""In place of 0: the middle of what is rounded to it."""

_CACHED: Final = 128
"""Chunks that a processor makes at a time: what they need stays in its cache."""


def normals(streams: Streams, count: int, device: torch.device) -> Tensor:
    """The first numbers of every stream.

    Args:
        streams: which.
        count: how many of each.
        device: where they are made.

    Returns:
        [numbers z y x, count] with one axis for each of the four, float32.
    """
    chunks = -(-count // CHUNK)
    if device.type == "cpu":
        return _by_processor(streams, chunks)[..., :count]
    bits = computed_words(streams, chunks * COUNTERS, device)
    return box_muller(bits, torch.empty(bits.shape, device=device))[..., :count]


def box_muller(bits: Tensor, out: Tensor) -> Tensor:
    """As many normal numbers as there are words.

    Args:
        bits: [... n], int32, n a multiple of ``CHUNK``.
        out: where they are written, float32, of the same shape.
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


@attrs.frozen
class _Piece:
    """Some chunks of one of the streams."""

    streams: Streams
    stream: Stream
    number: int
    chunks: range

    def words(self) -> Tensor:
        counters = range(self.chunks.start * COUNTERS, self.chunks.stop * COUNTERS)
        return torch.from_numpy(raw_words(self.streams, self.stream, counters))


def _pieces(streams: Streams, chunks: int) -> Iterator[_Piece]:
    for number, stream in enumerate(streams.each()):
        for start in range(0, chunks, _CACHED):
            yield _Piece(streams, stream, number, range(start, min(start + _CACHED, chunks)))


def _by_processor(streams: Streams, chunks: int) -> Tensor:
    """Words are made by as many threads as torch may use, and numbers of them by those of torch."""
    out = torch.empty((*streams.shape, chunks * CHUNK))
    rows, pieces = out.view(-1, chunks * CHUNK), list(_pieces(streams, chunks))
    workers = min(len(pieces), torch.get_num_threads())
    if workers <= 1:
        for piece in pieces:
            _fill(rows, piece, piece.words())
        return out
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(pieces), workers):  # words of a few pieces are kept, not of all
            some = pieces[start : start + workers]
            for piece, bits in zip(some, pool.map(_Piece.words, some), strict=True):
                _fill(rows, piece, bits)
    return out


def _fill(rows: Tensor, piece: _Piece, bits: Tensor) -> None:
    box_muller(bits, rows[piece.number, piece.chunks.start * CHUNK : piece.chunks.stop * CHUNK])
