"""Options that are one number for all pixels of a camera, or files with a number per pixel."""

from pathlib import Path
from typing import Any

import attrs
from attrs.validators import deep_iterable, ge, gt, min_len, optional, or_

from denoisplit.core.validators import described_by

Given = float | Path | tuple[Path, ...] | None
"""A number for all pixels; a file for all channels, or one per channel; None to fit a number per channel."""


def as_given(value: Any) -> Given:
    """Convert an option that is a number or files."""
    if isinstance(value, str):
        return Path(value)
    if isinstance(value, list | tuple):
        return tuple(Path(one) for one in value)
    given: Given = value
    return given


@described_by(optional(or_(gt(0), min_len(1))))
def positive(options: object, attribute: "attrs.Attribute[Any]", value: Given) -> None:
    """Validate a number above 0, or files."""
    if isinstance(value, int | float) and not 0 < value < float("inf"):
        raise ValueError(f"{attribute.name} must be a number above 0, or files (got {value}).")
    named(options, attribute, value)


def named(_options: object, attribute: "attrs.Attribute[Any]", value: Given) -> None:
    """Validate a number, or at least one file."""
    if value == ():
        raise ValueError(f"{attribute.name} must name one file, or one per channel (got none).")


@described_by(optional(deep_iterable(ge(0))))
def first_pixel(_options: object, attribute: "attrs.Attribute[Any]", value: tuple[int, ...] | None) -> None:
    """Validate a row and a column."""
    if value is not None and min(value) < 0:
        raise ValueError(f"{attribute.name} must be a row and a column of at least 0 (got {list(value)}).")
