"""The noise field of early versions, with the numbers of NumPy's generator."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import final

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from denoisplit.core.prediction.executor import pool_of
from denoisplit.core.prediction.latents.noise_field import BLOCK_SIDE, NoiseField

Noise = npt.NDArray[np.float32]

_Piece = tuple[tuple[int, ...], tuple[slice, ...], tuple[slice, ...]]


@final
@attrs.frozen
class ZigguratField(NoiseField):
    """Blocks of numbers from ``numpy.random.Generator.standard_normal``, made on the processor.

    Source: Salmon et al., SC 2011, Philox 4x64-10 with the key (seed, sample) and the counter (running
    number, level and block z, block y, block x).
    """

    def windows(
        self, level: int, samples: Sequence[int], starts: Sequence[tuple[int, ...]], like: Tensor
    ) -> Tensor:
        """Cut windows out of the blocks that they touch, filled by as many threads as torch may use."""
        channels, shape = like.shape[1], tuple(like.shape[2:])
        out = np.empty(tuple(like.shape), dtype=np.float32)

        def fill(task: tuple[int, _Piece]) -> None:
            item, (index, there, here) = task
            block = self._block(samples[item], level, index, channels)
            out[item][:, *there] = block[:, *here]

        tasks = [(item, piece) for item, start in enumerate(starts) for piece in _pieces(start, shape)]
        with pool_of(min(len(tasks), torch.get_num_threads())) as pool:
            list(pool.map(fill, tasks))
        return torch.from_numpy(out).to(device=like.device, dtype=like.dtype)

    def _block(self, sample: int, level: int, index: tuple[int, ...], channels: int) -> Noise:
        """One block [k (z) y x]; its index along every axis may be negative."""
        side = BLOCK_SIDE[len(index)]
        z, y, x = (0,) * (3 - len(index)) + index
        counter = np.array([0, (level << 32) | (z & 0xFFFF_FFFF), _word(y), _word(x)], dtype=np.uint64)
        key = np.array([self.seed, sample], dtype=np.uint64)
        generator = np.random.Generator(np.random.Philox(counter=counter, key=key))
        return generator.standard_normal((channels, *(side,) * len(index)), dtype=np.float32)


def _word(number: int) -> int:
    """Two's complement of a signed number in 64 bits."""
    return number & 0xFFFF_FFFF_FFFF_FFFF


def _pieces(start: tuple[int, ...], shape: tuple[int, ...]) -> Iterator[_Piece]:
    """Blocks that a window touches: block index, its part of the window, its part of the block."""
    side = BLOCK_SIDE[len(shape)]
    per_axis = [range(a // side, (a + n - 1) // side + 1) for a, n in zip(start, shape, strict=True)]
    for index in product(*per_axis):
        low = [max(i * side, a) for i, a in zip(index, start, strict=True)]
        high = [min((i + 1) * side, a + n) for i, a, n in zip(index, start, shape, strict=True)]
        there = tuple(slice(p - a, q - a) for p, q, a in zip(low, high, start, strict=True))
        here = tuple(slice(p - i * side, q - i * side) for p, q, i in zip(low, high, index, strict=True))
        yield index, there, here
