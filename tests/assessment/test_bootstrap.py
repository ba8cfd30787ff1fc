"""Intervals over fields: that they are those of a plain bootstrap, and what they cannot say."""

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from denoisplit.core.assessment.bootstrap import MIN_FIELDS, FieldSpread, bootstrap
from denoisplit.core.assessment.calibration_curve import quantile_curve
from denoisplit.core.assessment.scores import EvaluatedField, evaluate_fields
from denoisplit.core.assessment.uncertainty import channel_uncertainty, field_reliability
from denoisplit.core.images.mixing import Mixing


def _fields(count: int, *, side: int = 24, sizes: bool = False) -> list[FieldSpread]:
    """Fields that differ in how wrong their std is, and in their size if ``sizes``."""
    found = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        shape = (side + 4 * seed if sizes else side, side)
        std = random.uniform(1, 3, shape)
        truth = random.uniform(1, 2) * std * random.normal(size=shape)
        found.append(FieldSpread(mean=np.zeros(shape), std=std, truth=truth))
    return found


def _edges(fields: list[FieldSpread]) -> Any:
    pooled = [np.concatenate([getattr(f, n).ravel() for f in fields]) for n in ("mean", "std", "truth")]
    return quantile_curve(*pooled, bins=6).edges


def test_intervals_are_those_of_drawing_the_fields_again_one_resample_at_a_time() -> None:
    """With fields of different sizes, so that pixels and not fields have equal weight."""
    fields, resamples = _fields(6, sizes=True), 200
    edges = _edges(fields)
    found = bootstrap(fields, edges, resamples=resamples, seed=3)
    assert found is not None
    drawn = np.random.default_rng(3).multinomial(6, [1 / 6] * 6, size=resamples)
    values: dict[str, list[float]] = {name: [] for name in found.intervals}
    for times in drawn:
        chosen = [field for field, n in zip(fields, times, strict=True) for _ in range(n)]
        std = np.concatenate([f.std.ravel() for f in chosen])
        error = np.concatenate([f.truth.ravel() for f in chosen])
        bins = np.clip(np.digitize(std, edges) - 1, 0, 5)
        rmv = [math.sqrt((std[bins == b] ** 2).mean()) for b in range(6)]
        rmse = [math.sqrt((error[bins == b] ** 2).mean()) for b in range(6)]
        values["ence"].append(float(np.mean([abs(v - e) / v for v, e in zip(rmv, rmse, strict=True)])))
        values["nll"].append(float(-np.mean(norm.logpdf(error, scale=std))))
        values["sharpness"].append(std.mean())
        values["rmse"].append(math.sqrt((error**2).mean()))
        values["rmv"].append(math.sqrt((std**2).mean()))
        for level in (0.5, 0.68, 0.9, 0.95):
            inside = np.abs(error) <= float(norm.ppf((1 + level) / 2)) * std
            values[f"coverage_{level:g}"].append(float(np.mean(inside)))
    assert set(values) >= {"ence", "nll", "crps", "sharpness", "rmse", "rmv", "coverage_0.5", "coverage_0.9"}
    for name, interval in found.intervals.items():
        if name != "crps":
            low, high = np.quantile(values[name], (0.025, 0.975))
            assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-9), name


def test_the_interval_holds_the_number_and_the_curve_its_band() -> None:
    found = field_reliability(_fields(8))
    assert found.bootstrap is not None
    intervals = found.bootstrap.intervals
    for name in ("ence", "nll", "crps", "sharpness", "rmse", "rmv"):
        assert intervals[name].low <= getattr(found, name) <= intervals[name].high
    for covered in found.coverage:
        interval = intervals[f"coverage_{covered.level:g}"]
        assert interval.low < covered.fraction < interval.high
    assert (found.bootstrap.rmse_low < found.curve.rmse).all()
    assert (found.curve.rmse < found.bootstrap.rmse_high).all()


def test_equal_fields_leave_nothing_to_chance() -> None:
    (field,) = _fields(1)
    found = bootstrap([field] * MIN_FIELDS, _edges([field]))
    assert found is not None
    for name, interval in found.intervals.items():
        assert interval.high == pytest.approx(interval.low, rel=1e-12), name


def test_the_width_is_that_of_a_mean_over_fields() -> None:
    """The mean of n independent field means spreads by their std over the root of n."""
    random = np.random.default_rng(0)
    levels = random.normal(10, 1, 40)
    fields = [FieldSpread(mean=np.zeros(2), std=np.full(2, s), truth=np.ones(2)) for s in levels]
    found = bootstrap(fields, np.linspace(5, 15, 4))
    assert found is not None
    interval = found.intervals["sharpness"]
    expected = 2 * norm.ppf(0.975) * levels.std() / math.sqrt(40)
    assert interval.high - interval.low == pytest.approx(expected, rel=0.1)


def test_too_few_fields_have_no_interval_and_the_scores_say_so() -> None:
    assert bootstrap(_fields(MIN_FIELDS - 1), np.linspace(1, 3, 4)) is None
    for count, said in ((1, "1 field: no bootstrap"), (3, "3 fields: no bootstrap"), (MIN_FIELDS, None)):
        fields = [_evaluated(f) for f in _fields(count)]
        notes = evaluate_fields(fields, channel_names=("a",), mixing=Mixing()).notes
        assert [note for note in notes if "bootstrap" in note] == [n for n in notes if said and said in n]
        assert any("bootstrap" in note for note in notes) is (said is not None)


def test_given_intervals_take_the_place_of_gaussian_ones() -> None:
    fields = [
        FieldSpread(mean=f.mean, std=f.std, truth=f.truth, covered={0.9: f.truth > 0, 0.5: f.truth > 1e9})
        for f in _fields(5)
    ]
    found = field_reliability(fields)
    share = float(np.mean([f.truth > 0 for f in fields]))
    assert [(c.level, c.fraction) for c in found.coverage] == [(0.9, pytest.approx(share)), (0.5, 0.0)]
    assert found.bootstrap is not None
    assert found.bootstrap.intervals["coverage_0.5"].high == 0


def _evaluated(field: FieldSpread, std: Any = None) -> EvaluatedField:
    image = field.truth[None] * 1.0
    spread = field.std[None] if std is None else np.full_like(image, std)
    return EvaluatedField(
        name="f", mixed=image, truth=image, mean=field.mean[None], std=spread, calibrated_std=2 * spread
    )


@pytest.mark.parametrize(
    ("std", "said"),
    [
        (2.0, "a: the predicted std is 2 at every pixel, so the calibration curve is one point."),
        (0.0, "a: the predicted std is 0 at 576 pixels, so there is no NLL."),
    ],
)
@pytest.mark.parametrize("count", [1, 6])
def test_a_constant_std_is_named_and_leaves_no_nan(std: float, said: str, count: int) -> None:
    fields = [_evaluated(field, std) for field in _fields(count)]
    scores = evaluate_fields(fields, channel_names=("a",), mixing=Mixing())
    assert said.replace("576", str(576 * count)) in scores.notes
    plain = json.loads(json.dumps(scores.to_json(), allow_nan=False))
    assert plain["notes"] == list(scores.notes)
    before = plain["uncertainty"][0]["before"]
    assert before["curve"]["rmv"].count(None) == 29
    assert before["sharpness"] == std
    assert (before["nll"] is None, before["ence"] is None) == (std == 0, std == 0)


def test_empty_bins_are_named() -> None:
    std = np.repeat([1.0, 2.0], 50)
    field = FieldSpread(mean=np.zeros(100), std=std, truth=std)
    found = channel_uncertainty("a", [field], [])
    empty = int((found.before.curve.count == 0).sum())
    assert empty >= 27
    assert found.notes == (f"a: {empty} of 30 bins of the calibration curve are empty.",)
