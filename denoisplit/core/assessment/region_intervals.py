"""What the calibration of a run says about sums over regions of any sizes."""

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import Float64Array
from denoisplit.core.network.interfaces import Calibration, RegionCalibrator, SumInterval


@attrs.frozen(eq=False)
class SizedIntervals:
    """Arrays [c regions] in joint stds of the sums; NaN where nothing is known.

    Attributes:
        std: calibrated std.
        half_width: half of the interval.
    """

    std: Float64Array
    half_width: Float64Array


@attrs.frozen
class RegionIntervals:
    """A calibrator of regions and what it learned in training."""

    calibrator: RegionCalibrator
    calibration: Calibration

    def at(self, pixels: int, *, channel: int, level: float) -> SumInterval:
        """What is known about the sum of a channel over a region of so many pixels."""
        return self.calibrator.sum_interval(self.calibration, channel=channel, pixels=pixels, level=level)

    def of(self, pixels: npt.NDArray[np.int64], *, channels: int, level: float) -> SizedIntervals:
        """The same for many regions.

        Args:
            pixels: [regions], in each.
            channels: how many.
            level: probability of the interval.
        """
        sizes, place = np.unique(pixels, return_inverse=True)
        found = [[self.at(int(n), channel=c, level=level) for n in sizes] for c in range(channels)]
        shape = (channels, len(sizes))
        std, half = (
            np.array([getattr(one, name) for row in found for one in row], dtype=np.float64).reshape(shape)
            for name in ("std", "half_width")
        )
        return SizedIntervals(std[:, place], half[:, place])
