"""What is usual: units, spreads and the rate of false alarms."""

import numpy as np
import pytest

from denoisplit.core.verdict.judgement import Measured, judge
from denoisplit.core.verdict.reference import Reference, Spread, parts, spreads, spreads_of_new


@pytest.mark.parametrize(
    ("shapes", "units"),
    [
        ([(64, 80)] * 20, 20),
        ([(64, 80)] * 4, 16),
        ([(5, 64, 80)] * 2, 32),
        ([(64, 64)], 16),
        ([(32, 40)], 4),
        ([(20, 9)], 1),
        ([(64, 64), (20, 200)], 2),
    ],
)
def test_fields_are_cut_as_little_as_gives_enough_units(shapes: list[tuple[int, ...]], units: int) -> None:
    found = parts(shapes)
    assert sum(len(cells) for cells in found) == units
    for shape, cells in zip(shapes, found, strict=True):
        covered = np.zeros(shape, dtype=int)
        for cell in cells:
            covered[cell] += 1
        assert (covered == 1).all()


def test_a_spread_is_mean_and_unbiased_std_of_the_units() -> None:
    values = np.random.default_rng(0).normal(3, 2, 9)
    found = spreads([{"a": float(value), "b": 1.0} for value in values], 100.0)
    assert found["a"].mean == pytest.approx(values.mean())
    assert found["a"].std == pytest.approx(values.std(ddof=1))
    assert (found["a"].count, found["a"].pixels, found["b"].std) == (9, 100.0, 0.0)


def test_too_few_units_say_nothing_and_neither_does_what_only_some_have() -> None:
    assert spreads([{"a": 1.0}, {"a": 2.0}, {"a": 3.0}], 100.0) == {}
    units = [{"a": 1.0, "b": 1.0}, {"a": 1.0}, {"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0}, {"a": 1.0}]
    assert set(spreads(units, 100.0)) == {"a"}


@pytest.mark.parametrize("count", [4, 8, 40])
def test_the_limits_are_left_at_the_stated_rate(count: int) -> None:
    """One more draw of the same normal distribution, however few there were."""
    rng = np.random.default_rng(count)
    trials, rate = 4000, 0.1
    units = rng.normal(5, 3, (trials, count))
    new = rng.normal(5, 3, trials)
    outside = 0
    for mean, std, value in zip(units.mean(1), units.std(1, ddof=1), new, strict=True):
        low, high = Spread(mean=mean, std=std, count=count, pixels=100.0).limits(rate, 100)
        outside += not low <= value <= high
    assert outside / trials == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / trials))


def test_small_images_may_differ_more_and_large_ones_no_less_than_units() -> None:
    spread = Spread(mean=0.0, std=1.0, count=10, pixels=400.0)
    usual = spread.limits(0.01, 400)[1]
    assert spread.limits(0.01, 100)[1] == pytest.approx(2 * usual)
    assert spread.limits(0.01, 4000)[1] == usual


def test_all_statistics_together_raise_as_many_false_alarms_as_stated() -> None:
    rng = np.random.default_rng(0)
    names = [f"latents_{i}" for i in range(12)]
    trials, alarms = 1000, 0
    for _ in range(trials):
        units = [dict(zip(names, row, strict=True)) for row in rng.normal(0, 1, (10, 12)).tolist()]
        reference = Reference(spreads=spreads(units, 100.0), saturated=0.0)
        statistics = dict(zip(names, rng.normal(0, 1, 12).tolist(), strict=True))
        measured = Measured(statistics=statistics, pixels=100, saturated=0.0, at_limit=False)
        alarms += judge(measured, reference, centre=0, scale=1, rate=0.05).status == "unlike"
    # Bonferroni: at most the rate, and for independent statistics hardly less.
    assert 0.025 < alarms / trials < 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def test_new_images_are_those_held_out_spread_as_far_as_training_images_differ_from_them() -> None:
    rng = np.random.default_rng(0)
    held, seen = rng.normal(3, 2, 5), rng.normal(7, 2, 9)

    def units(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[dict[str, float]]:
        return [{"a": float(value)} for value in values]

    found = spreads_of_new(units(held), units(seen), 64.0)["a"]
    within = (4 * held.var(ddof=1) + 8 * seen.var(ddof=1)) / 12
    assert found.mean == pytest.approx(held.mean())
    assert found.std**2 == pytest.approx(within + (held.mean() - seen.mean()) ** 2)
    assert (found.count, found.pixels) == (13, 64.0)
    # Without training units, it is the plain spread.
    alone = spreads_of_new(units(held), [], 64.0)["a"]
    assert alone.std == pytest.approx(held.std(ddof=1))
    assert alone.count == 5
    assert spreads_of_new(units(held[:2]), units(seen[:2]), 64.0) == {}
