"""What a calibrator does to the arrays that it is given changes no prediction."""

import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.network.interfaces import Calibration
from denoisplit.core.prediction.outputs.offers import Calibrated
from denoisplit.plugins.calibrators.scale import Scale


class InPlace(Scale):
    """Computes in the memory of its arguments."""

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        std *= 2
        return std

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        mean -= std
        return mean, mean + 2 * std


def test_a_calibrator_may_write_into_its_arguments() -> None:
    mean, std = np.full((2, 4, 5), 10.0), np.full((2, 4, 5), 3.0)
    known = Calibrated(InPlace(InPlace.Options()), Calibration(parameters={"factor": [1.0, 1.0]}))
    np.testing.assert_array_equal(known.std(mean, std), np.full((2, 4, 5), 6.0))
    low, high = known.interval(mean, std, 0.9)
    np.testing.assert_array_equal((low, high), (np.full((2, 4, 5), 7.0), np.full((2, 4, 5), 13.0)))
    np.testing.assert_array_equal((mean, std), (np.full((2, 4, 5), 10.0), np.full((2, 4, 5), 3.0)))
