"""Laws of calibrators that look at fields one by one."""

import math
from collections.abc import Sequence

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf, ndtri
from scipy.stats import qmc

from denoisplit.core.arrays import Float64Array
from denoisplit.core.network.interfaces import AnyCalibrator, Calibration, FieldCalibrator, FieldSums
from denoisplit.testing.strategies import seeds
from denoisplit.testing.suite import law
from denoisplit.testing.sum_calibrators import SumTests, even_errors

_PIXELS = 400
_CHOICES = 64
_APART = 0.4
"""Std of the logarithm of the size of errors between fields."""


class FieldTests(SumTests):
    """Laws of calibrators for which the field is the unit; they do not apply to others."""

    @law(2)
    @given(data=st.data(), seed=seeds())
    def test_intervals_cover_new_fields_as_often_as_they_say(self, data: st.DataObject, seed: int) -> None:
        """On average over choices of three fields and over new ones, where the sizes of errors differ."""
        calibrator = self.of_fields(data)
        drawn = ndtri(qmc.Sobol(3, rng=np.random.default_rng(seed)).random(_CHOICES).clip(1e-6, 1 - 1e-6))
        new = np.exp(_APART * ndtri((np.arange(200) + 0.5) / 200))
        for level in (0.5, 0.9):
            found = []
            for choice in np.exp(_APART * drawn):
                fields = [made_field(size, seed + number) for number, size in enumerate(choice)]
                half = self.half_width(calibrator, calibrator.fit_fields(fields), level)
                found.append(erf(half / new / math.sqrt(2)).mean())
            covered = float(np.mean(found))
            assert abs(covered - level) < 0.008, (
                f"intervals of {level:g} from three fields cover {covered:.3f} of the pixels of new ones"
            )

    @law(2)
    @given(data=st.data(), seed=seeds())
    def test_a_large_field_counts_like_a_small_one(self, data: st.DataObject, seed: int) -> None:
        """Ten times as many pixels of a field tell nothing about other fields."""
        calibrator = self.of_fields(data)
        rest = [made_field(size, seed + number) for number, size in enumerate((0.7, 1.0, 1.5))]
        half = [
            self.half_width(calibrator, calibrator.fit_fields([*rest, one]), 0.9)
            for one in (made_field(3.0, seed), made_field(3.0, seed, pixels=10 * _PIXELS))
        ]
        assert abs(half[1] / half[0] - 1) < 0.05, "a larger field counts for more"

    @law(2)
    @given(data=st.data(), seed=seeds(), smaller=st.sampled_from([0.1, 0.2]))
    def test_training_fields_do_not_decide(self, data: st.DataObject, seed: int, smaller: float) -> None:
        """Errors that are far smaller where the network was trained say little about those elsewhere."""
        calibrator = self.of_fields(data)
        sizes = (0.8, 0.9, 1.0, 1.1, 1.25)
        held = [made_field(size, seed + number) for number, size in enumerate(sizes)]
        seen = [
            attrs.evolve(made_field(smaller * size, seed + 10 + number), seen=True)
            for number, size in enumerate((*sizes, *sizes))
        ]
        alone, both = (
            self.half_width(calibrator, calibrator.fit_fields(fields), 0.9) for fields in (held, held + seen)
        )
        assert abs(both / alone - 1) < 0.1, (
            f"training fields with smaller errors change the interval of 90 % by {both / alone - 1:.0%}"
        )

    def of_fields(self, data: st.DataObject) -> FieldCalibrator:
        """A calibrator of fields; the law does not apply to one of pixels."""
        calibrator = self.drawn(data)
        if not isinstance(calibrator, FieldCalibrator):
            pytest.skip("it does not look at fields one by one")
        return calibrator

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
