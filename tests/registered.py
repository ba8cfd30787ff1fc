"""Installed components, so that a law holds for a new one without a line of its own."""

from denoisplit.core.network.interfaces import Calibrator, IntervalCalibrator, MeanCalibrator
from denoisplit.core.registry import load_registry

StdCalibrator = Calibrator | MeanCalibrator


def calibrators() -> dict[str, StdCalibrator]:
    """Every registered calibrator with its default options, by name; all of them give a std."""
    kinds = {row.name: row.load() for row in load_registry().components("calibrator")}
    return {name: kind(kind.Options()) for name, kind in kinds.items()}


def fits_squares(calibrator: StdCalibrator) -> bool:
    """Whether it fits to squared errors, which some cannot."""
    refusals = (Calibrator.fit_squares, IntervalCalibrator.fit_squares)
    return type(calibrator).fit_squares not in refusals
