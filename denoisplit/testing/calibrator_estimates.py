"""Conformance suite for denoisplit's own calibrators, which also refuse what others may accept."""

import math

import attrs
import numpy as np
import pytest
from hypothesis import strategies as st

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.calibrating import fit_squares
from denoisplit.testing.calibrator_laws.calibrator_extremes import FEW
from denoisplit.testing.calibrator_laws.sum_calibrators import Held
from denoisplit.testing.calibrators import CalibratorTests
from denoisplit.testing.refusals import refusing
from denoisplit.testing.strategies import seeds
from denoisplit.testing.suite import in_two_and_three_dimensions, tried

_SURE, _UNSURE = 20.0, 1.7
"""Numbers of standard errors above zero that are beyond doubt, and that may well be chance."""

_MAPPING, _FOLLOWED = {"affine", "isotonic"}, 0.1
"""Calibrators that map a predicted std to the error there, and by how much that may be off."""


class OwnCalibratorTests(CalibratorTests):
    """Laws of refusals, and of estimated squared errors, which hold trivially where none are accepted."""

    @in_two_and_three_dimensions
    @tried(3, data=st.data(), seed=seeds())
    def test_errors_that_may_be_none_are_refused(self, rank: int, data: st.DataObject, seed: int) -> None:
        """In one line, where estimates are above zero by chance; beyond doubt, the std matches them."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        try:
            fit_squares(calibrator, held.mean, held.std, held.std**2)
        except CalibrationError:
            return
        for certain in (-_SURE, 0.0, _UNSURE):
            with refusing(CalibrationError):
                fit_squares(calibrator, held.mean, held.std, _alternating(held.std, certain))
        fitted = fit_squares(calibrator, held.mean, held.std, _alternating(held.std, _SURE))
        found = self.applied(calibrator, fitted, held)
        size = _SURE / math.sqrt(held.std[:, 0].size)
        apart = math.sqrt(float((found**2).mean() / (size * held.std**2).mean()))
        assert abs(apart - 1) < 0.1, f"the std is {apart:.3g} times as large as the estimated errors"

    @in_two_and_three_dimensions
    @tried(2, data=st.data(), seed=seeds(), share=st.sampled_from([0.0, 0.5]))
    def test_errors_that_grow_with_the_std_are_calibrated_so(
        self, rank: int, data: st.DataObject, seed: int, share: float
    ) -> None:
        """Above a floor, too, by calibrators that map the std as it is, without a factor."""
        if self.name() not in _MAPPING:
            pytest.skip("its std is a multiple of the predicted one")
        calibrator, held = self.drawn(data), self.held_out(rank, seed, factors=(1.0, 1.0))
        real = share * held.std + (1 - share) * held.std.mean()
        truth = held.mean + real / held.std * (held.truth - held.mean)
        off = np.abs(self.calibrated(calibrator, attrs.evolve(held, truth=truth)) / real - 1)
        assert float(np.quantile(off, 0.9)) < _FOLLOWED, (
            f"the std of a tenth of the pixels is off by {np.quantile(off, 0.9):.0%} where errors have "
            f"{share:g} of the slope of the std"
        )

    @in_two_and_three_dimensions
    def test_one_channel_and_few_pixels_are_enough(self, rank: int) -> None:
        """A channel alone is calibrated as beside others; one pixel per channel is refused in one line."""
        calibrator, held = self.calibrator(self.smallest()), self.held_out(rank, 0)
        alone = Held(*(array[:, 1:] for array in attrs.astuple(held)))
        found, both = self.calibrated(calibrator, alone), self.calibrated(calibrator, held)
        assert np.allclose(found, both[:, 1:], rtol=1e-9), "a channel alone has another std"
        part = (slice(0, 1), slice(None), *(slice(0, 1),) * rank)
        with refusing(CalibrationError):
            self.fit(calibrator, Held(*(array[part] for array in attrs.astuple(held))))
        wrong = attrs.evolve(held, truth=held.truth[:1])
        with refusing(CalibrationError):
            self.fit(calibrator, wrong)

    @in_two_and_three_dimensions
    def test_pixels_in_a_row_are_calibrated_as_in_an_image(self, rank: int) -> None:
        """Sums over regions are such rows [n c regions]; from a truth and from squared errors."""
        calibrator, held = self.calibrator(self.smallest()), self.held_out(rank, 0)
        row = Held(*(array.reshape(*array.shape[:2], -1) for array in attrs.astuple(held)))
        found, whole = self.calibrated(calibrator, row), self.calibrated(calibrator, held)
        assert np.allclose(found.reshape(whole.shape), whole, rtol=1e-9), "pixels in a row have another std"
        try:
            one, two = (fit_squares(calibrator, h.mean, h.std, (h.truth - h.mean) ** 2) for h in (row, held))
        except CalibrationError:
            return
        for name, numbers in two.parameters.items():
            assert np.allclose(one.parameters[name], numbers, rtol=1e-9), f"a row has another {name}"

    @in_two_and_three_dimensions
    def test_few_pixels_of_the_same_std_have_that_of_their_errors(self, rank: int) -> None:
        """And no interval covers one pixel more or less than it says; of others, many pixels are asked."""
        self.examine_constant_std(rank, FEW)

    @in_two_and_three_dimensions
    def test_a_calibration_of_others_is_refused(self, rank: int) -> None:
        """For another number of channels, and for levels that are not probabilities: in one line."""
        calibrator, held = self.calibrator(self.smallest()), self.held_out(rank, 0)
        fitted = self.fit(calibrator, held)
        other = Held(*(array[:, :1] for array in attrs.astuple(held)))
        with refusing(CalibrationError):
            self.applied(calibrator, fitted, other)
        for level in (0.0, 1.0, -0.5, 1.5, math.nan):
            with refusing(CalibrationError):
                calibrator.interval(fitted, held.mean, held.std, level)


def _alternating(std: Float64Array, certain: float) -> Float64Array:
    """Return squared errors, alternating among pixels of similar std, ``certain`` standard errors above 0."""
    made = np.empty_like(std)
    for channel in range(std.shape[1]):
        place = np.argsort(np.argsort(std[:, channel], axis=None)).reshape(std[:, channel].shape)
        sign = np.where((place * 7919) % 2, 1.0, -1.0)
        made[:, channel] = (sign + certain / math.sqrt(place.size)) * std[:, channel] ** 2
    return made
