"""How far a transform is from uniform, beside the statistic of Kolmogorov and Smirnov in SciPy."""

import numpy as np
import pytest
from scipy.stats import kstest

from denoisplit.plugins.noise_models.pair_moments import calibration_error


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.3, 1.0), (0.0, 0.6), (0.2, 0.9)])
def test_the_calibration_error_is_the_largest_distance_from_uniform(low: float, high: float) -> None:
    transformed = np.random.default_rng(0).uniform(low, high, 500)
    assert calibration_error(transformed) == pytest.approx(kstest(transformed, "uniform").statistic)
