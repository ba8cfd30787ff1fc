"""Intervals of sums over regions: right at every size they were fitted to, silent elsewhere."""

import math
from collections.abc import Sequence

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration, FieldSums
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.region import Region

FACTORS = {4: (2.0, 3.0), 16: (6.0, 9.0), 64: (20.0, 30.0)}
"""By side, of two channels: how many times as large as the spread of the sums their errors are."""


def region(*sides: int, fewest: int = 20) -> Region:
    return Region(Region.Options(sides=sides or tuple(FACTORS), fewest=fewest))


def sums(side: int, seed: int, *, regions: int = 200, wild: float = 1.0, known: str = "truth") -> FieldSums:
    """Errors are Gaussian, ``FACTORS`` (times ``wild``) as large as the joint std."""
    rng = np.random.default_rng((side, seed))
    mean, std = rng.normal(1000, 300, (2, regions)), rng.uniform(1, 9, (2, regions))
    error = wild * np.array(FACTORS[side])[:, None] * std * rng.normal(size=std.shape)
    if known == "truth":
        return FieldSums(pixels=side**2, mean=mean, std=std, truth=mean - error)
    # Unbiased estimates of the squared errors, some of them negative.
    return FieldSums(pixels=side**2, mean=mean, std=std, squares=error**2 + 20 * rng.normal(size=std.shape))


def fields(count: int, *sides: int, known: str = "truth", regions: int = 200) -> list[list[FieldSums]]:
    chosen = sides or tuple(FACTORS)
    return [[sums(side, n, known=known, regions=regions) for side in chosen] for n in range(count)]


def asked(
    calibrator: Region, calibration: Calibration, side: float, level: float = 0.9
) -> tuple[Float64Array, Float64Array]:
    """Std and half-width of both channels."""
    found = [
        calibrator.sum_interval(calibration, channel=c, pixels=round(side**2), level=level) for c in (0, 1)
    ]
    return np.array([one.std for one in found], float), np.array([one.half_width for one in found], float)


@pytest.mark.parametrize("known", ["truth", "squares"])
def test_every_size_has_its_own_width(known: str) -> None:
    calibrator = region()
    calibration = calibrator.fit_regions(fields(6, known=known))
    for side, factors in FACTORS.items():
        for level in (0.5, 0.68, 0.9, 0.95):
            std, half = asked(calibrator, calibration, side, level)
            np.testing.assert_allclose(std, factors, rtol=0.12)
            np.testing.assert_allclose(half, np.array(factors) * norm.ppf((1 + level) / 2), rtol=0.12)
        assert calibrator.sum_interval(calibration, channel=1, pixels=side**2, level=0.9).holds


def test_new_fields_are_covered_as_often_as_promised() -> None:
    calibrator = region()
    calibration = calibrator.fit_regions(fields(6))
    for side in FACTORS:
        new = sums(side, 77, regions=20000)
        assert new.truth is not None
        for level in (0.5, 0.68, 0.9, 0.95):
            _, half = asked(calibrator, calibration, side, level)
            covered = (np.abs(new.truth - new.mean) <= half[:, None] * new.std).mean(axis=1)
            # Half-widths of 1200 regions are off by sqrt(p q / 1200) of the probability.
            np.testing.assert_allclose(covered, level, atol=4 * math.sqrt(level * (1 - level) / 1200))


def test_between_two_sizes_the_width_follows_a_power_of_the_side() -> None:
    """A power law through both ends; 8 is the geometric mean of 4 and 16."""
    calibrator = region()
    calibration = calibrator.fit_regions(fields(4))
    (low, below), (middle, between), (high, above) = (asked(calibrator, calibration, s) for s in (4, 8, 16))
    np.testing.assert_allclose(middle, np.sqrt(low * high))
    np.testing.assert_allclose(between, np.sqrt(below * above))
    assert calibrator.sum_interval(calibration, channel=0, pixels=64, level=0.9).holds


@pytest.mark.parametrize(
    ("pixels", "said"), [(15, "smaller than 4 x 4 px"), (65**2, "larger than 64 x 64 px")]
)
def test_other_sizes_are_not_guessed(pixels: int, said: str) -> None:
    calibrator = region()
    found = calibrator.sum_interval(calibrator.fit_regions(fields(4)), channel=0, pixels=pixels, level=0.9)
    assert (found.std, found.half_width, found.holds) == (None, None, False)
    assert found.note == f"No calibration: {said}."


def test_too_few_blocks_of_a_size_are_told() -> None:
    held = [[sums(4, n), sums(16, n), sums(64, n, regions=6)] for n in range(3)]
    found = region().sum_interval(region().fit_regions(held), channel=0, pixels=64**2, level=0.9)
    assert found.half_width is None
    assert found.note == "No calibration: larger than 16 x 16 px; only 18 blocks of 64 x 64 px were held out."
    with pytest.raises(CalibrationError, match=r"64 x 64 px: 18 regions, but 20 are needed\."):
        region().fit_regions([[sums(64, n, regions=6)] for n in range(3)])
    with pytest.raises(CalibrationError, match="no region of any size"):
        region().fit_regions([[], []])
    none = region(4, 128).fit_regions(fields(3, 4))
    assert (
        region()
        .sum_interval(none, channel=0, pixels=9999, level=0.9)
        .note.endswith("only 0 blocks of 128 x 128 px were held out.")
    )


def test_a_size_that_could_not_be_calibrated_is_told() -> None:
    held = fields(2, 4, 16)
    for field in held:
        field[1] = attrs.evolve(field[1], std=0 * field[1].std)
    calibration = region(4, 16).fit_regions(held)
    larger, smaller = (
        region().sum_interval(calibration, channel=0, pixels=pixels, level=0.9).note for pixels in (99, 1)
    )
    assert larger == "No calibration: larger than 4 x 4 px; sums over 16 x 16 px could not be calibrated."
    assert smaller == "No calibration: smaller than 4 x 4 px."


def test_a_level_that_few_regions_do_not_reach_is_told() -> None:
    """The largest of n scores is the quantile n / (n + 1)."""
    calibration = region(fewest=10).fit_regions([[sums(4, n, regions=5)] for n in range(3)])
    found = region().sum_interval(calibration, channel=0, pixels=16, level=0.95)
    assert (found.half_width, found.holds) == (None, False)
    assert found.note == "There were too few blocks for an interval of 95%."
    assert found.std is not None


def test_a_single_field_cannot_vouch_for_itself() -> None:
    calibrator = region()
    found = calibrator.sum_interval(calibrator.fit_regions(fields(1)), channel=0, pixels=16, level=0.9)
    assert found.half_width is not None
    assert not found.holds
    assert found.note.startswith("Not checked for blocks of 4 x 4 px: that takes two held-out fields")


@pytest.mark.parametrize("known", ["truth", "squares"])
def test_fields_that_differ_too_much_do_not_hold(known: str) -> None:
    """Every field errs in its own size, so the calm ones leave most of the wild one uncovered."""
    wild = [[sums(4, n, wild=30.0**n, known=known)] for n in range(3)]
    calibration = region().fit_regions(wild)
    found = region().sum_interval(calibration, channel=0, pixels=16, level=0.9)
    assert found.note.startswith("Does not hold: of blocks of 4 x 4 px in left-out fields")
    assert calibration.parameters["lowest 4"][0] < 0.2


def test_left_out_coverage_is_that_of_the_numbers_of_the_other_fields() -> None:
    held = fields(3, 4, regions=40)
    calibration = region().fit_regions(held)
    covered = []
    for n in range(3):
        others = region().fit_regions(held[:n] + held[n + 1 :])
        (own,) = held[n]
        _, half = asked(region(), others, 4)
        assert own.truth is not None
        covered.append((np.abs(own.truth - own.mean) <= half[:, None] * own.std).mean(axis=1))
    np.testing.assert_allclose(calibration.parameters["left_out 4"], np.mean(covered, axis=0))
    np.testing.assert_allclose(calibration.parameters["lowest 4"], np.min(covered, axis=0))


def test_the_planes_of_a_field_are_left_out_together() -> None:
    """Otherwise a field would vouch for itself."""
    planes = [sums(4, n, wild=30.0 ** (n // 2)) for n in range(4)]
    apart = region().fit_regions([[plane] for plane in planes])
    together = region().fit_regions([planes[:2], planes[2:]])
    assert together.parameters["lowest 4"][0] < 0.1 < apart.parameters["lowest 4"][0]
    assert together.parameters["4:half_width_0"] == apart.parameters["4:half_width_0"]


def test_a_pixel_is_a_region_of_one_pixel() -> None:
    rng = np.random.default_rng(0)
    mean, std = rng.normal(300, 50, (2, 2, 2, 16, 16))
    std = np.abs(std) + 1
    truth = mean + 2 * std * rng.normal(size=mean.shape)
    conformal = Conformal(Conformal.Options())
    one, other = region().fit(mean, std, truth), conformal.fit(mean, std, truth)
    np.testing.assert_array_equal(region().apply(one, std), conformal.apply(other, std))
    flat = [
        FieldSums(
            pixels=1, mean=mean[n].reshape(2, -1), std=std[n].reshape(2, -1), truth=truth[n].reshape(2, -1)
        )
        for n in range(2)
    ]
    of_sums = region(1).fit_regions([[part] for part in flat])
    np.testing.assert_array_equal(region().apply(of_sums, std), conformal.apply(other, std))


@given(unit=st.floats(0.01, 100), spread=st.floats(0.01, 100))
@settings(max_examples=15, deadline=None)
def test_units_do_not_count_and_a_wrong_spread_is_made_good(unit: float, spread: float) -> None:
    held = fields(3, 4, 16, regions=40)

    def changed(part: FieldSums) -> FieldSums:
        assert part.truth is not None
        return FieldSums(
            pixels=part.pixels, mean=unit * part.mean, std=unit * spread * part.std, truth=unit * part.truth
        )

    one, other = (
        region().fit_regions(of) for of in (held, [[changed(part) for part in field] for field in held])
    )
    for side in (4, 7, 16):
        for mine, scaled in zip(asked(region(), one, side), asked(region(), other, side), strict=True):
            np.testing.assert_allclose(scaled * spread, mine)


@pytest.mark.parametrize("what", ["another", "channel", "level"])
def test_what_does_not_fit_is_refused(what: str) -> None:
    calibration = region().fit_regions(fields(2))
    if what == "another":
        calibration = Calibration("denoisplit/scale", {"factor": (1.0, 2.0)})
    with pytest.raises(CalibrationError, match=r"does not fit|must be between 0 and 1"):
        region().sum_interval(
            calibration,
            channel=5 if what == "channel" else 0,
            pixels=16,
            level=90 if what == "level" else 0.9,
        )
    with pytest.raises(CalibrationError, match="does not fit"):
        region().apply(calibration, np.ones((1, 2, 3, 3)))


def test_samples_that_agree_have_no_spread_to_widen() -> None:
    (part,) = fields(1, 4)[0]
    still: Sequence[FieldSums] = [
        FieldSums(pixels=16, mean=part.mean, std=0 * part.std, truth=part.truth) for _ in range(2)
    ]
    with pytest.raises(CalibrationError, match="4 x 4 px: the predicted std is not above zero"):
        region().fit_regions([[one] for one in still])
