"""Augmentation of a training, from its spec; tried once before the training."""

from typing import Final

import numpy as np

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import BrokenPluginError, DenoisplitError
from denoisplit.core.images.augmentation import MOST_CHOICES, Augmentation, Several
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import Chosen, TrainingSpec

FLIPS: Final = "denoisplit/flips"
"""Augmentation of ``augment: true``."""

_MAPS: Final = 2


def augmentation_of(spec: TrainingSpec, patch: tuple[int, ...]) -> Augmentation | None:
    """Build the augmentation of a training; None if it has none.

    Args:
        spec: the training.
        patch: sides of a patch along (z) y x, pixels.

    Raises:
        BrokenPluginError: an augmentation fails on such a patch, or gives another shape.
    """
    wanted = list(spec.augmentations)
    if spec.augment:
        row = installed_registry().find("augmentation", FLIPS)
        wanted.insert(0, Chosen(component=row, options=row.load().Options()))
    parts = [_tried(one, patch) for one in wanted]
    return parts[0] if len(parts) == 1 else Several(parts) if parts else None


def _tried(chosen: Chosen, patch: tuple[int, ...]) -> Augmentation:
    """Build a component and try it on a patch."""
    where = f"{chosen.component.kind} {chosen.component.qualified}"
    try:
        made: Augmentation = chosen.build()
        choices = int(made.choices)
        if not 1 <= choices <= MOST_CHOICES:
            raise BrokenPluginError(
                f"{where}: has to have 1 to 2^62 choices (got {made.choices}). Repair it, or leave it out."
            )
        whole = _Whole(where, made)
        for choice in {0, choices - 1}:
            whole.apply(np.zeros((_MAPS, *patch), dtype=np.float32), choice)
    except DenoisplitError:
        raise
    except Exception as error:
        raise BrokenPluginError(
            f"{where}: fails on a patch of {'x'.join(map(str, patch))} ({type(error).__name__}: "
            f"{' '.join(str(error).split())}). Repair it, or leave it out."
        ) from error
    return whole


class _Whole(Augmentation):
    """An augmentation that keeps the shape of patches."""

    def __init__(self, where: str, inner: Augmentation) -> None:
        super().__init__(None)
        self.where, self.inner = where, inner
        self.choices = int(inner.choices)

    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        """Augment a patch.

        Raises:
            BrokenPluginError: the result has another shape.
        """
        found = self.inner.apply(patch, choice)
        if np.shape(found) != patch.shape:
            raise BrokenPluginError(
                f"{self.where}: has to give a patch of the shape {patch.shape} (got {np.shape(found)}). "
                f"Repair it, or leave it out."
            )
        return found
