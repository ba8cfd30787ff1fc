"""Tests by pixels whether images that belong together by their names show the same fields."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array

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
    one, other = _coarse(first), _coarse(second)
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
                np.sum(_coarse([own[channel]], _CLEAN_BLOCK) * _coarse([other[channel]], _CLEAN_BLOCK))
                for own, other in zip(noisy, clean, strict=True)
            ]
        )
        for channel in range(min(len(image) for image in (*noisy, *clean)))
    ]
    return float(max(alike)) < _CLEAN_ALIKE


def _coarse(images: Sequence[AnyArray], block: int = _BLOCK) -> Float64Array:
    """Return the block means of every image, with mean 0 and norm 1 [image, block]."""
    rows, columns = (side // block for side in images[0].shape)
    stack = np.stack([image[: rows * block, : columns * block] for image in images]).astype(np.float64)
    means = stack.reshape(len(images), rows, block, columns, block).mean((2, 4)).reshape(len(images), -1)
    centred = means - means.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))
