"""Scores by name, scores that look at all images at once, and scores that need a package."""

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from denoisplit.core.assessment.baselines import BLUR_SIGMAS, blurred_mixed
from denoisplit.core.assessment.catalogue import USUAL, NamedMetric, chosen_metrics
from denoisplit.core.assessment.image_scores import ms_ssim
from denoisplit.core.assessment.matched_metrics import care_ms_ssim, ms_ssim_pooled, pearson
from denoisplit.core.assessment.metric import Metric
from denoisplit.core.assessment.micro_metrics import MicroParameters, fit_micro, micro_ms3im, micro_ssim
from denoisplit.core.assessment.score import BLURRED, METHODS
from denoisplit.core.assessment.score_tables import table
from denoisplit.core.assessment.scores import EvaluatedField, evaluate_fields
from denoisplit.core.errors import ImageError, MissingPackageError, SpecError
from denoisplit.core.images.mixing import Mixing, mix
from tests.assessment.pooled import pooled_psnr

SIDE = 176
OFFSET = Mixing(mode="sum", offset=100.0)


def _images(seed: int, gain: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = 50 + gain * 2000 * np.clip(gaussian_filter(random.normal(size=(SIDE, SIDE)), 3), 0, None)
    return truth, truth + random.normal(0, 20, truth.shape)


@pytest.fixture(scope="module")
def pairs() -> tuple[list[np.ndarray], list[np.ndarray]]:
    images = [_images(0), _images(1, gain=0.3)]
    return [truth for truth, _ in images], [prediction for _, prediction in images]


def test_scores_are_chosen_by_name() -> None:
    assert [metric.name for metric in chosen_metrics(["pearson", "psnr", "pearson"])] == ["pearson", "psnr"]
    with pytest.raises(SpecError, match=r"no such score \(got psrn\)\. Use some of psnr, .*micro_ssim"):
        chosen_metrics(["psnr", "psrn"])
    with pytest.raises(SpecError, match="got no name"):
        chosen_metrics([])


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, pairs: tuple[list[np.ndarray], list[np.ndarray]]
) -> None:
    monkeypatch.setitem(sys.modules, "microssim", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'denoisplit\[micro\]'"):
        fit_micro(*pairs)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        MissingPackageError, match=r"micro_ssim needs the package microssim.*denoisplit\[micro\]"
    ):
        chosen_metrics(["psnr", "micro_ssim"])


def test_a_single_image_has_its_own_range(pairs: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
    truths, predictions = pairs
    assert ms_ssim_pooled(truths[:1], predictions[:1]) == [ms_ssim(truths[0], predictions[0])]
    dim = ms_ssim_pooled(truths, predictions)[1]
    assert dim > ms_ssim(truths[1], predictions[1])  # noise matters less beside a larger range


def test_care_normalisation_ignores_any_affine_map(pairs: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
    truths, predictions = pairs
    changed = [3 * truths[0] + 7, truths[1]], [predictions[0], -5 * predictions[1] + 9]
    assert care_ms_ssim(*changed) == pytest.approx(care_ms_ssim(truths, predictions), rel=1e-9)
    assert care_ms_ssim(truths, truths) == pytest.approx([1, 1])
    sparse = np.zeros((SIDE, SIDE))
    sparse[0, 0] = 1
    with pytest.raises(ImageError, match="percentile of the truth are equal"):
        care_ms_ssim([sparse], [sparse])


def test_psnr_of_a_set_pools_range_and_error() -> None:
    truths = [np.array([[0.0, 1.0]]), np.array([[5.0, 10.0]])]
    predictions = [truths[0] + 1, truths[1] + 2]
    assert pooled_psnr(truths, predictions) == pytest.approx(20 * math.log10(10 / math.sqrt(2.5)))
    assert pooled_psnr(truths, truths) == math.inf


def test_evaluation_with_other_scores() -> None:
    random = np.random.default_rng(0)
    fields = []
    for _ in range(3):
        truth = 100 + random.uniform(0, 50, (2, 20, 24))
        mean = truth + random.normal(0, 5, truth.shape)
        fields.append(EvaluatedField(name="f", mixed=mix(truth, OFFSET, axis=0), truth=truth, mean=mean))

    def largest_error_of_all(truths: Sequence[np.ndarray], answers: Sequence[np.ndarray]) -> list[float]:
        errors = [float(np.abs(t - a).max()) for t, a in zip(truths, answers, strict=True)]
        return [max(errors), *errors[1:]]

    class Shared(Metric):
        larger_is_better = False

        def score(self, truth: np.ndarray, prediction: np.ndarray) -> float:
            return self.scores([truth], [prediction])[0]

        def scores(self, truths: Sequence[np.ndarray], predictions: Sequence[np.ndarray]) -> list[float]:
            return largest_error_of_all(truths, predictions)

    shared = NamedMetric("shared", Shared(None), "metric notebook/shared")
    metrics = (*chosen_metrics(["pearson", "ssim_uniform"]), shared)
    scores = evaluate_fields(fields, channel_names=("a", "b"), mixing=OFFSET, metrics=metrics)
    assert scores.metrics == metrics
    assert len(scores.scores) == 2 * len(metrics) * len(METHODS)
    truths, means = [f.truth[1] for f in fields], [f.mean[1] for f in fields]
    for name, values in [
        ("pearson", [pearson(truth, mean) for truth, mean in zip(truths, means, strict=True)]),
        ("shared", largest_error_of_all(truths, means)),
    ]:
        score = scores.of("b", name)
        assert score.mean == pytest.approx(np.mean(values))
        assert score.standard_error == pytest.approx(np.std(values, ddof=1) / math.sqrt(3))
    like: Any = {"channels": 2, "mixing": OFFSET}
    usual = evaluate_fields(fields, channel_names=("a", "b"), mixing=OFFSET)
    assert tuple(metric.name for metric in usual.metrics) == USUAL
    errors = [
        np.mean(largest_error_of_all(truths, [blurred_mixed(f.mixed, **like, sigma=s)[1] for f in fields]))
        for s in BLUR_SIGMAS
    ]
    assert scores.of("b", "shared", BLURRED).mean == pytest.approx(min(errors))  # the smallest is the best
    assert "RI-PSNR" in str(table(usual).caption)
    assert "RI-PSNR" not in str(table(scores).caption)


def test_micro_ms3im_needs_no_package_once_the_parameters_are_known(
    pairs: tuple[list[np.ndarray], list[np.ndarray]],
) -> None:
    truths, predictions = pairs
    neutral = MicroParameters(truth_offset=0.0, prediction_offset=0.0, scale=10.0, factor=1.0)
    expected = [ms_ssim(truth, prediction) for truth, prediction in zip(truths, predictions, strict=True)]
    assert micro_ms3im(truths, predictions, neutral) == pytest.approx(expected, rel=1e-9)


def test_micro_scores_ignore_offset_and_scale_of_the_predictions(
    pairs: tuple[list[np.ndarray], list[np.ndarray]], capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("microssim", reason="needs the extra 'micro'")
    truths, predictions = pairs
    changed = [0.5 * prediction + 30 for prediction in predictions]
    for score in (micro_ssim, micro_ms3im):
        assert score(truths, changed) == pytest.approx(score(truths, predictions), abs=1e-3)
    assert capfd.readouterr().err == ""
    flat = np.full((SIDE, SIDE), 9.0)
    flat[0, 0] = 1.0
    with pytest.raises(ImageError, match="nothing in the truth is above its background"):
        fit_micro([flat], [flat])
