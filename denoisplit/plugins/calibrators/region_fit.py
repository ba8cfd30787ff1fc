"""Regions of one size: calibrators that fit to their sums, and its coverage in left-out fields."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, final

import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration, Calibrator, FieldSums
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.scale import Scale

CHECKED: Final = 0.9
"""Level of the interval whose coverage is checked."""

_LEAST_RATIO: Final = 1e-9


class OneSize(ABC):
    """Calibration of regions of one size, as if they were pixels."""

    @abstractmethod
    def fitted(self, parts: Sequence[FieldSums]) -> Calibration:
        """Fit to the regions of fields.

        Raises:
            CalibrationError: their errors or their spread cannot be used.
        """

    @abstractmethod
    def calibrator_of(self, calibration: Calibration) -> Calibrator:
        """Return the calibrator that applies a calibration."""


@final
class Together(OneSize):
    """All regions count alike, in whichever field: ``conformal``, or ``scale`` for squared errors."""

    def fitted(self, parts: Sequence[FieldSums]) -> Calibration:
        """Fit to all regions together; see ``OneSize.fitted``."""
        whole = FieldSums.joined(parts)
        if whole.truth is not None:
            return Conformal(Conformal.Options()).fit(whole.mean[None], whole.std[None], whole.truth[None])
        if whole.squares is None:
            raise mixed_errors()
        return Scale(Scale.Options()).fit_squares(whole.std[None], whole.squares[None])

    def calibrator_of(self, calibration: Calibration) -> Scale | Conformal:
        """Return ``scale`` for a factor, else ``conformal``."""
        if "factor" in calibration.parameters:
            return Scale(Scale.Options())
        return Conformal(Conformal.Options())


def mixed_errors() -> CalibrationError:
    """The error for fields of which only some have a truth."""
    return CalibrationError(
        "calibration: some sums have a truth and some squared errors. Give all of them the same."
    )


def left_out(by: OneSize, parts: Sequence[FieldSums]) -> dict[str, tuple[float, ...]]:
    """Coverage in held-out fields, each with the calibration of all others; empty if these are too few."""
    held = [n for n, part in enumerate(parts) if not part.seen]
    if len(held) < 2:
        return {}
    try:
        found = [_covered(by, [*parts[:n], *parts[n + 1 :]], parts[n]) for n in held]
    except CalibrationError:
        return {}
    pooled = np.average(found, axis=0, weights=[parts[n].std.shape[1] for n in held])
    return {"left_out": tuple(pooled.tolist()), "lowest": tuple(np.min(found, axis=0).tolist())}


def _covered(by: OneSize, others: Sequence[FieldSums], part: FieldSums) -> FloatArray:
    """Share of the regions of a field whose truth lies within the interval of the others [c].

    Squared errors are taken for those of a Gaussian.

    Raises:
        CalibrationError: the others cannot be calibrated, or do not reach the level.
    """
    calibration = by.fitted(others)
    mean, std = part.mean[None], part.std[None]
    (low,), (high,) = by.calibrator_of(calibration).interval(calibration, mean, std, CHECKED)
    if part.truth is not None:
        inside: FloatArray = ((low <= part.truth) & (part.truth <= high)).mean(axis=1)
        return inside
    squares = np.zeros_like(part.std) if part.squares is None else part.squares
    ratio = np.sqrt(np.maximum((4 * squares / (high - low) ** 2).mean(axis=1), _LEAST_RATIO))
    return np.asarray([2 * NormalDist().cdf(1 / one) - 1 for one in ratio])
