"""Draws for every pixel of an image: each belongs to its place, or to its turn as in early versions."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Final, final

import numpy as np

from denoisplit.core.arrays import AnyArray, Float32Array, Window
from denoisplit.core.images.lazy import LazyArray, made

Draw = Callable[[Float32Array, np.random.Generator], Float32Array]
"""From pixels, in their order, to what is drawn for them; piece by piece the same as for all together."""

SEGMENT: Final = 256
"""Pixels of a row that draw from one stream; numbers are for ever."""


class Draws(ABC):
    """Draws for one image after the other."""

    @abstractmethod
    def of(self, image: LazyArray, draw: Draw) -> LazyArray:
        """What is drawn for the pixels of an image [... x], float32."""


@final
class InOrder(Draws):
    """All pixels draw from one generator, in their order, which takes them into memory."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def of(self, image: LazyArray, draw: Draw) -> LazyArray:
        """What is drawn, in memory."""
        return draw(np.asarray(image), self._rng)


@final
class ByPlace(Draws):
    """Every segment of a row draws from a stream of its own, wherever and whenever it is read.

    The streams are those of Philox 4x64-10. An image has a key; the counter is the running number, the number
    of the segment in its row, the number of the row in the image, and 0.
    """

    def __init__(self, seeds: np.random.SeedSequence) -> None:
        self._seeds = seeds

    def of(self, image: LazyArray, draw: Draw) -> LazyArray:
        """What is drawn; in memory where the image is."""
        (own,) = self._seeds.spawn(1)
        read = partial(_read, image, draw, own.generate_state(2, np.uint64))
        return made([image], read, image.shape, np.dtype(np.float32))


def _read(image: LazyArray, draw: Draw, key: AnyArray, asked: Window) -> Float32Array:
    *rows, columns = asked
    numbers = range(columns.start // SEGMENT, -(-columns.stop // SEGMENT))
    begin = numbers.start * SEGMENT
    pixels = np.asarray(image[(*rows, slice(begin, columns.stop))])
    found = np.empty(pixels.shape, np.float32)
    philox: Any = np.random.Philox(key=key)
    rng, state = np.random.Generator(philox), philox.state
    for index in np.ndindex(*found.shape[:-1]):
        place = [i + part.start for i, part in zip(index, rows, strict=True)]
        row = np.ravel_multi_index(place, image.shape[:-1])
        for number in numbers:
            state["state"]["counter"][:] = (0, number, row, 0)
            philox.state = state
            segment = (*index, slice(number * SEGMENT - begin, (number + 1) * SEGMENT - begin))
            found[segment] = draw(pixels[segment], rng)
    return found[..., columns.start - begin :]
