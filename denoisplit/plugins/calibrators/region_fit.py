"""Regions of one size: fit to their sums, and its coverage in left-out fields."""

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
    """Calibrator for the regions of a size: of squared errors or of a clean truth."""
    return Scale(Scale.Options()) if squares else Conformal(Conformal.Options())


def joined(parts: Sequence[FieldSums]) -> FieldSums:
    """Join the planes of a field, which are left out together, or several fields."""
    return FieldSums(
        pixels=parts[0].pixels,
        mean=np.concatenate([part.mean for part in parts], axis=1),
        std=np.concatenate([part.std for part in parts], axis=1),
        truth=_all([part.truth for part in parts]),
        squares=_all([part.squares for part in parts]),
    )


def _all(arrays: Sequence[FloatArray | None]) -> FloatArray | None:
    """Join arrays side by side; None if one is missing."""
    known = [array for array in arrays if array is not None]
    return np.concatenate(known, axis=1) if len(known) == len(arrays) else None


def fitted(parts: Sequence[FieldSums]) -> Calibration:
    """Fit a calibration to regions of one size.

    Raises:
        CalibrationError: their errors or their spread cannot be used.
    """
    whole = joined(parts)
    if whole.truth is not None:
        return calibrator_of(squares=False).fit(whole.mean[None], whole.std[None], whole.truth[None])
    if whole.squares is None:
        raise CalibrationError(
            "calibration: some sums have a truth and some squared errors. Give all of them the same."
        )
    return calibrator_of(squares=True).fit_squares(whole.std[None], whole.squares[None])


def left_out(parts: Sequence[FieldSums]) -> dict[str, tuple[float, ...]]:
    """Coverage in fields, each with the calibration of all the others; empty if these are too few."""
    if len(parts) < 2:
        return {}
    try:
        found = [_covered(fitted([*parts[:n], *parts[n + 1 :]]), part) for n, part in enumerate(parts)]
    except CalibrationError:
        return {}
    pooled = np.average(found, axis=0, weights=[part.std.shape[1] for part in parts])
    return {"left_out": tuple(pooled.tolist()), "lowest": tuple(np.min(found, axis=0).tolist())}


def _covered(calibration: Calibration, part: FieldSums) -> FloatArray:
    """Share of the regions of a field whose truth lies within their interval [c].

    Raises:
        CalibrationError: the calibration does not reach the level.
    """
    if part.truth is not None:
        mean, std = part.mean[None], part.std[None]
        (low,), (high,) = calibrator_of(squares=False).interval(calibration, mean, std, CHECKED)
        inside: FloatArray = ((low <= part.truth) & (part.truth <= high)).mean(axis=1)
        return inside
    (calibrated,) = calibrator_of(squares=True).apply(calibration, part.std[None])
    squares = np.zeros_like(part.std) if part.squares is None else part.squares
    ratio = np.sqrt(np.maximum((squares / calibrated**2).mean(axis=1), _LEAST_RATIO))
    normal = NormalDist()
    half = normal.inv_cdf((1 + CHECKED) / 2)
    return np.asarray([2 * normal.cdf(half / one) - 1 for one in ratio])
