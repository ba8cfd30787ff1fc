"""The abstract bases of calibrators, of pixels and of sums, and what a fitted one is stored as."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import CalibrationError

Numbers = Mapping[str, Sequence[float]]


@attrs.frozen
class Calibration:
    """A fitted calibrator as plain numbers, ready for JSON.

    Attributes:
        component: ``package/name`` of the calibrator that wrote it; a calibrator leaves it empty, and gets it
            filled in.
        parameters: named lists of numbers, for example one factor per channel.
        origin: what it was fitted to, for messages.
    """

    component: str = ""
    parameters: Numbers = attrs.field(factory=dict)
    origin: str = "clean references"


class AnyCalibrator(ABC):
    """What all calibrators do: learn on held-out fields how large errors are, and give intervals.

    Derive from one of ``Calibrator`` (a std from the std alone), ``MeanCalibrator`` (a std from mean and std)
    and ``IntervalCalibrator`` (intervals only). Arrays are [n c (z) y x] in counts; every pixel counts, none
    is dropped, and a pixel is calibrated by its own mean and std alone: images are calibrated in tiles.

    Attributes:
        options: as given.
    """

    options: Any

    def __init__(self, options: Any = None) -> None:
        self.options = options

    @abstractmethod
    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit to posterior mean and std against the clean truth.

        Raises:
            CalibrationError: no calibration can be had from these arrays (for example, zero spread).
        """

    @abstractmethod
    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the central interval that covers the truth with probability ``level``."""


class Calibrator(AnyCalibrator):
    """Map from predicted spread to real error, learned on held-out fields; see ``AnyCalibrator``."""

    def fit_squares(self, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit to unbiased estimates of the squared errors, of which single ones may be negative.

        Raises:
            CalibrationError: as ``fit``, or this calibrator needs the errors themselves (the default).
        """
        del std, squares
        raise needs_truth(self)

    @abstractmethod
    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape as ``std``."""


class IntervalCalibrator(AnyCalibrator):
    """A calibrator that gives intervals, and no std: they need not be symmetric, nor scale with one."""

    def fit_squares(self, mean: FloatArray, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit to unbiased estimates of the squared errors, of which single ones may be negative.

        Raises:
            CalibrationError: as ``fit``, or this calibrator needs the errors themselves (the default).
        """
        del mean, std, squares
        raise needs_truth(self)


class MeanCalibrator(IntervalCalibrator):
    """Map from predicted mean and spread to real error, which may be another for bright pixels than for dark.

    Means of other images may be outside of those of the held-out fields: the std has to stay above zero.
    """

    @abstractmethod
    def apply(self, calibration: Calibration, mean: FloatArray, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape as ``std``."""


def needs_truth(calibrator: AnyCalibrator) -> CalibrationError:
    """The error of a calibrator that cannot be fitted to squared errors."""
    return CalibrationError(
        f"calibration: {type(calibrator).__name__} needs clean references (got errors of noisy images). "
        f"Use another calibrator, such as scale, or give clean images of held-out fields."
    )


@attrs.frozen(kw_only=True, eq=False)
class FieldSums:
    """Sums over the regions of one field, all of one size, and how wrong they are.

    Attributes:
        pixels: in each region.
        mean: of the sums of the posterior samples [c regions], counts.
        std: of the sums of the posterior samples [c regions], counts.
        truth: true sums [c regions], counts; None where only squared errors are known.
        squares: unbiased estimates of the squared errors [c regions], counts squared, of which single ones
            may be negative; None with a truth.
    """

    pixels: int
    mean: FloatArray
    std: FloatArray
    truth: FloatArray | None = None
    squares: FloatArray | None = None


@attrs.frozen(kw_only=True)
class SumInterval:
    """What a calibration says about a sum.

    Attributes:
        std: calibrated std, in stds of the samples; None where it cannot be given.
        half_width: half of the interval, in stds of the samples; None where it cannot be given.
        holds: whether it was checked on fields that were left out, at this size.
        note: why not, a sentence; empty where it holds.
    """

    std: float | None = None
    half_width: float | None = None
    holds: bool = False
    note: str = ""


class SumCalibrator(Calibrator):
    """Map from the spread of sums over regions to their real error, by the size of the region.

    As a calibrator of pixels, it takes these for regions of one pixel.
    """

    @property
    @abstractmethod
    def sides(self) -> tuple[int, ...]:
        """Sides of the square blocks that ``fit_regions`` wants to see, pixels, ascending."""

    @abstractmethod
    def fit_regions(self, fields: Sequence[Sequence[FieldSums]]) -> Calibration:
        """Fit to the sums of every held-out field, of several sizes each.

        Raises:
            CalibrationError: no calibration of any size can be had from these sums.
        """

    @abstractmethod
    def sum_interval(
        self, calibration: Calibration, *, channel: int, pixels: int, level: float
    ) -> SumInterval:
        """What is known about the sum of a channel over a region of so many pixels.

        Raises:
            CalibrationError: written by another calibrator or for fewer channels, or a level that is none.
        """
