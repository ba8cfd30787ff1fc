"""Augmentation: flips and quarter turns."""

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.augmentation import Augmentation
from denoisplit.core.images.turns import TURNS, turned
from denoisplit.core.validators import NoOptions


class Flips(Augmentation):
    """The eight orientations in (y, x), each as likely; patches that are not square have four.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code.
    """

    Options = NoOptions

    choices = TURNS

    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        """Return the patch [k (z) y x] in one of the orientations."""
        return turned(patch, choice)
