"""Uniform calls for all types of calibrators: with or without the mean, a std, fields one by one."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeGuard

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import CalibrationError, DenoisplitError, in_one_line
from denoisplit.core.network.calibration import (
    AnyCalibrator,
    Calibration,
    Calibrator,
    FieldCalibrator,
    FieldSums,
    IntervalCalibrator,
    MeanCalibrator,
    needs_truth,
)

ENOUGH: Final = 8
"""Number of samples that serves for a calibration that was fitted to more."""


def too_few(samples: int, fitted: int) -> bool:
    """Whether a prediction has too few samples for a calibration.

    The std of n samples is itself uncertain, and so too small too often: 1.645 stds of two Gaussian samples
    hold 65 % instead of 90 %, of four 80 %, and of eight 86 %.

    Args:
        samples: number of posterior samples of the prediction.
        fitted: number to which the calibration was fitted.
    """
    return samples < min(ENOUGH, fitted)


@contextmanager
def applying(stored: Calibration) -> Iterator[None]:
    """Context in which a calibrator uses what a run has stored, with any numbers if somebody edited it.

    Raises:
        CalibrationError: the calibrator ended with something else than a deliberate error.
    """
    try:
        yield
    except (DenoisplitError, MemoryError):
        raise
    except Exception as error:
        raise CalibrationError(
            f"calibration: {stored.component} cannot use the numbers that the run has stored for it (got "
            f"{type(error).__name__}: {in_one_line(error)}). Calibrate the run again."
        ) from error


def gives_std(calibrator: AnyCalibrator) -> TypeGuard[Calibrator | MeanCalibrator]:
    """Whether it gives a calibrated std, not only intervals."""
    return isinstance(calibrator, Calibrator | MeanCalibrator)


def calibrated_std(
    calibrator: Calibrator | MeanCalibrator, calibration: Calibration, mean: FloatArray, std: FloatArray
) -> FloatArray:
    """Calibrated std, same shape as ``std`` [n c (z) y x], counts.

    Raises:
        CalibrationError: it was written by another calibrator, or for another number of channels.
    """
    if isinstance(calibrator, MeanCalibrator):
        return calibrator.apply(calibration, mean, std)
    return calibrator.apply(calibration, std)


def fit_squares(
    calibrator: AnyCalibrator, mean: FloatArray, std: FloatArray, squares: FloatArray
) -> Calibration:
    """Fit to unbiased estimates of squared errors; arrays [n c (z) y x], counts and counts squared.

    Raises:
        CalibrationError: these arrays, or squared errors in general, do not allow a calibration.
    """
    if isinstance(calibrator, Calibrator):
        return calibrator.fit_squares(std, squares)
    if isinstance(calibrator, IntervalCalibrator):
        return calibrator.fit_squares(mean, std, squares)
    raise needs_truth(calibrator)


def fit_fields(calibrator: AnyCalibrator, fields: Sequence[FieldSums]) -> Calibration:
    """Fit to the pixels of held-out fields, one by one if the calibrator looks at them so.

    Training fields count only for a calibrator that takes them.

    Raises:
        CalibrationError: see ``AnyCalibrator.fit`` and ``fit_squares``.
    """
    if isinstance(calibrator, FieldCalibrator):
        return calibrator.fit_fields(fields)
    whole = FieldSums.joined([field for field in fields if not field.seen])
    mean, std = whole.mean[None], whole.std[None]
    if whole.squares is not None:
        return fit_squares(calibrator, mean, std, whole.squares[None])
    if whole.truth is None:
        raise CalibrationError(
            "calibration: some fields have a truth and some squared errors. Give all of them the same."
        )
    return calibrator.fit(mean, std, whole.truth[None])


def most_seen(calibrators: Iterable[AnyCalibrator]) -> int:
    """Largest number of training fields that any of them takes."""
    return max((one.most_seen for one in calibrators if isinstance(one, FieldCalibrator)), default=0)
