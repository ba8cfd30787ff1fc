"""Augmentation: stacks upside down."""

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.augmentation import Augmentation
from denoisplit.core.validators import NoOptions


class DepthFlips(Augmentation):
    """Mirrors every other stack along z; for samples that look alike from above and below.

    Planes stay as they are.
    """

    Options = NoOptions

    choices = 2

    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        """Return the stack [k z y x] unchanged or mirrored along z."""
        return patch[:, ::-1] if choice and patch.ndim > 3 else patch
