"""Latent noise as a function of place, so that a prediction does not depend on how the image was cut.

Every standard normal number belongs to (seed, sample, level, latent channel, absolute latent position).
Numbers come in blocks of a fixed size from a counter-based generator; a window is cut out of the blocks that
it touches.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.prediction.executor import pool_of

BLOCK_SIDE = {1: 1024, 2: 32, 3: 8}
"""Latent positions per axis of one block, by number of spatial axes. Changing it changes every prediction."""

Noise = npt.NDArray[np.float32]


def _word(number: int) -> int:
    """Two's complement of a signed number in 64 bits."""
    return number & 0xFFFF_FFFF_FFFF_FFFF


@attrs.frozen
class NoiseField:
    """An endless field of independent standard normal numbers.

    Attributes:
        seed: the field; 0 to 2**64 - 1.

    Source: Philox 4x64-10, Salmon et al., SC 2011, with the key (seed, sample) and the counter (running
    number, level and block z, block y, block x).
    """

    seed: int = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.lt(2**64)])

    def block(self, sample: int, level: int, index: tuple[int, ...], channels: int) -> Noise:
        """One block.

        Args:
            sample: number of the posterior sample, >= 0.
            level: level of the hierarchy, 0 = finest.
            index: block number along every spatial axis, may be negative.
            channels: latent channels; asking for more leaves the first ones as they are.

        Returns:
            [k (z) y x], float32.
        """
        side = BLOCK_SIDE[len(index)]
        z, y, x = (0,) * (3 - len(index)) + index
        counter = np.array([0, (level << 32) | (z & 0xFFFF_FFFF), _word(y), _word(x)], dtype=np.uint64)
        key = np.array([self.seed, sample], dtype=np.uint64)
        generator = np.random.Generator(np.random.Philox(counter=counter, key=key))
        return generator.standard_normal((channels, *(side,) * len(index)), dtype=np.float32)


_Piece = tuple[tuple[int, ...], tuple[slice, ...], tuple[slice, ...]]


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


@attrs.frozen
class FieldNoise(NoiseSource):
    """Noise of one batch, cut out of a noise field.

    Attributes:
        field: the field.
        samples: number of the posterior sample of every batch item.
        origins: first pixel of every batch item per spatial axis, multiples of the coarsest stride.
        level_strides: pixels per latent position of every level and spatial axis, finest level first.
    """

    field: NoiseField
    samples: Sequence[int]
    origins: Sequence[tuple[int, ...]]
    level_strides: Sequence[tuple[int, ...]]

    def normal(self, level: int, like: Tensor) -> Tensor:
        """Noise for the batch ``like`` [n k (z) y x].

        The blocks are filled by as many threads as torch may use.

        Raises:
            ValueError: another batch size than samples, or an origin between two latent positions.
        """
        _require_batch("FieldNoise", self.samples, self.origins, like)
        starts = [self._start(level, origin) for origin in self.origins]
        return _windows(self.field, level, self.samples, starts, like)

    def _start(self, level: int, origin: tuple[int, ...]) -> tuple[int, ...]:
        """Latent position of a pixel origin."""
        strides = self.level_strides[level]
        if any(o % s for o, s in zip(origin, strides, strict=True)):
            raise ValueError(
                f"FieldNoise: an origin must be a multiple of the stride {strides} of level {level} "
                f"(got {origin}). Start every tile at a multiple of the coarsest stride."
            )
        return tuple(o // s for o, s in zip(origin, strides, strict=True))


@attrs.frozen
class CentredNoise(NoiseSource):
    """Noise of one batch for latents that may cover the surround of the image: counted from its centre.

    Attributes:
        field: the field.
        samples: number of the posterior sample of every batch item.
        shifts: pixels from the centre of the image to that of every batch item per spatial axis, multiples of
            the coarsest stride.
        level_strides: pixels per latent position of every level and spatial axis, finest level first.
    """

    field: NoiseField
    samples: Sequence[int]
    shifts: Sequence[tuple[int, ...]]
    level_strides: Sequence[tuple[int, ...]]

    def normal(self, level: int, like: Tensor) -> Tensor:
        """Noise for the batch ``like`` [n k (z) y x].

        Raises:
            ValueError: another batch size than samples, or a shift between two latent positions.
        """
        _require_batch("CentredNoise", self.samples, self.shifts, like)
        strides, shape = self.level_strides[level], tuple(like.shape[2:])
        for shift in self.shifts:
            if any(pixels % s for pixels, s in zip(shift, strides, strict=True)):
                raise ValueError(
                    f"CentredNoise: a shift must be a multiple of the stride {strides} of level {level} "
                    f"(got {shift}). Place every tile whole coarsest strides from the centre."
                )
        starts = [
            tuple(pixels // s - n // 2 for pixels, s, n in zip(shift, strides, shape, strict=True))
            for shift in self.shifts
        ]
        return _windows(self.field, level, self.samples, starts, like)


def _require_batch(
    source: str, samples: Sequence[int], places: Sequence[tuple[int, ...]], like: Tensor
) -> None:
    if not len(samples) == len(places) == like.shape[0]:
        raise ValueError(
            f"{source}: {len(samples)} samples and {len(places)} places for a batch of {like.shape[0]}. "
            f"Give one of each per batch item."
        )


def _windows(
    field: NoiseField, level: int, samples: Sequence[int], starts: Sequence[tuple[int, ...]], like: Tensor
) -> Tensor:
    """One window of a field per batch item, with the shape, dtype and device of ``like``."""
    channels, shape = like.shape[1], tuple(like.shape[2:])
    out = np.empty(tuple(like.shape), dtype=np.float32)

    def fill(task: tuple[int, _Piece]) -> None:
        item, (index, there, here) = task
        block = field.block(samples[item], level, index, channels)
        out[item][:, *there] = block[:, *here]

    tasks = [(item, piece) for item, start in enumerate(starts) for piece in _pieces(start, shape)]
    with pool_of(min(len(tasks), torch.get_num_threads())) as pool:
        list(pool.map(fill, tasks))
    return torch.from_numpy(out).to(device=like.device, dtype=like.dtype)
