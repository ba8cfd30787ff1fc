"""Intervals of sums over regions of any size, from the calibration of a run."""

import attrs
import numpy as np

from denoisplit.core.arrays import Float64Array, IntArray
from denoisplit.core.network.calibrating import applying
from denoisplit.core.network.interfaces import Calibration, SumCalibrator, SumInterval


@attrs.frozen
class SumIntervals:
    """A calibrator of sums and the calibration that it fitted in training.

    Attributes:
        calibrator: the calibrator.
        calibration: what it fitted.
        samples: number of posterior samples to which it was fitted.
    """

    calibrator: SumCalibrator
    calibration: Calibration
    samples: int

    def at(self, pixels: int, *, channel: int, level: float) -> SumInterval:
        """Return the interval of the sum of a channel over a region of this many pixels."""
        with applying(self.calibration):
            return self.calibrator.sum_interval(self.calibration, channel=channel, pixels=pixels, level=level)

    def of(self, pixels: IntArray, *, channels: int, level: float) -> tuple[Float64Array, Float64Array]:
        """Return the intervals of many regions.

        Args:
            pixels: number of pixels in each region [regions].
            channels: number of channels.
            level: probability of the interval.

        Returns:
            Calibrated std and half-width of the interval [c regions], in stds of the sums of the samples; NaN
            where they are not known.
        """
        sizes, place = np.unique(pixels, return_inverse=True)
        found = [[self.at(int(n), channel=c, level=level) for n in sizes] for c in range(channels)]
        std, half = (
            np.array([[getattr(one, name) for one in row] for row in found], dtype=np.float64)
            for name in ("std", "half_width")
        )
        return std[:, place], half[:, place]
