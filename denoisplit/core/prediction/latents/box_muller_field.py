"""The noise field that every device computes for itself, with the same numbers."""

from collections.abc import Iterator, Sequence
from itertools import groupby, product
from typing import Final, final

import attrs
import torch
from torch import Tensor

from denoisplit.core.network.normals import normals
from denoisplit.core.network.philox import Purpose, Streams
from denoisplit.core.prediction.latents.noise_field import BLOCK_SIDE, NoiseField

_FEW: Final = 1 << 20
"""Numbers of a window that are made in one go."""


@final
@attrs.frozen
class BoxMullerField(NoiseField):
    """Blocks of numbers by the package's own formula; see ``normals``.

    A block [k (z) y x] takes its numbers in order from its own stream.
    """

    def windows(
        self, level: int, samples: Sequence[int], starts: Sequence[tuple[int, ...]], like: Tensor
    ) -> Tensor:
        """Cut windows out of the blocks that they touch, all samples of one place together."""
        out = torch.empty(like.shape, device=like.device)
        for items, numbers in _runs(samples, starts):
            start = starts[items.start]
            for part in _parts(start, out[items]):
                blocks = self._blocks(level, numbers, part, like.shape[1], like.device)
                _cut(out[items], start, blocks, tuple(numbers.start for numbers in part))
        return out.to(like.dtype)

    def _blocks(
        self, level: int, numbers: range, part: tuple[range, ...], channels: int, device: torch.device
    ) -> Tensor:
        """Neighbouring blocks [n k (z) y x], joined."""
        rank = len(part)
        side = BLOCK_SIDE[rank]
        z, y, x = (range(1),) * (3 - rank) + part
        streams = Streams(seed=self.seed, purpose=Purpose.FIELD, numbers=numbers, level=level, z=z, y=y, x=x)
        found = normals(streams, channels * side**rank, device)
        found = found.view(len(numbers), *map(len, part), channels, *(side,) * rank)
        order = [axis for i in range(rank) for axis in (1 + i, 2 + rank + i)]  # block, and place in it
        size = [side * len(blocks) for blocks in part]
        return found.permute(0, 1 + rank, *order).reshape(len(numbers), channels, *size)


def _runs(samples: Sequence[int], starts: Sequence[tuple[int, ...]]) -> Iterator[tuple[slice, range]]:
    """Group batch items of one start and successive samples; yield their slice and these samples."""
    keys = [(start, sample - item) for item, (sample, start) in enumerate(zip(samples, starts, strict=True))]
    for (_, shift), group in groupby(range(len(keys)), key=keys.__getitem__):
        items = list(group)
        first, last = items[0], items[-1] + 1
        yield slice(first, last), range(first + shift, last + shift)


def _parts(start: tuple[int, ...], like: Tensor) -> Iterator[tuple[range, ...]]:
    """Group the blocks that a window touches: many on a processor row by row, to save memory, else all."""
    shape, side = like.shape[2:], BLOCK_SIDE[len(start)]
    axes = tuple(range(a // side, (a + n - 1) // side + 1) for a, n in zip(start, shape, strict=True))
    if like.device.type != "cpu" or like.numel() <= _FEW:
        yield axes
        return
    *rows, last = axes
    for index in product(*rows):
        yield (*(range(i, i + 1) for i in index), last)


def _cut(out: Tensor, start: tuple[int, ...], blocks: Tensor, first: tuple[int, ...]) -> None:
    """Copy the overlap of a window and of joined blocks, the first of which has the index ``first``."""
    side = BLOCK_SIDE[len(start)]
    here, there = [], []
    for a, n, i, m in zip(start, out.shape[2:], first, blocks.shape[2:], strict=True):
        low, high = max(a, i * side), min(a + n, i * side + m)
        there.append(slice(low - a, high - a))
        here.append(slice(low - i * side, high - i * side))
    out[:, :, *there] = blocks[:, :, *here]
