"""Laws of calibrators that look at fields one by one."""

import math
from collections.abc import Sequence

import attrs
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.special import erf, ndtri
from scipy.stats import qmc

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import (
    AnyCalibrator,
    Calibration,
    Calibrator,
    FieldCalibrator,
    FieldSums,
    IntervalCalibrator,
)
from denoisplit.testing.calibrator_laws.sum_calibrators import SumTests, even_errors, scaled, without_truth
from denoisplit.testing.strategies import seeds
from denoisplit.testing.suite import tried

_PIXELS = 400
_CHOICES = 64
_HELD, _SEEN = 3, 12
"""Numbers of held-out and of training fields."""

_USUAL, _APART = 1.7, 0.4
"""Usual size of errors, in stds, and the std of its logarithm between fields."""

_LEVELS = (0.5, 0.9)
_COVERED, _NEARLY, _SURER = 0.006, 0.02, 0.8
_ALONE, _BESIDE, _SQUARED = "alone", "beside training fields", "with squared errors"


class FieldTests(SumTests):
    """Laws of calibrators for which the field is the unit; they do not apply to others."""

    @tried(2, seed=seeds())
    def test_intervals_cover_new_fields_as_often_as_they_say(self, seed: int) -> None:
        """On average over choices of three fields and over new ones, where the sizes of errors differ.

        From a truth, also beside training fields with errors of the same sizes, and from squared errors.
        """
        calibrator = self.of_fields(self.calibrator(self.defaults()))
        new = _USUAL * np.exp(_APART * ndtri((np.arange(200) + 0.5) / 200))
        for what, half in self.half_widths_of_choices(calibrator, seed).items():
            for level, found in half.items():
                covered = float(erf(found[:, None] / new / math.sqrt(2)).mean())
                assert abs(covered - level) < _COVERED, (
                    f"intervals of {level:g} from three fields {what} cover {covered:.3f} of the pixels of "
                    f"new ones"
                )

    @tried(1, seed=seeds())
    def test_training_fields_with_such_errors_make_it_vary_less(self, seed: int) -> None:
        """If the calibrator asks for any: choices of three fields differ less in their intervals."""
        calibrator = self.of_fields(self.calibrator(self.defaults()))
        if calibrator.most_seen < _SEEN:
            return
        found = self.half_widths_of_choices(calibrator, seed)
        for level in _LEVELS:
            alone, both = (float(np.log(found[what][level]).std()) for what in (_ALONE, _BESIDE))
            assert both < _SURER * alone, (
                f"with {_SEEN} training fields, half-widths of {level:g} vary {both / alone:.0%} as much"
            )

    @tried(2, data=st.data(), seed=seeds())
    def test_intervals_cover_the_fields_of_the_fit_where_one_is_unlike(
        self, data: st.DataObject, seed: int
    ) -> None:
        """Nearly as often as they say, all fields together; from a truth and from squared errors."""
        calibrator = self.of_fields(self.drawn(data))
        sizes = np.array([3.0, *np.linspace(0.9, 1.1, 11)])
        fields = [made_field(size, seed + number) for number, size in enumerate(sizes)]
        squared = without_truth(fields)
        for those in (fields, squared):
            if those is squared and not self.takes_squares(calibrator, squared):
                continue
            fitted = calibrator.fit_fields(those)
            for level in (0.5, 0.8, 0.9):
                half = self.half_width(calibrator, fitted, level)
                covered = float(erf(half / sizes / math.sqrt(2)).mean())
                assert abs(covered - level) < _NEARLY, (
                    f"intervals of {level:g} cover {covered:.3f} of the pixels of their own fields"
                )

    @tried(2, data=st.data(), seed=seeds(), scale=st.sampled_from([0.01, 100.0]))
    def test_a_field_whose_errors_may_be_none_has_no_unit(
        self, data: st.DataObject, seed: int, scale: float
    ) -> None:
        """Squared errors that are below zero on average, in another unit of the std, tell as much."""
        calibrator = self.of_fields(self.drawn(data))
        fields = [made_field(1.0, seed + number) for number in range(4)]
        squared = without_truth(fields)
        if not self.takes_squares(calibrator, squared):
            return
        none = squared[0]
        turned = np.where(np.arange(_PIXELS) % 2, 1.0, -1.01) * none.std**2
        squared[0] = attrs.evolve(none, squares=turned)
        other = [attrs.evolve(one, std=scale * one.std) for one in squared]
        one, two = (self.half_width(calibrator, calibrator.fit_fields(x), 0.9) for x in (squared, other))
        assert abs(scale * two / one - 1) < 1e-6, "in another unit of the std, the interval is another"

    @tried(2, data=st.data(), seed=seeds())
    def test_a_large_field_counts_like_a_small_one(self, data: st.DataObject, seed: int) -> None:
        """Ten times as many pixels of a field tell nothing about other fields."""
        calibrator = self.of_fields(self.drawn(data))
        rest = [made_field(size, seed + number) for number, size in enumerate((0.7, 1.0, 1.5))]
        half = [
            self.half_width(calibrator, calibrator.fit_fields([*rest, one]), 0.9)
            for one in (made_field(3.0, seed), made_field(3.0, seed, pixels=10 * _PIXELS))
        ]
        assert abs(half[1] / half[0] - 1) < 0.05, "a larger field counts for more"

    @tried(3, data=st.data(), seed=seeds(), times=st.sampled_from([0.1, 0.2, 6.0]))
    def test_training_fields_do_not_decide(self, data: st.DataObject, seed: int, times: float) -> None:
        """Errors of quite another size where the network was trained say little about those elsewhere."""
        calibrator = self.of_fields(self.drawn(data))
        sizes = (0.8, 0.9, 1.0, 1.1, 1.25)
        held = [made_field(size, seed + number) for number, size in enumerate(sizes)]
        seen = [
            attrs.evolve(made_field(times * size, seed + 10 + number), seen=True)
            for number, size in enumerate((*sizes, *sizes))
        ]
        alone, both = (
            self.half_width(calibrator, calibrator.fit_fields(fields), 0.9) for fields in (held, held + seen)
        )
        assert abs(both / alone - 1) < 0.1, (
            f"training fields with {times:g} times the errors change the interval of 90 % by "
            f"{both / alone - 1:.0%}"
        )

    def of_fields(self, calibrator: AnyCalibrator) -> FieldCalibrator:
        """Return a calibrator of fields; the law does not apply to one of pixels."""
        if not isinstance(calibrator, FieldCalibrator):
            pytest.skip("it does not look at fields one by one")
        return calibrator

    def half_widths_of_choices(
        self, calibrator: FieldCalibrator, seed: int
    ) -> dict[str, dict[float, Float64Array]]:
        """Return half-widths [choices] by what they are fitted to, and by level.

        Squared errors are left out where the calibrator says that it needs a truth.
        """
        drawn = ndtri(qmc.Sobol(_HELD + _SEEN, rng=np.random.default_rng(seed)).random(_CHOICES))
        fields = [made_field(1.0, seed + number) for number in range(_HELD + _SEEN)]
        found: dict[str, list[list[float]]] = {_ALONE: [], _BESIDE: [], _SQUARED: []}
        for choice in _USUAL * np.exp(_APART * drawn.clip(-4, 4)):
            every = [scaled(field, size) for field, size in zip(fields, choice, strict=True)]
            held = every[:_HELD]
            seen = [attrs.evolve(field, seen=True) for field in every[_HELD:]][: calibrator.most_seen]
            squared = without_truth(held)
            for what, those in ((_ALONE, held), (_BESIDE, held + seen), (_SQUARED, squared)):
                if what == _SQUARED and not self.takes_squares(calibrator, squared):
                    continue
                fitted = calibrator.fit_fields(those)
                found[what].append([self.half_width(calibrator, fitted, level) for level in _LEVELS])
        return {
            what: dict(zip(_LEVELS, np.array(half).T, strict=True)) for what, half in found.items() if half
        }

    def takes_squares(self, calibrator: FieldCalibrator, fields: Sequence[FieldSums]) -> bool:
        """Whether a calibrator takes squared errors; it may say that it needs a truth, as its class does."""
        try:
            calibrator.fit_fields(fields)
        except CalibrationError:
            return isinstance(calibrator, Calibrator | IntervalCalibrator)
        return True

    def half_width(self, calibrator: FieldCalibrator, fitted: Calibration, level: float) -> float:
        """Half the width of the interval of a pixel with mean 300 and std 1, of the first channel."""
        one = np.ones((1, 2, 1, 1))
        low, high = calibrator.interval(fitted, 300 * one, one, level)
        return float(np.asarray(high)[0, 0, 0, 0] - np.asarray(low)[0, 0, 0, 0]) / 2

    def fitted_with_seen(self, calibrator: AnyCalibrator) -> Sequence[Calibration]:
        """Fit to fields and as many training fields as it takes; nothing for a calibrator of pixels."""
        if not isinstance(calibrator, FieldCalibrator):
            return ()
        fields = [made_field(size, number) for number, size in enumerate((0.7, 1.0, 1.5))]
        seen = [attrs.evolve(made_field(0.8 + number / 50, number), seen=True) for number in range(40)]
        return (calibrator.fit_fields([*fields, *seen[: calibrator.most_seen]]),)


def made_field(size: float, seed: int, *, pixels: int = _PIXELS) -> FieldSums:
    """Return the pixels of a field of two channels with Gaussian errors, ``size`` times the predicted std."""
    rng = np.random.default_rng(seed)
    std: Float64Array = rng.gamma(5, 2, (2, pixels))
    mean: Float64Array = rng.normal(300, 50, std.shape)
    return FieldSums(pixels=1, mean=mean, std=std, truth=mean + size * std * even_errors(std[None], rng)[0])
