"""Pixel sizes, time intervals and intensity scales of images: records that cannot hold impossible values.

Values from files go through ``known_size``, ``known_interval`` and ``known_scale``, which leave out
impossible ones; the records themselves refuse them. So every record can be written.
"""

import math
from collections.abc import Sequence
from typing import Final, SupportsFloat

import attrs

from denoisplit.core.errors import ImageError
from denoisplit.core.images.physical_units import IN_MICRONS, IN_SECONDS, length_unit, time_unit

_MICRONS: Final = (1e-9, 1e12)
"""Possible pixel sizes, from an atomic nucleus to a country: anything outside is a mistake."""

_SECONDS: Final = (1e-12, 1e12)
_EDGE: Final = 1e-6


def number(value: object) -> float | None:
    """Return a finite number, also from text; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, SupportsFloat | str | bytes):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def rounded(value: float) -> float:
    """Round off the error of a change of units: 0.1 for 0.09999999999999999."""
    return float(f"{value:.9g}")


def _fits(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] * (1 - _EDGE) <= value <= limits[1] * (1 + _EDGE)


def _numbers(values: Sequence[float | None]) -> tuple[float | None, ...]:
    found = tuple(None if value is None else number(value) for value in values)
    if any(f is None and v is not None for f, v in zip(found, values, strict=True)):
        raise ImageError(f"pixel size: numbers must be finite (got {tuple(values)}). Give None for unknown.")
    return found


def _length(unit: str) -> str:
    if (sign := length_unit(unit)) is None:
        raise ImageError(
            f"pixel size: unknown unit (got {unit!r}, known {', '.join(IN_MICRONS)}). Use these."
        )
    return sign


def _time(unit: str) -> str:
    if (sign := time_unit(unit)) is None:
        raise ImageError(
            f"time interval: unknown unit (got {unit!r}, known {', '.join(IN_SECONDS)}). Use these."
        )
    return sign


@attrs.frozen
class PixelSize:
    """Physical size of one pixel along each spatial axis.

    Attributes:
        size: one number above 0 per spatial axis, in the order of the image's axes ((z) y x); None for an
            unknown one. At least one is known.
        unit: a unit of ``physical_units.IN_MICRONS``, for example ``µm``; other spellings are converted.

    Raises:
        ImageError: a number or unit that cannot be.
    """

    size: tuple[float | None, ...] = attrs.field(converter=_numbers)
    unit: str = attrs.field(default="µm", converter=_length)

    def __attrs_post_init__(self) -> None:
        known = [size for size in self.size if size is not None]
        if not known or not all(_fits(size * IN_MICRONS[self.unit], _MICRONS) for size in known):
            raise ImageError(
                f"pixel size: not the size of a pixel (got {self.size} {self.unit}). "
                f"Give what the microscope had, or None for an axis along which it is unknown."
            )

    def __str__(self) -> str:
        return f"{' x '.join('?' if s is None else f'{s:g}' for s in self.size)} {self.unit}"

    def sizes_in(self, unit: str) -> tuple[float | None, ...]:
        """Return the sizes in another unit of ``physical_units.IN_MICRONS``."""
        if unit == self.unit:
            return self.size
        factor = IN_MICRONS[self.unit] / IN_MICRONS[unit]
        return tuple(None if size is None else rounded(size * factor) for size in self.size)


@attrs.frozen
class TimeInterval:
    """Time from one time point to the next.

    Attributes:
        value: duration, above 0.
        unit: a unit of ``physical_units.IN_SECONDS``, for example ``s``; other spellings are converted.

    Raises:
        ImageError: a number or unit that cannot be.
    """

    value: float
    unit: str = attrs.field(default="s", converter=_time)

    def __attrs_post_init__(self) -> None:
        found = number(self.value)
        if found is None or not _fits(found * IN_SECONDS[self.unit], _SECONDS):
            raise ImageError(
                f"time interval: not the time between two images (got {self.value} {self.unit}). "
                f"Give a number above 0, or no interval."
            )


@attrs.frozen
class IntensityScale:
    """Conversion of stored numbers to counts: ``counts = factor * stored + offset``.

    Attributes:
        factor, offset: one finite number per channel; factors are not 0.

    Raises:
        ImageError: a number is not finite, or a factor is 0.
    """

    factor: tuple[float, ...]
    offset: tuple[float, ...]

    def __attrs_post_init__(self) -> None:
        if not all(number(factor) for factor in self.factor) or None in map(number, self.offset):
            raise ImageError(
                f"intensity scale: factors and offsets must be finite, factors not 0 (got {self.factor} "
                f"and {self.offset}). Give others, or none."
            )


def known_size(sizes: Sequence[object], units: Sequence[object]) -> PixelSize | None:
    """Return the pixel size that a file gives.

    Args:
        sizes: one per spatial axis in the order of the axes; impossible sizes count as unknown.
        units: one per axis, in any spelling; if they differ, the sizes are converted to µm.

    Returns:
        The pixel size; None if no axis has one.
    """
    found: list[tuple[float, str] | None] = []
    for size, unit in zip(sizes, units, strict=True):
        value, sign = number(size), length_unit(unit)
        fits = value is not None and sign is not None and _fits(value * IN_MICRONS[sign], _MICRONS)
        found.append((value, sign) if fits and value is not None and sign is not None else None)
    signs = {one[1] for one in found if one is not None}
    if not signs:
        return None
    if len(signs) == 1:
        return PixelSize([None if one is None else one[0] for one in found], signs.pop())
    return PixelSize([None if one is None else rounded(one[0] * IN_MICRONS[one[1]]) for one in found], "µm")


def known_interval(value: object, unit: object) -> TimeInterval | None:
    """Return the time interval that a file gives; None if it is impossible."""
    found, sign = number(value), time_unit(unit)
    if found is None or sign is None or not _fits(found * IN_SECONDS[sign], _SECONDS):
        return None
    return TimeInterval(found, sign)


def known_scale(factor: Sequence[object], offset: Sequence[object]) -> IntensityScale | None:
    """Return the intensity scale that a file gives; None if a number is missing or impossible."""
    factors = [found for value in factor if (found := number(value))]
    offsets = [found for value in offset if (found := number(value)) is not None]
    if not factors or not len(factors) == len(factor) == len(offset) == len(offsets):
        return None
    return IntensityScale(tuple(factors), tuple(offsets))
