"""Whether to use a network: it has to beat the answers that need none."""

import numpy as np
import pytest

from denoisplit.core.assessment.catalogue import chosen_metrics
from denoisplit.core.assessment.score import METHODS
from denoisplit.core.assessment.scores import EvaluatedField, evaluate_fields
from denoisplit.core.assessment.worth import USUAL_MEASURE, gains, measure, measured_gains, sentence
from denoisplit.core.images.mixing import Mixing

NAMES = ("round", "long")
MIXING = Mixing()


def field(error: float) -> EvaluatedField:
    """Two random structures, and a prediction that is off by so many counts."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 100, (2, 32, 32)).astype(np.float32)
    mean = truth + rng.normal(0, error, truth.shape).astype(np.float32)
    return EvaluatedField(name="a", mixed=truth.mean(axis=0, keepdims=True), truth=truth, mean=mean)


@pytest.mark.parametrize("error", [1.0, 10.0, 100.0, 1000.0])
def test_a_gain_is_the_distance_to_the_better_trivial_answer(error: float) -> None:
    scores = evaluate_fields([field(error)], channel_names=NAMES, mixing=MIXING)
    found = gains(scores)
    for name in NAMES:
        ours, *trivial = (scores.of(name, "range_invariant_psnr", method).mean or 0.0 for method in METHODS)
        assert found[name] == ours - max(trivial)
    assert found == measured_gains([field(error)], NAMES, MIXING)


@pytest.mark.parametrize(
    ("found", "begin"),
    [
        ({"round": 3.2, "long": 1.0}, "This network is worth using"),
        ({"round": 3.2, "long": 0.1}, "This network is hardly better"),
        ({"round": 3.2, "long": -0.1}, "Do not use this network for long:"),
        ({"round": -3.2, "long": -0.1}, "Do not use this network for round and long:"),
    ],
)
def test_one_line_says_whether_to_use_it(found: dict[str, float], begin: str) -> None:
    line = sentence(found, USUAL_MEASURE)
    assert line.startswith(begin)
    assert "\n" not in line
    assert all(f"{gain:+.1f} dB ({name})" in line for name, gain in found.items())
    assert "in range-invariant PSNR (RI-PSNR)" in line


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        (("psnr", "range_invariant_psnr"), "range-invariant PSNR (RI-PSNR)"),
        (("ssim", "psnr"), "PSNR"),
        (("ssim",), ""),
    ],
)
def test_a_gain_is_told_with_its_measure(metrics: tuple[str, ...], told: str) -> None:
    scores = evaluate_fields(
        [field(10.0)], channel_names=NAMES, mixing=MIXING, metrics=chosen_metrics(metrics)
    )
    assert measure(scores) == told
    assert bool(gains(scores)) == bool(told)


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert sentence({}, USUAL_MEASURE) == ""
