"""Calibration curves and scores of the spread against the reference numbers."""

import json
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from denoisplit.core.assessment.calibration_curve import (
    equal_width_curve,
    expected_normalised_calibration_error,
    quantile_curve,
)
from denoisplit.core.assessment.coverage import coverage, gaussian_crps, gaussian_nll

CURVES = {"uniform": equal_width_curve, "quantile": quantile_curve}
cases = pytest.mark.parametrize("case", range(3))
channels = pytest.mark.parametrize("channel", range(2))


@attrs.frozen
class _Case:
    stored: dict[str, Any]
    expected: dict[str, Any]
    mean: Any
    std: Any
    truth: Any

    @property
    def factor(self) -> float:
        return float(self.expected["closed_form_std_factor"])


def _open(golden: Path, case: int, channel: int) -> _Case:
    with np.load(golden / "calibration" / f"case_{case}.npz") as file:
        stored = {name: file[name] for name in file.files}
    mean, std, truth = (stored[name][..., channel] for name in ("mean", "std", "target"))
    return _Case(stored, json.loads(str(stored["meta"]))["values_per_channel"][channel], mean, std, truth)


@cases
@channels
@pytest.mark.parametrize("kind", CURVES)
def test_curves(golden: Path, case: int, channel: int, kind: str) -> None:
    c = _open(golden, case, channel)
    curve = CURVES[kind](c.mean, c.std, c.truth, bins=30)
    np.testing.assert_array_equal(curve.count, c.stored[f"{kind}_count_ch{channel}"])
    for name in ("edges", "rmv", "rmse"):
        np.testing.assert_allclose(getattr(curve, name), c.stored[f"{kind}_{name}_ch{channel}"], rtol=1e-9)


@cases
@channels
@pytest.mark.parametrize("kind", CURVES)
def test_ence(golden: Path, case: int, channel: int, kind: str) -> None:
    c = _open(golden, case, channel)
    before = CURVES[kind](c.mean, c.std, c.truth, bins=30)
    after = attrs.evolve(before, rmv=before.rmv * c.factor)
    for curve, when in ((before, "before"), (after, "after")):
        expected = c.expected[f"ence_{kind}30_{when}"]
        assert expected_normalised_calibration_error(curve) == pytest.approx(expected, rel=1e-9)


@cases
@channels
@pytest.mark.parametrize("when", ["before", "after"])
def test_scores_of_the_spread(golden: Path, case: int, channel: int, when: str) -> None:
    c = _open(golden, case, channel)
    std = c.std.astype(np.float64) * (c.factor if when == "after" else 1.0)
    expected = c.expected[f"coverage_{when}"]
    for found in coverage(c.mean, std, c.truth, levels=[float(level) for level in expected]):
        assert found.fraction == pytest.approx(expected[str(found.level)], rel=1e-9)
    assert gaussian_nll(c.mean, std, c.truth) == pytest.approx(c.expected[f"gaussian_nll_{when}"], rel=1e-9)
    assert gaussian_crps(c.mean, std, c.truth) == pytest.approx(c.expected[f"crps_{when}"], rel=1e-9)
