"""Widened intervals of sums: they hold in fields that they were not fitted to, or say that they do not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from denoisplit.core.arrays import Float64Array
from denoisplit.core.assessment.region_calibration import calibrate_regions
from denoisplit.core.assessment.region_reliability import region_reliability
from denoisplit.core.assessment.regions import PredictedSums, RegionErrors


def _fields(
    count: int, *, factor: float = 6.0, tail: bool = False, regions: int = 400
) -> tuple[list[Float64Array], list[Float64Array]]:
    """Errors ``factor`` times as large as the joint std, Gaussian or with long tails."""
    random = np.random.default_rng(0)
    variances = [random.uniform(1, 9, regions) for _ in range(count)]
    draw = random.standard_t if tail else None
    shapes = [draw(2, regions) if draw else random.normal(size=regions) for _ in range(count)]
    return [factor * np.sqrt(v) * e for v, e in zip(variances, shapes, strict=True)], variances


@pytest.mark.parametrize("tail", [False, True])
def test_left_out_fields_are_covered_whatever_the_shape_of_the_errors(tail: bool) -> None:
    found = calibrate_regions(*_fields(8, tail=tail))
    assert found is not None
    assert found.holds
    assert found.regions == 3200
    for covered in found.left_out:
        assert covered.fraction == pytest.approx(covered.level, abs=0.03)


def test_the_widening_of_gaussian_errors_is_their_factor() -> None:
    found = calibrate_regions(*_fields(8, factor=6))
    assert found is not None
    assert found.widening == pytest.approx(6, rel=0.06)
    for level, half in found.half_widths.items():
        assert half == pytest.approx(6 * norm.ppf((1 + level) / 2), rel=0.07)


@given(scale=st.floats(0.01, 100), unit=st.floats(0.01, 100))
@settings(max_examples=20)
def test_units_do_not_count_and_a_wrong_spread_is_made_good(scale: float, unit: float) -> None:
    errors, variances = _fields(3, regions=60)
    first = calibrate_regions(errors, variances)
    other = calibrate_regions([unit * e for e in errors], [(unit * scale) ** 2 * v for v in variances])
    assert first is not None
    assert other is not None
    for level, half in other.half_widths.items():
        assert half * scale == pytest.approx(first.half_widths[level])
    assert other.left_out == first.left_out


def test_fields_that_differ_too_much_do_not_hold() -> None:
    """Each field errs in its own size: a factor from the calm ones leaves most of the wild one uncovered."""
    errors, variances = _fields(3)
    found = calibrate_regions([error * 30**n for n, error in enumerate(errors)], variances)
    assert found is not None
    assert not found.holds


def test_few_regions_resolve_few_levels() -> None:
    """The n-th of n scores is the conformal quantile of n / (n + 1) at most."""
    errors, variances = _fields(2, regions=4)
    found = calibrate_regions(errors, variances)
    assert found is not None
    assert list(found.half_widths) == [0.5, 0.68]
    assert [c.level for c in found.left_out] == [0.5, 0.68]
    assert (found.holds, found.widening) == (False, None)
    ratios = np.sort(np.concatenate([abs(e) / np.sqrt(v) for e, v in zip(errors, variances, strict=True)]))
    assert found.half_widths[0.68] == pytest.approx(ratios[math.ceil(9 * 0.68) - 1])


def test_one_field_or_no_spread_has_no_calibration() -> None:
    errors, variances = _fields(2)
    assert calibrate_regions(errors[:1], variances[:1]) is None
    assert calibrate_regions(errors, [variances[0], 0 * variances[1]]) is None


def test_the_planes_of_a_field_are_left_out_together() -> None:
    """Otherwise a field would vouch for itself."""
    errors, variances = _fields(4, regions=60)
    planes = [
        RegionErrors(
            name="4 x 4 px",
            pixels=np.full(60, 16),
            error=error[None] * 30.0 ** (number // 2),
            predictions={how: PredictedSums(variance[None], {}) for how in ("joint", "independent")},
        )
        for number, (error, variance) in enumerate(zip(errors, variances, strict=True))
    ]
    (row,) = region_reliability([planes[:2], planes[2:]], ("a",))
    assert row.count == 240
    expected = calibrate_regions(
        [np.concatenate([planes[n].error[0], planes[n + 1].error[0]]) for n in (0, 2)],
        [np.concatenate(variances[n : n + 2]) for n in (0, 2)],
    )
    assert row.calibration == expected
    assert row.calibration is not None
    assert not row.calibration.holds
    (alone,) = region_reliability([planes[:2]], ("a",))
    assert alone.calibration is None
