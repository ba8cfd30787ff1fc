"""Augmentation of a training, from its spec; tried once before the training."""

import logging
import math
from typing import Final

import numpy as np

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import BrokenPluginError, DenoisplitError, in_one_line
from denoisplit.core.images.augmentation import MOST_CHOICES, Augmentation, Several
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import Chosen, TrainingSpec

FLIPS: Final = "denoisplit/flips"
"""Augmentation of ``augment: true``."""

_LOG: Final = logging.getLogger("denoisplit.training")

_MAPS: Final = 2

_MOST_TRIED: Final = 64
"""Number of choices that are tried, or all if there are fewer."""


def augmentation_of(spec: TrainingSpec, patch: tuple[int, ...]) -> Augmentation | None:
    """Build the augmentation of a training; None if it has none.

    Args:
        spec: the training.
        patch: sides of a patch along (z) y x, pixels.

    Raises:
        BrokenPluginError: an augmentation fails on such a patch, gives another shape, NaN or infinity.
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
        changes = choices == 1
        for choice in _some(choices):
            found = np.asarray(whole.apply(_counts(patch), choice), dtype=np.float32)
            if not np.isfinite(found).all():
                raise BrokenPluginError(
                    f"{where}: has to keep counts finite (got NaN or infinity, with choice {choice}). "
                    f"Repair it, or leave it out."
                )
            changes = changes or not np.array_equal(found, _counts(patch))
    except DenoisplitError:
        raise
    except Exception as error:
        raise _failed(where, patch, error) from error
    if not changes:
        sides = " x ".join(map(str, patch))
        _LOG.warning("training.augmentations: %s changes no patch of %s px. Leave it out", where, sides)
    return whole


def _counts(patch: tuple[int, ...]) -> Float32Array:
    """Different counts everywhere [k (z) y x]."""
    return np.arange(1, 1 + _MAPS * math.prod(patch), dtype=np.float32).reshape(_MAPS, *patch)


def _some(choices: int) -> list[int]:
    """All choices if they are few, else some from the first to the last."""
    number = min(choices, _MOST_TRIED)
    return [choices - 1 if n == number - 1 else choices // number * n for n in range(number)]


def _failed(where: str, sides: tuple[int, ...], error: Exception, choice: str = "") -> BrokenPluginError:
    return BrokenPluginError(
        f"{where}: fails on a patch of {'x'.join(map(str, sides))} ({type(error).__name__}: "
        f"{in_one_line(error)}){choice}. Repair it, or leave it out."
    )


class _Whole(Augmentation):
    """An augmentation that keeps the shape of patches, and whose errors name it."""

    def __init__(self, where: str, inner: Augmentation) -> None:
        super().__init__(None)
        self.where, self.inner = where, inner
        self.choices = int(inner.choices)

    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        """Augment a patch.

        Raises:
            BrokenPluginError: it fails, or the result has another shape.
        """
        try:
            found = self.inner.apply(patch, choice)
        except (DenoisplitError, MemoryError):
            raise
        except Exception as error:
            raise _failed(self.where, patch.shape[1:], error, f" with choice {choice}") from error
        if np.shape(found) != patch.shape:
            raise BrokenPluginError(
                f"{self.where}: has to give a patch of the shape {patch.shape} (got {np.shape(found)}). "
                f"Repair it, or leave it out."
            )
        return found
