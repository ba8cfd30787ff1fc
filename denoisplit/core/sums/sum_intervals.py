"""What the calibration of a run says about sums over regions of any sizes."""

import attrs
import numpy as np

from denoisplit.core.arrays import Float64Array, IntArray
from denoisplit.core.network.interfaces import Calibration, SumCalibrator, SumInterval


@attrs.frozen
class SumIntervals:
    """A calibrator of sums and what it learned in training."""

    calibrator: SumCalibrator
    calibration: Calibration

    def at(self, pixels: int, *, channel: int, level: float) -> SumInterval:
        """What is known about the sum of a channel over a region of so many pixels."""
        return self.calibrator.sum_interval(self.calibration, channel=channel, pixels=pixels, level=level)

    def of(self, pixels: IntArray, *, channels: int, level: float) -> tuple[Float64Array, Float64Array]:
        """The same for many regions.

        Args:
            pixels: [regions], in each.
            channels: how many.
            level: probability of the interval.

        Returns:
            Calibrated std and half of the interval [c regions], in stds of the sums of the samples; NaN where
            nothing is known.
        """
        sizes, place = np.unique(pixels, return_inverse=True)
        found = [[self.at(int(n), channel=c, level=level) for n in sizes] for c in range(channels)]
        std, half = (
            np.array([[getattr(one, name) for one in row] for row in found], dtype=np.float64)
            for name in ("std", "half_width")
        )
        return std[:, place], half[:, place]
