"""Regions of one size: what is fitted to their sums, and whether it holds in fields that were left out."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration, FieldSums
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.scale import Scale

CHECKED: Final = 0.9
"""Level of the interval whose coverage is checked."""

_LEAST_RATIO: Final = 1e-9


def calibrator_of(*, squares: bool) -> Scale | Conformal:
    """Which calibrator was fitted to the regions of a size."""
    return Scale(Scale.Options()) if squares else Conformal(Conformal.Options())


def joined(parts: Sequence[FieldSums]) -> FieldSums:
    """The planes of a field, which are left out together."""
    if len(parts) == 1:
        return parts[0]
    truths = [part.truth for part in parts if part.truth is not None]
    squares = [part.squares for part in parts if part.squares is not None]
    return FieldSums(
        pixels=parts[0].pixels,
        mean=_row([part.mean for part in parts])[0],
        std=_row([part.std for part in parts])[0],
        truth=_row(truths)[0] if len(truths) == len(parts) else None,
        squares=_row(squares)[0] if len(squares) == len(parts) else None,
    )


def _row(arrays: Sequence[FloatArray]) -> FloatArray:
    """Regions of several fields as a single field [1 c regions]."""
    row: FloatArray = np.concatenate(arrays, axis=1)[None]
    return row


def fitted(parts: Sequence[FieldSums]) -> Calibration:
    """Of regions of one size.

    Raises:
        CalibrationError: their errors or their spread cannot be used.
    """
    std = _row([part.std for part in parts])
    truths = [part.truth for part in parts if part.truth is not None]
    if len(truths) == len(parts):
        return Conformal(Conformal.Options()).fit(_row([part.mean for part in parts]), std, _row(truths))
    squares = [part.squares for part in parts if part.squares is not None]
    if len(squares) < len(parts):
        raise CalibrationError(
            "calibration: some sums have a truth and some squared errors. Give all of them the same."
        )
    return Scale(Scale.Options()).fit_squares(std, _row(squares))


def left_out(parts: Sequence[FieldSums]) -> dict[str, tuple[float, ...]]:
    """Coverage of every field with the numbers of the others; nothing where these are too few."""
    if len(parts) < 2:
        return {}
    try:
        found = [_covered(fitted([*parts[:n], *parts[n + 1 :]]), part) for n, part in enumerate(parts)]
    except CalibrationError:
        return {}
    weights = [part.std.shape[1] for part in parts]
    pooled = np.average(found, axis=0, weights=weights)
    return {"left_out": tuple(pooled.tolist()), "lowest": tuple(np.min(found, axis=0).tolist())}


def _covered(calibration: Calibration, part: FieldSums) -> FloatArray:
    """Share of the regions of a field within their interval [c].

    Raises:
        CalibrationError: the calibration does not reach the level.
    """
    if part.truth is not None:
        low, high = Conformal(Conformal.Options()).interval(
            calibration, part.mean[None], part.std[None], CHECKED
        )
        inside: FloatArray = ((low[0] <= part.truth) & (part.truth <= high[0])).mean(axis=1)
        return inside
    squares = np.zeros_like(part.std) if part.squares is None else part.squares
    calibrated = Scale(Scale.Options()).apply(calibration, part.std[None])[0]
    ratio = np.sqrt(np.maximum((squares / calibrated**2).mean(axis=1), _LEAST_RATIO))
    normal = NormalDist()
    half = normal.inv_cdf((1 + CHECKED) / 2)
    return np.asarray([2 * normal.cdf(half / one) - 1 for one in ratio])
