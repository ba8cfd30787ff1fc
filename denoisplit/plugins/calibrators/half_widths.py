"""Half-widths of intervals, in units of the std, at many levels: what calibrators of quantiles keep."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from denoisplit.core.arrays import Float64Array, FloatArray
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration
from denoisplit.plugins.calibrators.array_checks import does_not_fit, no_fit

ONE_SIGMA: Final = math.erf(1 / math.sqrt(2))
"""Share of a Gaussian within one std: the level whose half-width is the calibrated std."""

LEVELS: Final = tuple(sorted([*(k / 200 for k in range(1, 200)), ONE_SIGMA, 0.999, 0.9999]))
"""Levels that are kept, as far as there are enough errors."""

ROUNDING: Final = 1e-9
"""Differences between levels that come from rounding."""

LEVEL: Final = "level"
"""Name of the levels that are kept."""

WIDTH: Final = "half_width_"
"""Beginning of the names of half-widths; the number of the channel follows."""


def levels_for(errors: int) -> tuple[float, ...]:
    """Levels for which this many errors are enough.

    Raises:
        CalibrationError: they are too few for the calibrated std.
    """
    levels = tuple(level for level in LEVELS if level * (errors + 1) <= errors + ROUNDING)
    if ONE_SIGMA not in levels:
        raise CalibrationError(
            f"calibration: too few pixels for an interval of 68 % (got {errors}). Hold out larger fields."
        )
    return levels


def usable_widths(widths: Float64Array, levels: Sequence[float], channel: int) -> tuple[float, ...]:
    """Return the half-widths of a channel at these levels as plain numbers.

    Raises:
        CalibrationError: one is not finite, or that of one std is zero.
    """
    if not (np.isfinite(widths).all() and widths[levels.index(ONE_SIGMA)] > 0):
        raise no_fit("interval", f"68 % of the errors of channel {channel} are zero or too large")
    return tuple(widths.tolist())


def half_width(calibration: Calibration, std: FloatArray, level: float) -> FloatArray:
    """Half-width of the interval of a level, same shape and dtype as ``std`` [n c (z) y x], counts.

    A level between two that are kept uses the higher one.

    Raises:
        CalibrationError: calibration of another calibrator, or for another number of channels; or a level
            higher than all that are kept.
    """
    channels = sum(name.startswith(WIDTH) for name in calibration.parameters)
    if std.ndim < 3 or channels != std.shape[1]:
        raise does_not_fit(calibration, channels, std.shape)
    kept = calibration.parameters[LEVEL]
    index = int(np.searchsorted(kept, level - ROUNDING))
    if index == len(kept):
        raise CalibrationError(
            f"calibration: the held-out pixels allow intervals up to {kept[-1]:g} (got {level:g}). "
            f"Use a lower level, or hold out more pixels."
        )
    widths = [calibration.parameters[f"{WIDTH}{channel}"][index] for channel in range(channels)]
    half: FloatArray = std * np.asarray(widths, dtype=std.dtype).reshape(1, -1, *[1] * (std.ndim - 2))
    return half
