"""The abstract bases of calibrators, of pixels and of sums, and the record of a fitted calibrator."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import CalibrationError

Numbers = Mapping[str, Sequence[float]]


@attrs.frozen
class Calibration:
    """A fitted calibrator as plain numbers, ready for JSON.

    Attributes:
        component: ``package/name`` of the calibrator that wrote it; filled in by the caller.
        parameters: named lists of numbers, for example one factor per channel.
        origin: data that it was fitted to, for messages.
    """

    component: str = ""
    parameters: Numbers = attrs.field(factory=dict)
    origin: str = "clean references"


class AnyCalibrator(ABC):
    """Base of all calibrators, which learn the size of errors from held-out fields and give intervals.

    Derive from ``Calibrator`` (a std from the std alone), ``MeanCalibrator`` (a std from mean and std) or
    ``IntervalCalibrator`` (intervals only). Arrays are [n c (z) y x] in counts; no pixel is dropped, and
    every pixel is calibrated by its own mean and std alone, because images are calibrated in tiles.

    Attributes:
        options: the options, as given.
    """

    options: Any

    def __init__(self, options: Any = None) -> None:
        self.options = options

    @abstractmethod
    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit to posterior mean and std against the clean truth.

        Raises:
            CalibrationError: these arrays do not allow a calibration: other shapes, non-finite numbers, std
                not above zero, truth equal to mean, or too few pixels.
        """

    @abstractmethod
    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds of the central interval that covers the truth with probability ``level``.

        They have shape and dtype of ``std``.

        Raises:
            CalibrationError: calibration of another calibrator, or for another number of channels; a
                ``level`` that is not between 0 and 1, or higher than the held-out pixels allow.
        """


class Calibrator(AnyCalibrator):
    """Map from predicted spread to real error, learned on held-out fields; see ``AnyCalibrator``."""

    def fit_squares(self, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit to unbiased estimates of the squared errors, some of which may be negative.

        Raises:
            CalibrationError: see ``fit``; or squared errors that are not clearly above zero on average; or
                this calibrator needs the errors themselves (the default).
        """
        del std, squares
        raise needs_truth(self)

    @abstractmethod
    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape and dtype as ``std``.

        Raises:
            CalibrationError: calibration of another calibrator, or for another number of channels.
        """


class IntervalCalibrator(AnyCalibrator):
    """Calibrator that gives intervals but no std; they need not be symmetric or proportional to one."""

    def fit_squares(self, mean: FloatArray, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit to unbiased estimates of the squared errors, some of which may be negative.

        Raises:
            CalibrationError: see ``fit``; or squared errors that are not clearly above zero on average; or
                this calibrator needs the errors themselves (the default).
        """
        del mean, std, squares
        raise needs_truth(self)


class MeanCalibrator(IntervalCalibrator):
    """Map from predicted mean and spread to real error, which may differ between bright and dark pixels.

    Means of other images may lie outside those of the held-out fields: the std has to stay positive.
    """

    @abstractmethod
    def apply(self, calibration: Calibration, mean: FloatArray, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape and dtype as ``std``.

        Raises:
            CalibrationError: calibration of another calibrator, or for another number of channels.
        """


@attrs.frozen(kw_only=True, eq=False)
class FieldSums:
    """Sums over regions of one size in one field, and their errors; pixels are regions of one pixel.

    Attributes:
        pixels: number of pixels in each region.
        mean: mean of the posterior samples' sums [c regions], counts.
        std: standard deviation of the posterior samples' sums [c regions], counts.
        truth: true sums [c regions], counts; None if only squared errors are known.
        squares: unbiased estimates of the squared errors [c regions], counts squared, some of which may be
            negative; None if the truth is known.
        seen: whether the network was trained on this field, so that its errors are smaller than in others.
    """

    pixels: int
    mean: FloatArray
    std: FloatArray
    truth: FloatArray | None = None
    squares: FloatArray | None = None
    seen: bool = False

    @classmethod
    def joined(cls, parts: "Sequence[FieldSums]") -> "FieldSums":
        """Join the planes of a field, or several fields, side by side."""
        return cls(
            pixels=parts[0].pixels,
            mean=np.concatenate([part.mean for part in parts], axis=1),
            std=np.concatenate([part.std for part in parts], axis=1),
            truth=_all([part.truth for part in parts]),
            squares=_all([part.squares for part in parts]),
            seen=all(part.seen for part in parts),
        )


def _all(arrays: Sequence[FloatArray | None]) -> FloatArray | None:
    """Join arrays side by side; None if one is missing."""
    known = [array for array in arrays if array is not None]
    return np.concatenate(known, axis=1) if len(known) == len(arrays) else None


class FieldCalibrator(AnyCalibrator):
    """Calibrator that looks at fields one by one, because pixels of a field resemble each other.

    Derive from it and from ``Calibrator``, ``MeanCalibrator`` or ``IntervalCalibrator``. Of arrays
    [n c (z) y x], ``fit`` takes each of the n for a field. A calibrator of sums gets ``most_seen`` training
    fields in ``fit_regions``, too.
    """

    @property
    def most_seen(self) -> int:
        """Largest number of training fields that it takes besides the held-out ones; 0 for none."""
        return 0

    @abstractmethod
    def fit_fields(self, fields: Sequence[FieldSums]) -> Calibration:
        """Fit to the pixels of fields, which may differ in size; at least one was not ``seen``.

        Raises:
            CalibrationError: these fields allow no calibration.
        """


def needs_truth(calibrator: AnyCalibrator) -> CalibrationError:
    """The error for a calibrator that cannot be fitted to squared errors."""
    return CalibrationError(
        f"calibration: {type(calibrator).__name__} needs clean references (got errors of noisy images). "
        f"Use another calibrator, such as scale, or give clean images of held-out fields."
    )


@attrs.frozen(kw_only=True)
class SumInterval:
    """Calibrated uncertainty of a sum.

    Attributes:
        std: calibrated std, in stds of the samples; None if unavailable.
        half_width: half the width of the interval, in stds of the samples; None if unavailable.
        holds: whether it was checked at this size on fields that were left out.
        note: a sentence that says why not; empty if it holds.
    """

    std: float | None = None
    half_width: float | None = None
    holds: bool = False
    note: str = ""


class SumCalibrator(Calibrator):
    """Map from the spread of sums over regions to their real error, for each size of region.

    Used as a calibrator of pixels, it treats them as regions of one pixel.
    """

    @property
    @abstractmethod
    def sides(self) -> tuple[int, ...]:
        """Sides of the square blocks that ``fit_regions`` needs, pixels, ascending."""

    @abstractmethod
    def fit_regions(self, fields: Sequence[Sequence[FieldSums]]) -> Calibration:
        """Fit to the sums of all held-out fields, each in several sizes.

        Raises:
            CalibrationError: these sums allow no calibration of any size.
        """

    @abstractmethod
    def sum_interval(
        self, calibration: Calibration, *, channel: int, pixels: int, level: float
    ) -> SumInterval:
        """The uncertainty of a channel's sum over a region of this many pixels.

        Raises:
            CalibrationError: written by another calibrator or for fewer channels, or an invalid level.
        """
