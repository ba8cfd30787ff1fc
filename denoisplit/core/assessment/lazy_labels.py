"""Regions of label images that are not in memory."""

import math
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.assessment.label_arrays import refuse_labels
from denoisplit.core.assessment.regions import LABELS, Regions
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import LazyArray
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.images.streamed import blocks


def fit(labels: tuple[int, ...], positions: tuple[int, ...], plane: tuple[int, ...], where: str) -> bool:
    """Whether labels of this shape have regions of their own for every position, or one set for all.

    Args:
        labels: shape of the label image.
        positions: see ``label_divisions``.
        plane: see ``label_divisions``.
        where: see ``label_divisions``.

    Raises:
        ImageError: neither.
    """
    full = (*positions, *plane)
    own = _long(labels, plane) == _long(full, plane)
    if not own and _long(labels, plane) != _long(plane, plane):
        raise ImageError(
            f"{where}: labels must have the shape of the image or of one plane or stack of it (got "
            f"{labels}, not {full}). Give a label image of the same pixels."
        )
    return own


def _long(shape: tuple[int, ...], plane: tuple[int, ...]) -> tuple[int, ...]:
    """Axes before y and x that are longer than 1, then y and x."""
    rank = min(2, len(plane))
    return (*(side for side in shape[:-rank] if side > 1), *shape[-rank:])


def lazy_divisions(
    labels: LazyArray, positions: tuple[int, ...], plane: tuple[int, ...], where: str
) -> tuple[Regions | None, ...]:
    """As ``label_divisions``, of labels that have no axes of length 1 other than y and x."""
    own = fit(tuple(labels.shape), positions, plane, where)
    if own:
        found = tuple(
            _regions(_part(labels, index, positions, plane), where) for index in np.ndindex(positions)
        )
    else:
        found = (_regions(_part(labels, (), (), plane), where),) * math.prod(positions)
    if not any(found):
        raise ImageError(f"{where}: there is no region (got only 0). Give another label image.")
    return found


def _part(
    labels: LazyArray, index: tuple[int, ...], positions: tuple[int, ...], plane: tuple[int, ...]
) -> LazyPixels:
    """The labels of one position, with all axes of a plane."""
    key = tuple(i for i, side in zip(index, positions, strict=True) if side > 1)
    read = partial(_read, labels, key)
    return LazyPixels(shape=plane, dtype=labels.dtype, read=read, source="labels")


def _read(labels: LazyArray, key: tuple[int, ...], region: Window) -> AnyArray:
    there = labels.ndim - len(key)
    asked = [part for part in region[:-2] if there == len(region)] + list(region[-2:])
    found: Any = labels[(*key, *asked)]
    return np.asarray(found).reshape([part.stop - part.start for part in region])


def _regions(labels: LazyPixels, where: str) -> Regions | None:
    """One region per label, numbered in their order."""
    values: npt.NDArray[Any] = np.empty(0, labels.dtype)
    for _, block in blocks(labels):
        refuse_labels(block, where)
        values = np.union1d(values, block)
    numbers = tuple(int(value) for value in values if value)
    if not numbers:
        return None
    read = partial(_read_index, labels, values[values > 0])
    index: Any = LazyPixels(shape=labels.shape, dtype=np.dtype(np.int64), read=read, source="labels")
    return Regions(name=LABELS, index=index, count=len(numbers), labels=numbers)


def _read_index(labels: LazyPixels, values: npt.NDArray[Any], region: Window) -> AnyArray:
    found = np.asarray(labels[region])
    return np.where(found > 0, np.searchsorted(values, found), -1)
