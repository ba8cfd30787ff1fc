"""Tests by pixels whether images that belong together by their names show the same fields."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.coarse_means import coarse_means

_BLOCK: Final = 16
_FEWEST: Final = 4
_ALIKE: Final = 0.1
_ERRORS: Final = 3.0
_CLEAN_BLOCK: Final = 8
_CLEAN_ALIKE: Final = 0.2


def show_same_fields(first: Sequence[AnyArray], second: Sequence[AnyArray]) -> bool | None:
    """Compare partners by name with other pairs: structures of one field share its cells.

    Args:
        first: images of one structure [y x].
        second: their partners of the other structure.

    Returns:
        True where partners are clearly more alike than others, False where they are not at all; None where
        the images are too few to tell, or differ in size.
    """
    shapes = {image.shape for image in (*first, *second)}
    if len(shapes) != 1 or len(first) < _FEWEST or min(shapes.pop()) < 2 * _BLOCK:
        return None
    one, other = coarse_means(first, _BLOCK), coarse_means(second, _BLOCK)
    alike = one @ other.T
    partners = np.eye(len(alike), dtype=np.bool_)
    more = float(alike[partners].mean() - alike[~partners].mean())
    error = float(alike[~partners].std()) / np.sqrt(len(alike))
    if more < _ALIKE:
        return False
    return True if more > _ERRORS * error else None


def are_unlike(noisy: Sequence[AnyArray], clean: Sequence[AnyArray]) -> bool:
    """Whether noisy images have hardly anything in common with their clean partners, in any channel.

    Args:
        noisy: noisy images [c y x].
        clean: their partners of the same size, which may have fewer channels.
    """
    if not noisy or min(min(own.shape[1:]) for own in noisy) < _FEWEST * _CLEAN_BLOCK:
        return False
    alike = [
        np.mean(
            [
                np.sum(
                    coarse_means([own[channel]], _CLEAN_BLOCK) * coarse_means([other[channel]], _CLEAN_BLOCK)
                )
                for own, other in zip(noisy, clean, strict=True)
            ]
        )
        for channel in range(min(len(image) for image in (*noisy, *clean)))
    ]
    return float(max(alike)) < _CLEAN_ALIKE
