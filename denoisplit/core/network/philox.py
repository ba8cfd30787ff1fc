"""Counter-based random words: each belongs to a key and a place, and is computed independently of the others.

Philox 4x64-10 makes four words of 64 bits from a key (seed, number) and a counter (running number; purpose,
level and z; y; x). On a processor they come from numpy, whose raw stream is fixed; other devices compute the
same words with integer operations of torch.

Source: Salmon et al., SC 2011.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from itertools import product
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

WORDS: Final = 8
"""Words of 32 bits per counter, the lower half of each 64 first."""

_ROUNDS: Final = 10
_MULTIPLIERS: Final = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_KEY_STEPS: Final = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_LOW: Final = 0xFFFF_FFFF

Stream = tuple[int, int, int, int]
"""Number, z, y, x of a stream."""
Run = tuple[Stream, range]
"""A stream, and a range of its running numbers, which begin with 0."""


class Purpose(IntEnum):
    """Use of words. No two uses share words; numbers never change."""

    FIELD = 0
    LATENT = 1
    DROPOUT = 2


@attrs.frozen(kw_only=True)
class Streams:
    """Endless streams of words, one for every number and place, in the order of ``shape``.

    Attributes:
        seed: 0 to 2**64 - 1.
        purpose: use of the words.
        numbers: numbers of steps or samples.
        level: level of the hierarchy, 0 = finest; below 2**24.
        z, y, x: places; for a step, ``y`` is the number in the batch.
    """

    seed: int = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.lt(2**64)])
    purpose: Purpose
    numbers: range
    level: int = attrs.field(default=0, validator=[attrs.validators.ge(0), attrs.validators.lt(2**24)])
    z: range = range(1)
    y: range = range(1)
    x: range = range(1)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of numbers, z, y and x."""
        return len(self.numbers), len(self.z), len(self.y), len(self.x)

    @property
    def first_word(self) -> int:
        """First word of the counter, at z = 0."""
        return self.purpose << 56 | self.level << 32

    def each(self) -> Iterator[Stream]:
        """Yield all streams, one by one."""
        return product(self.numbers, self.z, self.y, self.x)


def raw_words(streams: Streams, runs: Iterable[Run]) -> npt.NDArray[np.int32]:
    """Words of some of the streams, one after the other, made by numpy.

    Returns:
        [8 * running numbers], bits.
    """
    philox: Any = np.random.Philox(0)
    state, place = philox.state, philox.state["state"]
    parts = []
    for (number, z, y, x), counters in runs:
        place["counter"] = np.array(
            [counters.start, streams.first_word | z & _LOW, _unsigned(y), _unsigned(x)], np.uint64
        )
        place["key"] = np.array([streams.seed, _unsigned(number)], np.uint64)
        philox.state = {**state, "state": place}
        parts.append(philox.random_raw(WORDS // 2 * len(counters)))
    whole: npt.NDArray[np.uint64] = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return whole.astype("<u8", copy=False).view(np.int32)


def computed_words(streams: Streams, counters: int, device: torch.device) -> Tensor:
    """The first words of every stream, on any device with integers of 64 bits.

    Returns:
        [numbers z y x, 8 * counters] with an axis for each of the first four, int32: bits, not amounts.
    """
    number, z, y, x = (
        torch.arange(part.start, part.stop, device=device).view(-1, *[1] * (4 - axis))
        for axis, part in enumerate((streams.numbers, streams.z, streams.y, streams.x))
    )
    running = torch.arange(1, counters + 1, device=device)  # numpy increments before it makes words
    counter = (running, (z & _LOW) | streams.first_word, y, x)
    seed = streams.seed
    for _ in range(_ROUNDS):
        high_0, low_0 = _product(counter[0], _MULTIPLIERS[0])
        high_2, low_2 = _product(counter[2], _MULTIPLIERS[1])
        counter = (high_2 ^ counter[1] ^ _signed(seed), low_2, high_0 ^ counter[3] ^ number, low_0)
        seed, number = seed + _KEY_STEPS[0], number + _signed(_KEY_STEPS[1])
    whole = [part.expand(*streams.shape, counters) for part in counter]
    return torch.stack(whole, dim=-1).view(torch.int32).flatten(-2)


def _product(word: Tensor, by: int) -> tuple[Tensor, Tensor]:
    """Upper and lower 64 bits of the product of unsigned numbers, from halves of 32 bits."""
    low, high = word & _LOW, _upper(word)
    by_low, by_high = by & _LOW, by >> 32
    middle = high * by_low + _upper(low * by_low)
    other = low * by_high + (middle & _LOW)
    return high * by_high + _upper(middle) + _upper(other), word * _signed(by)


def _upper(word: Tensor) -> Tensor:
    return (word >> 32) & _LOW


def _unsigned(number: int) -> int:
    """Two's complement in 64 bits."""
    return number & 0xFFFF_FFFF_FFFF_FFFF


def _signed(number: int) -> int:
    """The signed number of torch with the same 64 bits."""
    number = _unsigned(number)
    return number - (1 << 64) if number >> 63 else number
