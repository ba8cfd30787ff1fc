"""Draws for every pixel of an image that is not in memory, found again wherever pixels are read.

One generator draws for the pixels in their order, as it does for an array. Where it stood is noted at every
so many pixels, so that the draws of a region need those of a few pixels before it and no more.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import Float32Array, Window
from denoisplit.core.images.block_walks import BLOCK_PIXELS, pieces
from denoisplit.core.images.lazy import LazyArray, is_lazy, made

Draw = Callable[[Float32Array, np.random.Generator], Float32Array]
"""From pixels, in their order, to what is drawn for them; piece by piece the same as for all together."""

SEGMENT: Final = 1024
"""Pixels of a row from one note to the next."""

_WORDS: Final = 4
"""Numbers of 64 bits that Philox makes at a time."""


def drawn(image: LazyArray, draw: Draw, rng: np.random.Generator) -> LazyArray:
    """What is drawn for the pixels of an image; lazily if it is lazy, with the same draws.

    Args:
        image: [... x]; of a lazy one every pixel is read once now, and drawn for.
        draw: what to draw.
        rng: a Philox generator; where it stands afterwards does not depend on where the image is.
    """
    if not is_lazy(image):
        return draw(np.asarray(image), rng)
    read = partial(_read, image, draw, _Notes.of(image, draw, rng))
    return made([image], read, image.shape, np.dtype(np.float32))


@final
@attrs.frozen(kw_only=True, eq=False)
class _Notes:
    """Where a generator stood at the beginning of every segment of every row.

    Attributes:
        begin: its state before the first pixel.
        words: numbers of 64 bits that it had taken from there [... segment].
        half: the half of such a number that it had left to use, or -1 [... segment].
    """

    begin: dict[str, Any]
    words: npt.NDArray[np.int64]
    half: npt.NDArray[np.int64]

    @classmethod
    def of(cls, image: LazyArray, draw: Draw, rng: np.random.Generator) -> "_Notes":
        """Draw for all pixels and note where the generator stands."""
        *leading, width = image.shape
        begin: Any = rng.bit_generator.state
        first = _taken(begin)
        notes = []
        for region in pieces(leading, BLOCK_PIXELS // width):
            for row in np.asarray(image[region]).reshape(-1, width):
                for start in range(0, width, SEGMENT):
                    state: Any = rng.bit_generator.state
                    notes.append((_taken(state) - first, state["uinteger"] if state["has_uint32"] else -1))
                    draw(row[start : start + SEGMENT], rng)
        words, half = np.array(notes, np.int64).T.reshape(2, *leading, -1)
        return cls(begin=begin, words=words, half=half)

    def generator(self, place: tuple[int, ...]) -> np.random.Generator:
        """The generator at the beginning of a segment."""
        philox: Any = np.random.Philox(0)
        inner = self.begin["state"]
        blocks, words = divmod(_taken(self.begin) + int(self.words[place]), _WORDS)
        counter = inner["counter"].copy()
        counter[0] = blocks
        philox.state = {**self.begin, "state": {**inner, "counter": counter}, "buffer_pos": _WORDS}
        philox.random_raw(words, output=False)
        half = int(self.half[place])
        philox.state = {**philox.state, "has_uint32": int(half >= 0), "uinteger": max(half, 0)}
        return np.random.Generator(philox)


def _taken(state: dict[str, Any]) -> int:
    """Numbers of 64 bits that a generator had taken since its counter was 0."""
    return _WORDS * (int(state["state"]["counter"][0]) - 1) + int(state["buffer_pos"])


def _read(image: LazyArray, draw: Draw, notes: _Notes, region: Window) -> Float32Array:
    *rows, columns = region
    segment = columns.start // SEGMENT
    begin = segment * SEGMENT
    pixels = np.asarray(image[(*rows, slice(begin, columns.stop))])
    found = np.empty([part.stop - part.start for part in region], np.float32)
    for index in np.ndindex(*found.shape[:-1]):
        place = (*(i + part.start for i, part in zip(index, rows, strict=True)), segment)
        found[index] = draw(pixels[index], notes.generator(place))[columns.start - begin :]
    return found
