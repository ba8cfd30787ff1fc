"""The law of calibrators about the precision of their arrays."""

from typing import Final

import attrs
import numpy as np
import pytest
from hypothesis import strategies as st

from denoisplit.core.network.calibrating import calibrated_std, gives_std
from denoisplit.testing.calibrator_laws.sum_calibrators import Held, SumTests
from denoisplit.testing.strategies import seeds
from denoisplit.testing.suite import in_two_and_three_dimensions, tried

_ROUNDED: Final = 1e-3
"""Relative error of a std in single precision; pixels at the edges of bins may be off by more."""

_LEVEL: Final = 0.9


class PrecisionTests(SumTests):
    """Laws of arrays in single and in double precision."""

    @in_two_and_three_dimensions
    @pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
    @tried(2, data=st.data(), seed=seeds())
    def test_std_and_intervals_have_the_type_of_the_arrays(
        self, rank: int, dtype: type[np.floating], data: st.DataObject, seed: int
    ) -> None:
        """Predictions are in single precision, whose std is that of double precision but for rounding."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        rounded = Held(*(array.astype(dtype) for array in attrs.astuple(held)))
        fitted = self.fit(calibrator, rounded)
        for name, numbers in fitted.parameters.items():
            odd = {type(number).__name__ for number in numbers if not isinstance(number, float | int)}
            assert not odd, (
                f"fitted to {np.dtype(dtype)}, {name} has numbers of {', '.join(odd)}: make plain ones, as "
                f"tolist() does"
            )
        found = dict(
            zip(
                ("lower bound", "upper bound"),
                calibrator.interval(fitted, rounded.mean, rounded.std, _LEVEL),
                strict=True,
            )
        )
        if gives_std(calibrator):
            found["std"] = calibrated_std(calibrator, fitted, rounded.mean, rounded.std)
        for what, array in found.items():
            assert array.dtype == dtype, (
                f"for arrays of {np.dtype(dtype)} the {what} is of {array.dtype}: give it the type of the "
                f"std, as astype(std.dtype) does"
            )
            assert array.shape == held.mean.shape, f"the {what} has the shape {array.shape}"
        apart = self.applied(calibrator, fitted, rounded) / self.calibrated(calibrator, held) - 1
        assert float(np.median(np.abs(apart))) < _ROUNDED, (
            f"in {np.dtype(dtype)} the std is {float(np.median(np.abs(apart))):.2g} from that in float64"
        )
