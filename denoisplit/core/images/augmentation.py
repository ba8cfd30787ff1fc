"""The abstract base of augmentations: patches that a training sees in more than one way."""

import abc
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import BrokenPluginError

MOST_CHOICES: Final = 2**62


class Augmentation(abc.ABC):
    """Moves the pixels of a patch, in one of ``choices`` equally likely ways.

    Counts stay as they are, for the noise model knows them. What is drawn is a number below ``choices``, and
    ``apply`` is called with it for everything that belongs to a patch alike: all channels, the surround at
    lower resolution, maps of the camera. It has no state, so that a step is the same in every process. One
    that takes parameters out of a range has many choices, and makes them from the number.

    Nest a frozen attrs class ``Options``; the constructor takes an instance of it.

    Attributes:
        choices: in how many ways a patch can be changed, staying as it is included.
    """

    choices: int

    def __init__(self, options: Any) -> None:
        self.options = options

    @abc.abstractmethod
    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        """The patch with its pixels moved.

        Args:
            patch: [k (z) y x], counts; all k maps are to change alike. Must not be overwritten.
            choice: 0 to ``choices`` - 1.

        Returns:
            [k (z) y x] of the same shape.
        """


class Several(Augmentation):
    """Some augmentations, one after the other; a choice of all is a choice of each.

    Raises:
        BrokenPluginError: there are more choices than can be numbered.
    """

    def __init__(self, parts: Sequence[Augmentation]) -> None:
        super().__init__(None)
        self.parts = tuple(parts)
        self.choices = 1
        for part in self.parts:
            self.choices *= int(part.choices)
        if self.choices > MOST_CHOICES:
            raise BrokenPluginError(
                f"training.augmentations: too many choices together (got {self.choices:.3g}). Name fewer."
            )

    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        """The patch after all of them."""
        for part, own in self._split(choice):
            patch = part.apply(patch, own)
        return patch

    def _split(self, choice: int) -> list[tuple[Augmentation, int]]:
        split = []
        for part in self.parts:
            choice, own = divmod(choice, int(part.choices))
            split.append((part, own))
        return split


def backward_axes(augmentation: Augmentation, choice: int, sides: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of an image, of -2 (y) and -1 (x), that run backwards in the changed patch.

    They are found by looking at what becomes of coordinates.

    Args:
        augmentation: what changes it.
        choice: 0 to ``choices`` - 1.
        sides: of a patch along (z) y x, pixels.
    """
    # Twice as wide, so that there is a direction in every patch.
    shape = (*sides[:-2], 2 * sides[-2], 2 * sides[-1])
    ramps = np.indices(shape, dtype=np.float32)
    return tuple(axis for axis in (-2, -1) if _falls(augmentation.apply(ramps[axis][None], choice)))


def _falls(image: Float32Array) -> bool:
    """Whether an image falls along y or along x, everywhere."""
    return any(bool((np.diff(image, axis=axis) < 0).all()) for axis in (-2, -1))
