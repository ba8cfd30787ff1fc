"""Clean references in other counts than the noisy images: of another scale, or above another background."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.images.bases import Field
from denoisplit.core.images.block_walks import picture
from denoisplit.core.images.derived_images import channel_of, first_of

_ALIKE: Final = 0.8
"""Correlation of the means of blocks from which on two images show the same."""
_FACTOR: Final = 1.25
"""Ratio of the scales, and of the means, either way, that bleaching or a drift of the lamp may have."""
_SHIFT: Final = 0.5
"""Difference of the means that matters little, in standard deviations of what is to be seen."""

_BLOCK: Final = 8
"""Pixels a side whose mean is compared, so that noise hardly counts."""

_MOST: Final = 64
"""Largest number of fields that are compared."""


def told_other_counts(split: str, channels: Sequence[str], fields: Sequence[Field]) -> list[str]:
    """Return a sentence for every channel whose clean images have other counts than the noisy ones."""
    said = []
    for number, name in enumerate(channels):
        lines = np.array([*_lines(fields[:_MOST], number)]).reshape(-1, 4)
        if not len(lines):
            continue
        scale, level, ratio, shift = np.median(lines, axis=0)
        if _near(scale) and (_near(ratio) or abs(shift) <= _SHIFT):
            continue
        said.append(
            f"{split}, {name}: the clean images are in other counts than the noisy ones (noisy is about "
            f"{scale:.4g} x clean {'-' if level < 0 else '+'} {abs(level):.4g}). Noise models and "
            f"calibration compare them count by count: give both as the camera does, without normalisation "
            f"or subtraction."
        )
    return said


def _near(ratio: float) -> bool:
    return 1 / _FACTOR <= ratio <= _FACTOR


def _lines(fields: Sequence[Field], channel: int) -> Iterator[tuple[float, float, float, float]]:
    """Yield scale and level of the line from clean to noisy counts, and two measures of the means.

    These are the ratio of the means, and their difference in standard deviations.
    """
    for field in fields:
        if field.clean is None or min(field.clean.shape[-2:]) < 2 * _BLOCK:
            continue
        clean, noisy = (
            _means(picture(first_of(channel_of(image, channel)))) for image in (field.clean, field.observed)
        )
        deviation = clean.std()
        if deviation == 0 or np.corrcoef(clean, noisy)[0, 1] < _ALIKE:
            continue  # nothing to compare: wrong partners are told elsewhere
        scale = float(np.mean((clean - clean.mean()) * (noisy - noisy.mean())) / deviation**2)
        level = float(noisy.mean() - scale * clean.mean())
        means = float(clean.mean()), float(noisy.mean())
        ratio = means[1] / means[0] if means[0] > 0 else 0.0
        yield scale, level, ratio, (means[1] - means[0]) / float(deviation)


def _means(image: AnyArray) -> Float64Array:
    """Return the means of whole blocks in the plane of an image [(z) y x], one after the other."""
    rows, columns = (side // _BLOCK for side in image.shape[-2:])
    whole = np.asarray(image, dtype=np.float64)[..., : rows * _BLOCK, : columns * _BLOCK]
    blocks = whole.reshape(-1, rows, _BLOCK, columns, _BLOCK)
    means: Float64Array = blocks.mean((2, 4)).ravel()
    return means
