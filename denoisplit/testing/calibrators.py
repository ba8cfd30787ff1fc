"""Conformance suite for calibrators."""

import json
import math
from contextlib import suppress
from functools import partial
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.calibrating import fit_squares
from denoisplit.core.network.interfaces import Calibration, MeanCalibrator, SumCalibrator
from denoisplit.testing.calibrator_laws.calibrator_extremes import ExtremeTests
from denoisplit.testing.calibrator_laws.calibrator_precision import PrecisionTests
from denoisplit.testing.calibrator_laws.field_calibrators import FieldTests
from denoisplit.testing.calibrator_laws.sum_calibrators import Held, cut
from denoisplit.testing.global_generators import leaving_generators_alone
from denoisplit.testing.option_effects import Trace, assert_options_have_effects
from denoisplit.testing.refusals import refusing, unless_refused
from denoisplit.testing.strategies import seeds
from denoisplit.testing.suite import accepted, examples, in_two_and_three_dimensions, tried

_BINS = 10
_LEVELS = (0.05, 0.5, 0.683, 0.9, 0.903, 0.95)
_SHORT, _LONG = 0.004, 0.009
"""How far the coverage may be from the level."""


class CalibratorTests(ExtremeTests, PrecisionTests, FieldTests):
    """Laws of calibrators: no pixel is dropped, units do not matter, and intervals have their coverage."""

    @in_two_and_three_dimensions
    @tried(4, data=st.data(), seed=seeds(), scale=st.floats(1e-3, 1e3))
    def test_a_std_in_other_units_changes_nothing(
        self, rank: int, data: st.DataObject, seed: int, scale: float
    ) -> None:
        """Whatever the unit of the predicted std, the calibrated one is in that of the errors.

        Also where the predicted std does not predict the errors, or predicts the contrary.
        """
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        fallen = held.mean + (held.truth - held.mean) * (held.std.mean() / held.std).clip(0.5, 2) ** 2
        for fields in (held, attrs.evolve(held, truth=fallen)):
            once = self.calibrated(calibrator, fields)
            other = self.calibrated(calibrator, attrs.evolve(fields, std=scale * held.std))
            _close(other, once, "another std")

    @in_two_and_three_dimensions
    @tried(4, data=st.data(), seed=seeds(), scale=st.floats(1e-3, 1e3))
    def test_images_in_other_units_give_a_std_in_those(
        self, rank: int, data: st.DataObject, seed: int, scale: float
    ) -> None:
        """Counts or photons: the calibrated std changes with the unit and in no other way."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        other = Held(scale * held.mean, scale * held.std, scale * held.truth)
        expected = scale * self.calibrated(calibrator, held)
        _close(self.calibrated(calibrator, other), expected, "images in other units have another std")

    @in_two_and_three_dimensions
    @tried(4, data=st.data(), seed=seeds())
    def test_calibrating_twice_changes_nothing(self, rank: int, data: st.DataObject, seed: int) -> None:
        """A calibrated std stays as it is, also where no single factor describes the errors."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        uneven = np.where(held.mean > np.median(held.mean), 2, 1) * (held.truth - held.mean)
        for fields in (held, attrs.evolve(held, truth=held.mean + uneven)):
            once = self.calibrated(calibrator, fields)
            twice = self.calibrated(calibrator, attrs.evolve(fields, std=once))
            _close(twice, once, "a second calibration changes the std")

    @in_two_and_three_dimensions
    @tried(3, data=st.data(), seed=seeds())
    def test_intervals_cover_as_often_as_they_say(self, rank: int, data: st.DataObject, seed: int) -> None:
        """On the fields of the fit, for every channel and on both sides; higher levels have wider intervals.

        The errors are spread so evenly that chance plays no part, and an error of half a percent shows.
        """
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        fitted = self.fit(calibrator, held)
        widths: list[Any] = [np.zeros_like(held.mean)]
        for level in _LEVELS:
            low, high = calibrator.interval(fitted, held.mean, held.std, level)
            axes = (0, *range(2, held.mean.ndim))
            below, above = ((held.truth < low).mean(axes), (held.truth > high).mean(axes))
            covered = 1 - below - above
            inside = (covered - level > -_SHORT) & (covered - level < _LONG)
            assert inside.all(), (
                f"intervals of {level:g} cover {', '.join(f'{c:.4f}' for c in covered)} of the channels"
            )
            assert (abs(below - above) < 4 * _LONG).all(), f"an interval of {level:g} is not central"
            widths.append(np.asarray(high) - np.asarray(low))
            assert (widths[-1] > widths[-2]).all(), f"an interval of {level:g} is no wider than a lower one"

    @in_two_and_three_dimensions
    @tried(3, data=st.data(), seed=seeds())
    def test_squared_errors_calibrate_as_a_truth_does(
        self, rank: int, data: st.DataObject, seed: int
    ) -> None:
        """Also where noise makes single ones negative; or a calibrator says that it needs the errors."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        squares = (held.truth - held.mean) ** 2
        noise = np.random.default_rng(seed).normal(size=squares.shape) * held.std**2
        noise -= noise.mean((0, *range(2, noise.ndim)), keepdims=True)
        expected = self.calibrated(calibrator, held)
        for added, tolerance in ((0.0, 0.05), (1.0, 0.25)):
            fit = partial(fit_squares, calibrator, held.mean, held.std, squares + added * noise)
            fitted = unless_refused(fit, CalibrationError)
            if fitted is None:
                return
            found = self.applied(calibrator, fitted, held)
            apart = float(np.sqrt(((found / expected - 1) ** 2).mean()))
            assert apart < tolerance, (
                f"squared errors give a std that is {apart:.0%} from that of the truth on average"
            )

    @in_two_and_three_dimensions
    @tried(3, data=st.data(), seed=seeds())
    def test_a_part_of_an_image_is_calibrated_as_in_the_whole(
        self, rank: int, data: st.DataObject, seed: int
    ) -> None:
        """Every pixel by its own mean and std alone: images are predicted in tiles."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        fitted = self.fit(calibrator, held)
        part = (slice(1, 2), slice(None), *(slice(2, 2 + side // 2) for side in held.mean.shape[2:]))
        tile = Held(*(x[part].copy() for x in (held.mean, held.std, held.truth)))
        whole, found = (self.applied(calibrator, fitted, one) for one in (held, tile))
        _close(found, whole[part], "the std of a part is another than in the whole")
        ends, own = (
            np.asarray(calibrator.interval(fitted, one.mean, one.std, 0.9), dtype=np.float64)
            for one in (held, tile)
        )
        _close(own, ends[:, *part], "the interval of a part is another than in the whole")

    @in_two_and_three_dimensions
    @tried(3, data=st.data(), seed=seeds())
    def test_errors_that_follow_the_mean_are_calibrated_so(
        self, rank: int, data: st.DataObject, seed: int
    ) -> None:
        """Larger or smaller errors of bright pixels show in their std, if the calibrator sees the mean."""
        calibrator = self.drawn(data)
        if not isinstance(calibrator, MeanCalibrator):
            return
        held = self.held_out(rank, seed, factors=(1.0, 1.0))
        bright = held.mean > np.median(held.mean)
        for size in (0.5, 2.0):
            errors = np.where(bright, size, 1) * (held.truth - held.mean)
            after = self.calibrated(calibrator, attrs.evolve(held, truth=held.mean + errors)) / held.std
            grown = float(after[bright].mean() / after[~bright].mean())
            assert abs(math.log(grown / size)) < math.log(2) / 2, (
                f"errors of bright pixels are {size:g} times as large, but their std {grown:.2g} times"
            )

    @in_two_and_three_dimensions
    @tried(3, data=st.data(), seed=seeds())
    def test_means_and_stds_that_were_never_seen_have_an_interval(
        self, rank: int, data: st.DataObject, seed: int
    ) -> None:
        """Finite, and the std above zero, for pixels far brighter, darker, surer or less sure."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        fitted = self.fit(calibrator, held)
        for shift in (-1e4, 0.0, 1e4):
            for scale in (0.01, 1.0, 100.0):
                other = Held(held.mean + shift, held.std * scale, held.truth)
                found = self.applied(calibrator, fitted, other)
                ends = np.asarray(calibrator.interval(fitted, other.mean, other.std, 0.9))
                assert bool((found > 0).all() and np.isfinite(found).all() and np.isfinite(ends).all()), (
                    f"pixels {shift:+g} counts from those of the fit, with a std times {scale:g}, have a "
                    f"std down to {found.min():.3g}"
                )

    def test_every_option_has_an_effect(self) -> None:
        """On the fit to pixels or to sums over many or few regions."""
        held = self.held_out(2, 3)

        def trace(options: Any) -> Trace:
            calibrator = self.calibrator(options)
            fitted = [self.fit(calibrator, held), *self.fitted_with_seen(calibrator)]
            if isinstance(calibrator, SumCalibrator):
                fields = [self.sums(calibrator, number) for number in range(3)]
                fitted.append(calibrator.fit_regions(fields))
                for few in range(9, 13):
                    with suppress(CalibrationError):
                        fitted.append(calibrator.fit_regions([[cut(sums, slice(few)) for sums in fields[0]]]))
            return tuple(
                (f"{n}:{name}", torch.as_tensor(np.asarray(numbers, dtype=np.float64)))
                for n, one in enumerate(fitted)
                for name, numbers in one.parameters.items()
            )

        assert_options_have_effects(examples(self.options()), trace, unseen=self.unseen)

    @in_two_and_three_dimensions
    @tried(3, data=st.data(), seed=seeds())
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
    @tried(3, data=st.data(), seed=seeds())
    def test_order_of_pixels_and_fields_does_not_matter(
        self, rank: int, data: st.DataObject, seed: int
    ) -> None:
        """A calibration does not depend on positions."""
        calibrator, held = self.drawn(data), self.held_out(rank, seed)
        turned = Held(*(np.flip(x, (0, -1, -2)) for x in (held.mean, held.std, held.truth)))
        found = np.flip(self.calibrated(calibrator, turned), (0, -1, -2))
        _close(found, self.calibrated(calibrator, held), "pixels in another order have another std")

    @in_two_and_three_dimensions
    @tried(3, data=st.data(), seed=seeds())
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
    @tried(3, data=st.data(), seed=seeds())
    def test_calibrations_are_plain_numbers(self, rank: int, data: st.DataObject, seed: int) -> None:
        """Read from JSON and used by another calibrator, which fitted something else, they mean the same."""
        options, held = data.draw(self.options()), self.held_out(rank, seed)
        calibrator, other = (accepted(lambda: self.calibrator(options)) for _ in range(2))
        with leaving_generators_alone("a fit"):
            fitted = self.fit(calibrator, held)
        self.fit(other, self.held_out(rank, seed + 1, factors=(0.5, 3.1)))
        for name, numbers in fitted.parameters.items():
            kind = type(numbers).__name__
            assert isinstance(numbers, list | tuple), f"{name} is a {kind}: make a list, as tolist() does"
        plain = json.dumps(dict(fitted.parameters))
        read = Calibration(fitted.component, json.loads(plain))
        one, two = self.applied(calibrator, fitted, held), self.applied(other, read, held)
        assert one.shape == held.std.shape, f"a std of the shape {one.shape} comes out"
        assert bool((one > 0).all() and np.isfinite(one).all()), "a calibrated std is not above zero"
        assert np.array_equal(one, two), (
            "the std is another after writing and reading the calibration, which has to hold all of the fit"
        )

    @in_two_and_three_dimensions
    @pytest.mark.parametrize("wrong", [0.0, math.nan, math.inf], ids=["zero", "nan", "infinite"])
    def test_a_std_that_is_zero_or_not_finite_is_refused(self, rank: int, wrong: float) -> None:
        """With a ``CalibrationError`` of one line; nothing is replaced or left out."""
        calibrator, held = self.calibrator(self.smallest()), self.held_out(rank, 0)
        held.std.flat[3] = wrong
        with refusing(CalibrationError):
            self.fit(calibrator, held)


def _close(found: Float64Array, expected: Float64Array, what: str) -> None:
    apart = float(np.max(np.abs(found / expected - 1)))
    assert apart < 1e-6, f"{what} (relative difference up to {apart:.3g})"
