"""Random draws for the pixels of an image, tied to their places, or in order as in early versions."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Final, final

import numpy as np

from denoisplit.core.arrays import AnyArray, Float32Array, Window
from denoisplit.core.images.lazy import LazyArray, made

Draw = Callable[[Float32Array, np.random.Generator], Float32Array]
"""Function from pixels, in their order, to their draws; pieces must give the same as all pixels together."""

SEGMENT: Final = 256
"""Pixels of a row that share one stream of draws; never change it, lest noise change between versions."""


class Draws(ABC):
    """Source of draws for one image after the other."""

    @abstractmethod
    def of(self, image: LazyArray, draw: Draw) -> LazyArray:
        """Return the draws for the pixels of an image [... x], float32."""


@final
class InOrder(Draws):
    """Draws from one generator for all pixels in their order, so that images are read into memory."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def of(self, image: LazyArray, draw: Draw) -> LazyArray:
        """Return the draws, in memory."""
        return draw(np.asarray(image), self._rng)


@final
class ByPlace(Draws):
    """Draws from one stream for every segment of a row, the same wherever and whenever it is read.

    The streams are those of Philox 4x64-10. Each image has its own key; the counter consists of the running
    number, the number of the segment in its row, the number of the row in the image, and 0.
    """

    def __init__(self, seeds: np.random.SeedSequence) -> None:
        self._seeds = seeds

    def of(self, image: LazyArray, draw: Draw) -> LazyArray:
        """Return the draws; in memory if the image is, else drawn when read."""
        (own,) = self._seeds.spawn(1)
        read = partial(_read, image, draw, own.generate_state(2, np.uint64))
        return made([image], read, image.shape, np.dtype(np.float32))


def _read(image: LazyArray, draw: Draw, key: AnyArray, asked: Window) -> Float32Array:
    *rows, columns = asked
    numbers = range(columns.start // SEGMENT, -(-columns.stop // SEGMENT))
    # A segment is drawn from its first pixel on even if only later ones are asked for: draws can consume a
    # varying number of random bits, so no stream can be entered in the middle.
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
