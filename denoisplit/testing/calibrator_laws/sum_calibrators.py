"""Test cases for calibrators, and their laws about sums over regions."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.special import ndtri

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.calibrating import calibrated_std, gives_std
from denoisplit.core.network.interfaces import AnyCalibrator, Calibration, FieldSums, SumCalibrator
from denoisplit.testing.refusals import refusing
from denoisplit.testing.strategies import seeds
from denoisplit.testing.suite import ComponentTests, accepted, tried

_SUMS, _PLANE = 300, 100
"""Numbers of sums in a field, and in the first of two planes of it."""

_LEVELS = (0.5, 0.68, 0.9, 0.95)
_FACTORS = (1.7, 0.6)
ONE_STD = math.erf(1 / math.sqrt(2))
"""Probability of a Gaussian within one std."""
_GOLDEN = (math.sqrt(5) - 1) / 2
_SILVER = math.sqrt(2) - 1


@attrs.frozen
class Held:
    """Held-out fields with a posterior; arrays [n c (z) y x] in counts."""

    mean: Float64Array
    std: Float64Array
    truth: Float64Array


def even_errors(std: Float64Array, rng: np.random.Generator, step: float = _GOLDEN) -> Float64Array:
    """Return standard normal numbers for a std [n c (z) y x], spread evenly among pixels of similar std.

    Along the std of a channel, quantiles follow the golden ratio: any number of neighbours has nearly the
    quantiles of the normal distribution, so that little of a fit is left to chance. Numbers of another
    ``step`` are also spread evenly relative to these.
    """
    errors = np.empty_like(std)
    for channel in range(std.shape[1]):
        count = std[:, channel].size
        order = np.argsort(std[:, channel], axis=None)
        quantiles = (rng.uniform() + step * np.arange(count)) % 1
        ranks = np.empty(count)
        ranks[np.argsort(quantiles)] = (np.arange(count) + 0.5) / count
        own = np.empty(count)
        own[order] = ndtri(ranks)
        errors[:, channel] = own.reshape(std[:, channel].shape)
    return errors


class SumTests(ComponentTests):
    """Laws of calibrators of sums; they do not apply to those of pixels alone."""

    kind: ClassVar[str] = "calibrator"

    def calibrator(self, options: Any) -> AnyCalibrator:
        """A calibrator."""
        made: AnyCalibrator = self.target()(options)
        return made

    def drawn(self, data: st.DataObject) -> AnyCalibrator:
        """Draw a calibrator."""
        options = data.draw(self.options())
        made: AnyCalibrator = accepted(lambda: self.calibrator(options))
        return made

    def held_out(self, rank: int, seed: int, *, factors: tuple[float, float] = (1.7, 0.6)) -> Held:
        """Return two fields of two channels with Gaussian errors of ``factors`` times the predicted std.

        This holds for pixels of any predicted std and mean: see ``even_errors``.
        """
        rng = np.random.default_rng(seed)
        shape = (2, 2, 40, 40) if rank == 2 else (2, 2, 8, 20, 20)
        std = rng.gamma(5, 2, shape)
        mean = 300 + 50 * even_errors(std, rng, _SILVER)
        real = np.array(factors).reshape(1, 2, *(1,) * rank)
        return Held(mean, std, mean + real * std * even_errors(std, rng))

    def fit(self, calibrator: AnyCalibrator, held: Held) -> Calibration:
        """Fit to held-out fields."""
        return calibrator.fit(held.mean, held.std, held.truth)

    def calibrated(self, calibrator: AnyCalibrator, held: Held) -> Float64Array:
        """Return the calibrated std of the fields that it was fitted to."""
        return self.applied(calibrator, self.fit(calibrator, held), held)

    def applied(self, calibrator: AnyCalibrator, fitted: Calibration, held: Held) -> Float64Array:
        """Return the calibrated std; of a calibrator without std, the half-width of one std's interval."""
        if gives_std(calibrator):
            return np.asarray(calibrated_std(calibrator, fitted, held.mean, held.std), dtype=np.float64)
        low, high = calibrator.interval(fitted, held.mean, held.std, ONE_STD)
        return (np.asarray(high, dtype=np.float64) - low) / 2

    @tried(3, data=st.data(), seed=seeds())
    def test_intervals_of_sums_cover_as_often_as_they_say(self, data: st.DataObject, seed: int) -> None:
        """At every size with its own error, in every channel; for calibrators of sums."""
        calibrator = self.of_sums(data)
        fields = [self.sums(calibrator, seed + number) for number in range(4)]
        fitted = calibrator.fit_regions(fields)
        for size in range(len(calibrator.sides)):
            parts = [field[size] for field in fields]
            for channel in range(2):
                for level in _LEVELS:
                    found = calibrator.sum_interval(
                        fitted, channel=channel, pixels=parts[0].pixels, level=level
                    )
                    half = 0.0 if found.half_width is None else found.half_width
                    inside = [np.abs(p.truth - p.mean) <= half * p.std for p in parts if p.truth is not None]
                    covered = float(np.concatenate(inside, axis=1)[channel].mean())
                    error = 5 * math.sqrt(level * (1 - level) / _SUMS / 4) + 0.01
                    assert abs(covered - level) < error, (
                        f"intervals of {level:g} of sums over {parts[0].pixels} pixels cover {covered:.3f}"
                    )

    @tried(3, data=st.data(), seed=seeds())
    def test_the_std_of_sums_is_that_of_their_errors(self, data: st.DataObject, seed: int) -> None:
        """At every size with its own error and in between, from a truth and from squared errors."""
        calibrator = self.of_sums(data)
        fields = [self.sums(calibrator, seed + number) for number in range(4)]
        for given_fields in (fields, [without_truth(field) for field in fields]):
            fitted = calibrator.fit_regions(given_fields)
            for channel in range(2):
                last = 0.0
                sides = sorted({*calibrator.sides, *(a + 1 for a in calibrator.sides)})
                for side in [s for s in sides if s <= max(calibrator.sides)]:
                    found = calibrator.sum_interval(fitted, channel=channel, pixels=side**2, level=0.9)
                    std, half = found.std or 0.0, found.half_width or 0.0
                    real = side * _FACTORS[channel]
                    assert abs(std / real - 1) < 0.1, (
                        f"the std of sums over {side} x {side} pixels is {std:.3g} times that of the "
                        f"samples, their errors are {real:.3g} times as large"
                    )
                    assert abs(half / real / 1.645 - 1) < 0.1, "the half-width of 90 % is not that of errors"
                    assert std > last, "the std does not grow with the error"
                    last = std

    @tried(3, data=st.data(), seed=seeds())
    def test_sums_of_other_sizes_do_not_hold(self, data: st.DataObject, seed: int) -> None:
        """An interval that was not checked is not said to hold, and there is a reason."""
        calibrator = self.of_sums(data)
        fields = [self.sums(calibrator, seed + number) for number in range(4)]
        largest = max(calibrator.sides)
        for given_fields in (fields, [without_truth(field) for field in fields]):
            fitted = calibrator.fit_regions(given_fields)
            known, larger = (
                calibrator.sum_interval(fitted, channel=0, pixels=pixels, level=0.9)
                for pixels in (largest**2, 16 * largest**2)
            )
            assert known.holds, f"a size that was fitted does not hold: {known.note}"
            assert not larger.holds, "sums over regions of another size are said to hold"
            assert larger.note, "there is no reason why sums over regions of another size do not hold"

    @tried(2, data=st.data(), seed=seeds())
    def test_a_sum_without_a_calibration_is_refused(self, data: st.DataObject, seed: int) -> None:
        """Of a channel too many, at an impossible level, and with the calibration of another calibrator."""
        calibrator = self.of_sums(data)
        fitted = calibrator.fit_regions([self.sums(calibrator, seed + number) for number in range(2)])
        pixels = calibrator.sides[0] ** 2
        for found, channel, level in (
            (fitted, 2, 0.9),
            (fitted, 0, 0.0),
            (fitted, 0, 1.0),
            (Calibration(parameters={}), 0, 0.9),
        ):
            with refusing(CalibrationError):
                calibrator.sum_interval(found, channel=channel, pixels=pixels, level=level)

    @tried(2, data=st.data(), seed=seeds())
    def test_a_field_in_planes_is_one_field(self, data: st.DataObject, seed: int) -> None:
        """Sums of the planes of a field are left out together, and calibrate like those of the field."""
        calibrator = self.of_sums(data)
        fields = [self.sums(calibrator, seed + number) for number in range(3)]
        for given_fields in (fields, [without_truth(field) for field in fields]):
            planes = [
                [cut(sums, part) for sums in field for part in (slice(_PLANE), slice(_PLANE, None))]
                for field in given_fields
            ]
            one, two = (calibrator.fit_regions(each) for each in (given_fields, planes))
            assert one.parameters.keys() == two.parameters.keys(), "planes are calibrated for other sizes"
            for name, numbers in one.parameters.items():
                assert np.allclose(two.parameters[name], numbers, rtol=1e-9), f"planes have another {name}"

    @tried(2, data=st.data(), seed=seeds(), times=st.sampled_from([8.0, 20.0]))
    def test_fields_that_are_unlike_do_not_hold(self, data: st.DataObject, seed: int, times: float) -> None:
        """Where the errors of a field are of another size, no sum is said to hold, and why."""
        calibrator = self.of_sums(data)
        fields = [self.sums(calibrator, seed + number) for number in range(4)]
        uneven = [[scaled(sums, times) for sums in fields[0]], *fields[1:]]
        for given_fields in (uneven, [without_truth(field) for field in uneven], fields[:1]):
            fitted = calibrator.fit_regions(given_fields)
            for side in calibrator.sides:
                found = calibrator.sum_interval(fitted, channel=0, pixels=side**2, level=0.9)
                assert not found.holds, f"sums over {side} x {side} pixels of unlike fields hold"
                assert found.note, "there is no reason why they do not hold"

    def of_sums(self, data: st.DataObject) -> SumCalibrator:
        """A calibrator of sums; the law does not apply to one of pixels alone."""
        calibrator = self.drawn(data)
        if not isinstance(calibrator, SumCalibrator):
            pytest.skip("it calibrates pixels alone")
        return calibrator

    def sums(self, calibrator: SumCalibrator, seed: int) -> list[FieldSums]:
        """Return sums over blocks: the larger they are, the more errors exceed the spread of the samples."""
        made = []
        for side in calibrator.sides:
            rng = np.random.default_rng((seed, side))
            mean, std = rng.normal(300, 50, (2, _SUMS)), rng.gamma(5, 2, (2, _SUMS))
            real = side * np.array(_FACTORS)[:, None]
            truth = mean + real * std * even_errors(std[None], rng)[0]
            made.append(FieldSums(pixels=side**2, mean=mean, std=std, truth=truth))
        return made


def cut(sums: FieldSums, part: slice) -> FieldSums:
    """Return the sums over a part of the regions."""
    known = {name: getattr(sums, name) for name in ("mean", "std", "truth", "squares")}
    cuts: dict[str, Any] = {name: None if one is None else one[:, part] for name, one in known.items()}
    return attrs.evolve(sums, **cuts)


def scaled(sums: FieldSums, size: float) -> FieldSums:
    """Return sums with errors that are ``size`` times as large."""
    return attrs.evolve(sums, truth=sums.mean + size * _errors(sums))


def without_truth(fields: Sequence[FieldSums]) -> list[FieldSums]:
    """Return fields, or sums of several sizes, of which only the squared errors are known."""
    return [attrs.evolve(one, truth=None, squares=_errors(one) ** 2) for one in fields]


def _errors(sums: FieldSums) -> Float64Array:
    if sums.truth is None:
        raise ValueError("sums without a truth have no errors")
    errors: Float64Array = sums.truth - sums.mean
    return errors
