"""Intervals for new fields: how far fields are moved apart, and what training fields add."""

import math
from collections.abc import Sequence

import attrs
import numpy as np
import pytest
from scipy.stats import norm

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration, FieldSums
from denoisplit.plugins.calibrators.by_field import ByField
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.field_spread import Sizes
from denoisplit.testing.calibrator_laws.field_calibrators import made_field

BY_FIELD = ByField(ByField.Options())


def sizes(held: Sequence[float], seen: Sequence[float] = (), *, chance: float = 0.0) -> Sizes:
    """Logarithms of sizes, as given."""
    logs = np.array([*held, *seen], float)
    return Sizes(logs, np.arange(len(logs)) >= len(held), chance)


def test_held_out_fields_count_by_how_far_training_fields_are_off_beyond_chance() -> None:
    """Means 0.3 apart and a variance of 0.02: 0.09 - 0.02 / 2 - 0.02 / 2 of it are beyond chance."""
    found = sizes([0.2, 0.4], [-0.1, 0.1]).moved_logs
    doubt = 0.09 - 0.01 - 0.01 + 0.01
    assert found.mean() == pytest.approx(0.3 * doubt / (doubt + 0.01))


def half(calibration: Calibration, level: float = 0.9) -> float:
    one = np.ones((1, 2, 1))
    return float(BY_FIELD.interval(calibration, 0 * one, one, level)[1][0, 0, 0])


@pytest.mark.parametrize("count", [2, 3, 7])
def test_fields_vary_around_their_mean_as_a_new_one_does(count: int) -> None:
    logs: Float64Array = np.random.default_rng(count).normal(size=count)
    moved = sizes(list(logs)).moved_logs
    assert moved.mean() == pytest.approx(logs.mean())
    assert moved.var() == pytest.approx(logs.var(ddof=1) * (1 + 1 / count))
    np.testing.assert_allclose(
        moved - moved.mean(), math.sqrt((count + 1) / (count - 1)) * (logs - logs.mean())
    )


def test_a_single_field_and_equal_fields_stay_where_they_are() -> None:
    assert sizes([0.3]).moved_logs == pytest.approx([0.3])
    assert sizes([0.3, 0.3, 0.3]).moved_logs == pytest.approx([0.3] * 3)
    assert sizes([0.3]).spread == 0


def test_differences_that_are_chance_move_nothing_apart() -> None:
    """Of three fields whose differences are all chance, only the doubt about their mean is left."""
    logs = [-0.1, 0.0, 0.1]
    found = sizes(logs, chance=0.01)
    assert found.spread == pytest.approx(0, abs=1e-6)
    assert found.moved_logs.var() == pytest.approx(0.01 / 3)
    assert sizes(logs, chance=0.004).spread == pytest.approx(math.sqrt(0.01 - 0.004))


@pytest.mark.parametrize("squared", [False, True])
def test_chance_is_how_far_logarithms_of_sizes_vary_between_equal_fields(squared: bool) -> None:
    errors = np.random.default_rng(0).normal(size=(4000, 100))
    scores, measure = (errors**2, Sizes.of_squares) if squared else (np.abs(errors), Sizes.of_errors)
    found = measure(list(scores), [False] * len(scores), 0)
    assert found.chance == pytest.approx(found.logs.var(), rel=0.08)


def test_training_fields_that_agree_make_the_mean_surer() -> None:
    """With 30 of them, three held-out fields have the weight that their variance of 0.09 leaves them."""
    spread = norm.ppf((np.arange(30) + 0.5) / 30)
    seen = 0.3 * spread / spread.std(ddof=1)
    found = sizes([-0.2, 0.1, 0.4], list(seen))
    variance = (0.18 + 29 * 0.09) / 31
    doubt = 0.01 + variance / 30
    weight = doubt / (doubt + variance / 3)
    assert found.moved_logs.mean() == pytest.approx(0.1 * weight)
    assert found.moved_logs.var() == pytest.approx(variance * (1 + weight / 3))


def test_training_fields_that_differ_clearly_hardly_count() -> None:
    assert sizes([0.0, 0.01, 0.02], [-2.0, -2.01, -2.02]).moved_logs == pytest.approx([0.01] * 6, abs=0.03)


def test_one_field_is_calibrated_as_conformal_does() -> None:
    field = made_field(2.0, 1)
    found = BY_FIELD.fit_fields([field])
    assert field.truth is not None
    other = Conformal(Conformal.Options()).fit(field.mean[None], field.std[None], field.truth[None])
    assert "spread" not in found.parameters
    for name, numbers in other.parameters.items():
        assert found.parameters[name] == pytest.approx(numbers), name


def test_the_spread_is_that_of_the_logarithms_of_sizes() -> None:
    found = BY_FIELD.fit_fields([made_field(size, 1) for size in (0.5, 1.0, 2.0)])
    np.testing.assert_allclose(found.parameters["spread"], math.log(2), rtol=0.01)


def test_squared_errors_of_fields_are_those_of_gaussians() -> None:
    """The interval of a level covers it in the mixture of the fields that were moved apart."""
    fields = [_squared(made_field(size, 1)) for size in (0.5, 1.0, 2.0)]
    found = BY_FIELD.fit_fields(fields)
    stds = np.exp(math.sqrt(2) * np.log([0.5, 1.0, 2.0]))
    for level in (0.5, 0.9, 0.99):
        covered = np.mean(2 * norm.cdf(half(found, level) / stds) - 1)
        assert covered == pytest.approx(level, abs=0.005)


def test_fields_need_errors_of_one_kind_and_one_that_was_held_out() -> None:
    field = made_field(1.0, 1)
    with pytest.raises(CalibrationError, match="Give all of them the same"):
        BY_FIELD.fit_fields([field, _squared(field)])
    with pytest.raises(CalibrationError, match="no field was held out"):
        BY_FIELD.fit_fields([attrs.evolve(field, seen=True)])
    assert field.truth is not None
    with pytest.raises(CalibrationError, match="mean absolute scores"):
        BY_FIELD.fit_fields([field, attrs.evolve(field, truth=field.mean)])


def test_sums_are_checked_on_held_out_fields_only() -> None:
    """Training fields calibrate, too, but neither count as blocks nor as fields that were left out."""
    calibrator = ByField(ByField.Options(sides=(4,), fewest=1000))
    held = [[attrs.evolve(made_field(1.0, n), pixels=16)] for n in range(2)]
    seen = [[attrs.evolve(made_field(0.9, n + 9), pixels=16, seen=True)] for n in range(5)]
    with pytest.raises(CalibrationError, match="800 regions, but 1000"):
        calibrator.fit_regions([*held, *seen])
    calibrator = ByField(ByField.Options(sides=(4,)))
    alone, both = (calibrator.fit_regions(fields) for fields in (held, [*held, *seen]))
    assert both.parameters["fields"] == alone.parameters["fields"] == (2.0,)
    assert both.parameters["regions"] == (800.0,)
    assert both.parameters["4:half_width_0"] != alone.parameters["4:half_width_0"]
    assert calibrator.sum_interval(both, channel=0, pixels=16, level=0.9).holds


def _squared(field: FieldSums) -> FieldSums:
    assert field.truth is not None
    return attrs.evolve(field, truth=None, squares=(field.truth - field.mean) ** 2)
