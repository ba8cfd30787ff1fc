"""The exam of a calibrator."""

import json
import math
from typing import Any, ClassVar

import attrs
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration, Calibrator, FieldSums, RegionCalibrator
from denoisplit.testing.strategies import seeds
from denoisplit.testing.suite import ComponentTests, accepted, in_two_and_three_dimensions, law, one_line

Array = npt.NDArray[np.float64]

_BINS = 10
_SUMS = 300
_LEVELS = (0.5, 0.68, 0.9, 0.95)


@attrs.frozen
class Held:
    """Held-out fields with a posterior; arrays [n c (z) y x] in counts."""

    mean: Array
    std: Array
    truth: Array


class CalibratorTests(ComponentTests):
    """Laws of calibrators: no pixel is dropped, units do not matter, and intervals cover what they say."""

    kind: ClassVar[str] = "calibrator"

    def calibrator(self, options: Any) -> Calibrator:
        """A calibrator."""
        made: Calibrator = self.target()(options)
        return made

    def drawn(self, data: st.DataObject) -> Calibrator:
        """A calibrator with drawn options."""
        options = data.draw(self.options())
        made: Calibrator = accepted(lambda: self.calibrator(options))
        return made

    def held_out(self, rank: int, seed: int, *, factors: tuple[float, float] = (1.7, 0.6)) -> Held:
        """Two fields of two channels whose real errors are Gaussian, ``factors`` times the predicted std."""
        rng = np.random.default_rng(seed)
        shape = (2, 2, 40, 40) if rank == 2 else (2, 2, 8, 20, 20)
        mean, std = rng.normal(300, 50, shape), rng.gamma(5, 2, shape)
        real = np.array(factors).reshape(1, 2, *(1,) * rank)
        return Held(mean, std, mean + real * std * rng.normal(size=shape))

    def fit(self, calibrator: Calibrator, held: Held) -> Calibration:
        """Fit to held-out fields."""
        return calibrator.fit(held.mean, held.std, held.truth)

    def calibrated(self, calibrator: Calibrator, held: Held) -> Array:
        """Calibrated std of the fields that it was fitted to."""
        found = calibrator.apply(self.fit(calibrator, held), held.std)
        return np.asarray(found, dtype=np.float64)

    @in_two_and_three_dimensions
    @law(4)
    @given(data=st.data(), seed=seeds(), scale=st.floats(1e-3, 1e3))
    def test_a_std_in_other_units_changes_nothing(
        self, rank: int, data: st.DataObject, seed: int, scale: float
    ) -> None:
        """Whatever the unit of the predicted std, the calibrated one is in that of the errors."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        once = self.calibrated(calibrator, held)
        _close(self.calibrated(calibrator, attrs.evolve(held, std=scale * held.std)), once, "another std")

    @in_two_and_three_dimensions
    @law(4)
    @given(data=st.data(), seed=seeds(), scale=st.floats(1e-3, 1e3))
    def test_images_in_other_units_give_a_std_in_those(
        self, rank: int, data: st.DataObject, seed: int, scale: float
    ) -> None:
        """Counts or photons: the calibrated std changes with the unit and in no other way."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        other = Held(scale * held.mean, scale * held.std, scale * held.truth)
        expected = scale * self.calibrated(calibrator, held)
        _close(self.calibrated(calibrator, other), expected, "images in other units have another std")

    @in_two_and_three_dimensions
    @law(4)
    @given(data=st.data(), seed=seeds())
    def test_calibrating_twice_changes_nothing(self, rank: int, data: st.DataObject, seed: int) -> None:
        """What is calibrated already stays as it is."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        once = self.calibrated(calibrator, held)
        twice = self.calibrated(calibrator, attrs.evolve(held, std=once))
        _close(twice, once, "a second calibration changes the std")

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data(), seed=seeds())
    def test_intervals_cover_as_often_as_they_say(self, rank: int, data: st.DataObject, seed: int) -> None:
        """On the fields of the fit, for every channel; higher levels have wider intervals."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        fitted = self.fit(calibrator, held)
        widths: list[Any] = [np.zeros_like(held.mean)]
        for level in _LEVELS:
            low, high = calibrator.interval(fitted, held.mean, held.std, level)
            axes = (0, *range(2, held.mean.ndim))
            covered = ((held.truth >= low) & (held.truth <= high)).mean(axes)
            pixels = held.mean.size / held.mean.shape[1]
            error = 5 * math.sqrt(level * (1 - level) / pixels) + 0.01
            assert (abs(covered - level) < error).all(), (
                f"intervals of {level:g} cover {', '.join(f'{c:.3f}' for c in covered)} of the channels"
            )
            widths.append(np.asarray(high) - np.asarray(low))
            assert (widths[-1] > widths[-2]).all(), f"an interval of {level:g} is no wider than a lower one"

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data(), seed=seeds())
    def test_no_bin_is_dropped(self, rank: int, data: st.DataObject, seed: int) -> None:
        """Larger errors in any tenth of the pixels, sorted by std, change the calibration."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed, factors=(1.0, 1.0))
        before = self.calibrated(calibrator, held)
        place = np.argsort(np.argsort(held.std, axis=None)).reshape(held.std.shape) * _BINS // held.std.size
        for number in range(_BINS):
            wild = held.mean + np.where(place == number, 10, 1) * (held.truth - held.mean)
            after = self.calibrated(calibrator, attrs.evolve(held, truth=wild))
            assert not np.allclose(after, before, rtol=1e-3), (
                f"errors of the pixels in bin {number} of {_BINS} (by std) do not count"
            )

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data(), seed=seeds())
    def test_order_of_pixels_and_fields_does_not_matter(
        self, rank: int, data: st.DataObject, seed: int
    ) -> None:
        """A calibration knows no places."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        turned = Held(*(np.flip(x, (0, -1, -2)) for x in (held.mean, held.std, held.truth)))
        found = np.flip(self.calibrated(calibrator, turned), (0, -1, -2))
        _close(found, self.calibrated(calibrator, held), "pixels in another order have another std")

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data(), seed=seeds())
    def test_every_channel_is_calibrated_by_itself(self, rank: int, data: st.DataObject, seed: int) -> None:
        """Errors of one channel leave the others alone, and the order of channels does not matter."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        before = self.calibrated(calibrator, held)
        wild = held.truth.copy()
        wild[:, 0] += 3 * (held.truth - held.mean)[:, 0]
        after = self.calibrated(calibrator, attrs.evolve(held, truth=wild))
        _close(after[:, 1], before[:, 1], "errors of a channel change the std of another")
        assert not np.allclose(after[:, 0], before[:, 0]), "errors of a channel do not change its std"
        swapped = Held(*(x[:, ::-1].copy() for x in (held.mean, held.std, held.truth)))
        found = self.calibrated(calibrator, swapped)[:, ::-1]
        _close(found, before, "channels in another order have another std")

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data(), seed=seeds())
    def test_calibrations_are_plain_numbers(self, rank: int, data: st.DataObject, seed: int) -> None:
        """Written as JSON and read again, a calibration gives the same std."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        fitted = self.fit(calibrator, held)
        plain = json.dumps({name: list(numbers) for name, numbers in fitted.parameters.items()})
        read = Calibration(fitted.component, json.loads(plain))
        one, two = (calibrator.apply(c, held.std) for c in (fitted, read))
        assert one.shape == held.std.shape, f"a std of the shape {one.shape} comes out"
        assert bool((one > 0).all() and np.isfinite(one).all()), "a calibrated std is not above zero"
        assert np.array_equal(one, two), "the std is another after writing and reading the calibration"

    @law(3)
    @given(data=st.data(), seed=seeds())
    def test_intervals_of_sums_cover_as_often_as_they_say(self, data: st.DataObject, seed: int) -> None:
        """At every size with its own error, in every channel; for calibrators of regions."""
        calibrator = self.of_regions(data)
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

    @law(3)
    @given(data=st.data(), seed=seeds())
    def test_sums_of_other_sizes_do_not_hold(self, data: st.DataObject, seed: int) -> None:
        """An interval that was not checked is not said to hold, and there is a reason."""
        calibrator = self.of_regions(data)
        fitted = calibrator.fit_regions([self.sums(calibrator, seed + number) for number in range(4)])
        largest = max(calibrator.sides)
        known, larger = (
            calibrator.sum_interval(fitted, channel=0, pixels=pixels, level=0.9)
            for pixels in (largest**2, 16 * largest**2)
        )
        assert known.holds, f"a size that was fitted does not hold: {known.note}"
        assert not larger.holds, "sums over regions of another size are said to hold"
        assert larger.note, "there is no reason why sums over regions of another size do not hold"

    def of_regions(self, data: st.DataObject) -> RegionCalibrator:
        """A calibrator of regions; the law does not apply to one of pixels alone."""
        calibrator = self.drawn(data)
        if not isinstance(calibrator, RegionCalibrator):
            pytest.skip("it calibrates pixels alone")
        return calibrator

    def sums(self, calibrator: RegionCalibrator, seed: int) -> list[FieldSums]:
        """Blocks of a field: the larger they are, the more their errors exceed the spread of the samples."""
        made = []
        for side in calibrator.sides:
            rng = np.random.default_rng((seed, side))
            mean, std = rng.normal(300, 50, (2, _SUMS)), rng.gamma(5, 2, (2, _SUMS))
            real = side * np.array([[1.7], [0.6]])
            truth = mean + real * std * rng.normal(size=mean.shape)
            made.append(FieldSums(pixels=side**2, mean=mean, std=std, truth=truth))
        return made

    @in_two_and_three_dimensions
    @pytest.mark.parametrize("wrong", [0.0, math.nan, math.inf], ids=["zero", "nan", "infinite"])
    def test_a_std_that_is_zero_or_not_finite_is_refused(self, rank: int, wrong: float) -> None:
        """With a ``CalibrationError`` of one line; nothing is replaced or left out."""
        calibrator, held = self.calibrator(self.smallest()), self.held_out(rank, 0)
        held.std.flat[3] = wrong
        with pytest.raises(CalibrationError) as caught:
            self.fit(calibrator, held)
        assert one_line(caught.value), "the message has several lines or none"


def _close(found: Array, expected: Array, what: str) -> None:
    apart = float(np.max(np.abs(found / expected - 1)))
    assert apart < 1e-6, f"{what} (relative difference up to {apart:.3g})"
