"""Abstract base class of augmentations: random changes of training patches."""

import abc
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import BrokenPluginError

MOST_CHOICES: Final = 2**62


class Augmentation(abc.ABC):
    """Rearrangement of the pixels of a patch, in one of ``choices`` equally likely ways.

    Counts do not change, because the noise model depends on them. For every patch a random number below
    ``choices`` is drawn, and ``apply`` gets it for everything that belongs to the patch: all channels, the
    surround at lower resolution, maps of the camera. An augmentation has no state, so that a step is the same
    in every process. One with continuous parameters has many choices and derives the parameters from the
    number.

    Nest a frozen attrs class ``Options``; the constructor takes an instance of it.

    Attributes:
        choices: number of ways to change a patch, including no change.
    """

    choices: int

    def __init__(self, options: Any) -> None:
        self.options = options

    @abc.abstractmethod
    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        """Move the pixels of a patch.

        Args:
            patch: [k (z) y x], counts; all k maps change alike. Must not be overwritten.
            choice: 0 to ``choices`` - 1.

        Returns:
            [k (z) y x] of the same shape and dtype.
        """


class Several(Augmentation):
    """Several augmentations, one after the other; a choice combines one choice of each.

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
        """Apply all augmentations in turn."""
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
    """Return the axes of an image, -2 (y) or -1 (x), that run backwards in the changed patch.

    They are found by changing patches of coordinates.

    Args:
        augmentation: the augmentation.
        choice: 0 to ``choices`` - 1.
        sides: sides of a patch along (z) y x, pixels.
    """
    # Twice the size, so that every axis has at least two pixels and thus a direction.
    shape = (*sides[:-2], 2 * sides[-2], 2 * sides[-1])
    ramps = np.indices(shape, dtype=np.float32)
    return tuple(axis for axis in (-2, -1) if _falls(augmentation.apply(ramps[axis][None], choice)))


def _falls(image: Float32Array) -> bool:
    """Whether values fall everywhere along y, or everywhere along x."""
    return any(bool((np.diff(image, axis=axis) < 0).all()) for axis in (-2, -1))
