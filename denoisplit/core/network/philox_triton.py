# mypy: allow-untyped-defs, allow-incomplete-defs
# Triton compiles the source of a kernel, type annotations included.
"""Words and normal numbers on a CUDA device, each in one pass, if Triton is installed.

The same numbers as in ``philox`` and ``normals``; imported only where they are made this way.
"""

from typing import Final

import torch
import triton
import triton.language as tl
from torch import Tensor

from denoisplit.core.network.philox import WORDS, Streams

_LANES: Final = 128
"""Counters that a program processes at a time."""
_CHUNK: Final = 64
"""Numbers that are made together, as in ``normals``."""

_PLACES: Final = ("seed", "first_word", "number", "z", "y", "x", "planes", "rows", "columns")
"""Arguments that identify the streams. Triton would recompile for certain values of each."""


@triton.jit
def _words_of(running, stream, seed, first_word, number, z, y, x, planes, rows, columns):
    """Four words of 64 bits of a stream for every running number."""
    c3 = x + stream % columns
    c2 = y + stream // columns % rows
    c1 = z + stream // (columns * rows) % planes
    k1 = number + stream // (columns * rows * planes)
    zero = running * 0
    return tl.philox_impl(
        running.to(tl.uint64),
        (zero + ((c1 & 0xFFFFFFFF) | first_word)).to(tl.uint64),
        (zero + c2).to(tl.uint64),
        (zero + c3).to(tl.uint64),
        (zero + seed).to(tl.uint64),
        (zero + k1).to(tl.uint64),
    )


@triton.jit(do_not_specialize=_PLACES)
def _words(out, counters, seed, first_word, number, z, y, x, planes, rows, columns, lanes: tl.constexpr):
    """Words of ``lanes`` counters of a stream."""
    stream = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1).to(tl.int64) * lanes + tl.arange(0, lanes)
    found = _words_of(place + 1, stream, seed, first_word, number, z, y, x, planes, rows, columns)
    start = out + (stream * counters + place) * 4
    for i in tl.static_range(4):
        tl.store(start + i, found[i].to(tl.int64, bitcast=True), mask=place < counters)


@triton.jit(do_not_specialize=_PLACES)
def _normals(out, chunks, seed, first_word, number, z, y, x, planes, rows, columns, lanes: tl.constexpr):
    """Normal numbers of a stream: every lane makes those of a counter of the first half of a chunk."""
    stream = tl.program_id(0).to(tl.int64)
    lane = tl.program_id(1).to(tl.int64) * lanes + tl.arange(0, lanes)
    chunk = lane // 4
    running = 8 * chunk + lane % 4 + 1
    first = _words_of(running, stream, seed, first_word, number, z, y, x, planes, rows, columns)
    second = _words_of(running + 4, stream, seed, first_word, number, z, y, x, planes, rows, columns)
    start = out + (stream * chunks + chunk) * 64 + 8 * (lane % 4)
    for i in tl.static_range(4):
        for half in tl.static_range(2):
            a = (first[i] >> (32 * half)).to(tl.uint32).to(tl.int32, bitcast=True).to(tl.float32)
            b = (second[i] >> (32 * half)).to(tl.uint32).to(tl.int32, bitcast=True).to(tl.float32)
            radius = tl.sqrt_rn(-2.0 * tl.log(tl.maximum(tl.abs(a), 0.25) * 4.656612873077393e-10))
            angle = b * 1.462918119976564e-09
            tl.store(start + 2 * i + half, radius * tl.cos(angle), mask=chunk < chunks)
            tl.store(start + 32 + 2 * i + half, radius * tl.sin(angle), mask=chunk < chunks)


def words(streams: Streams, counters: int, device: torch.device) -> Tensor:
    """See ``normals.words``."""
    shape = streams.shape
    out = torch.empty((*shape, counters, WORDS // 2), dtype=torch.int64, device=device)
    grid = (out[..., 0, 0].numel(), triton.cdiv(counters, _LANES))
    with torch.cuda.device(out.get_device()):
        _words[grid](out, counters, *_places(streams), lanes=_LANES, enable_fp_fusion=False)
    return out.view(torch.int32).view(*shape, -1)


def normals(streams: Streams, chunks: int, device: torch.device) -> Tensor:
    """Whole chunks of the numbers of ``normals.normals``."""
    out = torch.empty((*streams.shape, chunks, _CHUNK), device=device)
    grid = (out[..., 0, 0].numel(), triton.cdiv(chunks * _CHUNK // (2 * WORDS), _LANES))
    with torch.cuda.device(out.get_device()):
        _normals[grid](out, chunks, *_places(streams), lanes=_LANES, enable_fp_fusion=False)
    return out.flatten(-2)


def _places(streams: Streams) -> tuple[int, ...]:
    """Values in the order of ``_PLACES``, as signed numbers."""
    seed = streams.seed - (1 << 64 if streams.seed >> 63 else 0)
    first = (part.start for part in (streams.numbers, streams.z, streams.y, streams.x))
    return (seed, streams.first_word, *first, *streams.shape[1:])
