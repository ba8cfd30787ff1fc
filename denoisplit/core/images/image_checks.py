"""Checks of images before they are used; each refusal is one clear line."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.block_walks import Extremes, extremes
from denoisplit.core.images.lazy import LazyArray

_FULL_RANGE: Final = frozenset(2**bits - 1 for bits in (8, 10, 11, 12, 13, 14, 16))
"""Largest counts of cameras."""

_BLANK: Final = "all pixels are equal"
_MOST_SATURATED: Final = 0.5

_RANGE: Final = (1e-12, 1e15)
"""Least and largest range of the pixels of an image; noise is less than the range, and is squared."""


def check_pixels(data: LazyArray, where: str) -> None:
    """Refuse pixels that no model can use.

    Raises:
        ImageError: see ``check_values``; also for a constant image, or one that is mostly saturated.
    """
    flaw = check_values(data, where)
    if flaw:
        raise ImageError(f"{where}: {flaw}")


def check_frames(frames: Sequence[tuple[str, LazyArray]]) -> None:
    """Refuse images of one file, each with its place, that no model can use.

    Some may be constant, which ``without_blank`` leaves out.

    Raises:
        ImageError: see ``check_pixels``; all are constant.
    """
    flaws = [(where, check_values(pixels, where)) for where, pixels in frames]
    worse = [(where, flaw) for where, flaw in flaws if flaw and not flaw.startswith(_BLANK)]
    if worse or all(flaw for _, flaw in flaws):
        where, flaw = (worse or flaws)[0]
        raise ImageError(f"{where}: {flaw}")


def check_values(data: LazyArray, where: str) -> str:
    """Refuse pixels that no network can compute with.

    Returns:
        Why the image holds no structure, and what to do; empty if nothing is wrong.

    Raises:
        ImageError: complex or non-numeric pixels, fewer than two pixels, NaN or infinite values, or values
            whose squares do not fit float32.
    """
    check_numbers(data.dtype, where)
    if math.prod(data.shape) < 2:
        raise ImageError(
            f"{where}: an image needs more than one pixel (got shape {data.shape}). Check the file."
        )
    found = extremes(data)
    _refuse_bad(found, data, where)
    if found.lowest == found.highest:
        first = data[(0,) * data.ndim]
        return f"{_BLANK} (got {first}). Remove this image, it holds no structure."
    _refuse_scale(found, where)
    return _saturation(found, data)


def check_numbers(dtype: np.dtype[Any], where: str) -> None:
    """Refuse pixel types that cannot be intensities.

    Raises:
        ImageError: complex numbers, truth values, text or records.
    """
    if dtype.kind == "c":
        raise ImageError(
            f"{where}: pixels must be real numbers (got {dtype}). Save the absolute value, or one part."
        )
    if dtype.kind not in "uif":
        raise ImageError(
            f"{where}: pixels must be real numbers (got {dtype}). Save intensities as integers or floats."
        )


def _refuse_scale(found: Extremes, where: str) -> None:
    """Refuse ranges whose squares, as used by networks and likelihoods, do not fit single precision."""
    spread = max(found.highest - found.lowest, abs(found.highest) if found.highest > _RANGE[1] else 0.0)
    if not _RANGE[0] <= spread <= _RANGE[1]:
        size, power = ("small" if spread < 1 else "large"), 2 - math.floor(math.log10(spread))
        raise ImageError(
            f"{where}: the numbers are too {size} for single precision (got a range of {spread:.2g}). "
            f"Multiply all images by 1e{power}, and those that will be predicted, too."
        )


def _saturation(found: Extremes, data: LazyArray) -> str:
    """Return what is wrong with a mostly saturated image; empty for others."""
    share = found.at_highest / math.prod(data.shape)
    if found.highest not in _FULL_RANGE or share <= _MOST_SATURATED:
        return ""
    return (
        f"the image is saturated (got {share:.0%} of the pixels at {found.highest:g}). "
        f"Record it with less light or a shorter exposure."
    )


def check_finite(data: LazyArray, where: str) -> None:
    """Refuse NaN and infinite values.

    Raises:
        ImageError: says how many there are and where the first one is.
    """
    if data.dtype.kind != "f":
        return
    _refuse_bad(extremes(data), data, where)


def _refuse_bad(found: Extremes, data: LazyArray, where: str) -> None:
    if found.bad:
        size, value = math.prod(data.shape), found.first_value
        raise ImageError(
            f"{where}: {found.bad} of {size} pixels are NaN or infinite (got {value} at {found.first_bad}). "
            f"Replace or crop them."
        )


def check_fields(fields: Sequence[Field]) -> None:
    """Refuse NaN and infinite values in any image of a field, whatever data set it comes from.

    Raises:
        ImageError: says which field and image, how many there are and where the first one is.
    """
    for field in fields:
        for kind in ("observed", "clean", "mixed", "repeats"):
            image: LazyArray | None = getattr(field, kind)
            if image is not None:
                check_finite(image, f"field {field.name}, {kind} image")


def check_channels(found: int, expected: int, where: str, advice: str) -> None:
    """Refuse a number of channels other than the expected one.

    Raises:
        ChannelCountError: ``found`` is not ``expected``; the message ends with ``advice``.
    """
    if found != expected:
        raise ChannelCountError(
            f"{where}: expected {expected} channel{'s' * (expected != 1)} (got {found}). {advice}"
        )
