"""Laws and edge cases of the image scores."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from denoisplit.core.assessment.catalogue import NamedMetric, chosen_metrics
from denoisplit.core.assessment.image_scores import ms_ssim, psnr, range_invariant_psnr, ssim
from denoisplit.core.assessment.matched_metrics import pearson, range_invariant_ms_ssim, ssim_uniform
from denoisplit.core.errors import ImageError

ALONE = (
    "psnr",
    "range_invariant_psnr",
    "ssim",
    "ms_ssim",
    "ssim_uniform",
    "range_invariant_ms_ssim",
    "pearson",
)
BUILT_IN = chosen_metrics([*ALONE, "ms_ssim_pooled", "care_ms_ssim"])
every_metric = pytest.mark.parametrize("metric", BUILT_IN, ids=lambda metric: metric.name)
metric_of_each_plane = pytest.mark.parametrize(
    "metric", [metric for metric in BUILT_IN if metric.name in ALONE], ids=lambda metric: metric.name
)


def _images(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.normal(size=shape).cumsum(-1).cumsum(-2)
    return truth, truth + 3 * random.normal(size=shape)


@settings(max_examples=25)
@given(scale=st.floats(1e-3, 1e3), sign=st.sampled_from([-1, 1]), offset=st.floats(-1e4, 1e4))
def test_range_invariant_psnr_ignores_scale_and_offset(scale: float, sign: int, offset: float) -> None:
    truth, prediction = _images(24, 31)
    expected = range_invariant_psnr(truth, prediction)
    assert range_invariant_psnr(truth, sign * scale * prediction + offset) == pytest.approx(
        expected, rel=1e-6
    )


@every_metric
def test_every_score_ignores_the_unit_of_the_images(metric: NamedMetric) -> None:
    truth, prediction = _images(176, 176)
    expected = metric.metric.score(truth, prediction)
    for scale in (1e-3, 777.0):
        assert metric.metric.score(scale * truth, scale * prediction) == pytest.approx(expected, rel=1e-9)


def test_psnr_and_ssim_agree_with_scikit_image_on_a_camera_offset() -> None:
    truth, prediction = (image + 30_000 for image in _images(40, 53))
    data_range = float(np.ptp(truth))
    reference: Callable[..., float] = structural_similarity
    flat = reference(truth, prediction, data_range=data_range)
    assert ssim_uniform(truth, prediction) == pytest.approx(flat, rel=1e-7)
    similarity = reference(
        truth,
        prediction,
        data_range=data_range,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(truth, prediction) == pytest.approx(similarity, rel=1e-7)
    ratio: Callable[..., float] = peak_signal_noise_ratio
    expected = ratio(truth, prediction, data_range=data_range)
    assert psnr(truth, prediction) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", [(176, 176), (181, 203)])
@pytest.mark.parametrize("sign", [1, -1])
def test_ssim_and_ms_ssim_agree_with_torchmetrics(shape: tuple[int, int], sign: int) -> None:
    """Also where sides are odd, and where a negative term makes the score 0."""
    truth, prediction = _images(*shape)
    prediction = prediction + truth[::-1]  # wrong at every scale, also at the border of the coarsest
    prediction = truth.mean() + sign * (prediction - truth.mean())
    batches = [torch.from_numpy(image)[None, None] for image in (prediction, truth)]
    data_range = float(np.ptp(truth))
    multiscale: Callable[..., torch.Tensor] = multiscale_structural_similarity_index_measure
    # Its exponents are float32.
    expected = float(multiscale(*batches, data_range=data_range, normalize="relu"))
    assert ms_ssim(truth, prediction) == pytest.approx(expected, rel=1e-6)
    assert (expected == 0) == (sign < 0)
    single: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]] = structural_similarity_index_measure
    similarity = single(*batches, data_range=data_range, return_full_image=True)[1]
    assert ssim(truth, prediction) == pytest.approx(float(similarity[..., 5:-5, 5:-5].mean()), rel=1e-9)


def test_the_range_is_that_of_the_truth_and_not_of_the_prediction() -> None:
    truth = np.array([[0.0, 10.0], [0.0, 10.0]])
    assert psnr(truth, truth + 1) == pytest.approx(20)
    assert psnr(truth, 3 * truth) == pytest.approx(20 * math.log10(10 / math.sqrt(200)))


def test_identical_images_have_the_best_score() -> None:
    truth, _ = _images(180, 176)
    assert psnr(truth, truth) == math.inf
    assert range_invariant_psnr(truth, truth) == math.inf
    assert range_invariant_psnr(truth, 100 - 2 * truth) == math.inf
    assert ssim(truth, truth) == pytest.approx(1)
    assert ms_ssim(truth, truth) == pytest.approx(1)
    assert ssim_uniform(truth, truth) == pytest.approx(1)
    assert range_invariant_ms_ssim(truth, 100 - 2 * truth) == pytest.approx(1)
    assert pearson(truth, 3 * truth + 7) == pytest.approx(1)
    assert pearson(truth, -truth) == pytest.approx(-1)


def test_a_constant_prediction_has_the_score_of_predicting_the_mean() -> None:
    truth, _ = _images(40, 40)
    expected = 20 * math.log10(np.ptp(truth) / truth.std(ddof=0))
    for value in (0.0, 0.1, 1e4):
        assert range_invariant_psnr(truth, np.full_like(truth, value)) == pytest.approx(expected)
    assert psnr(truth, np.full_like(truth, truth.mean())) == pytest.approx(expected)
    assert math.isfinite(ssim(truth, np.zeros_like(truth)))
    assert pearson(truth, np.zeros_like(truth)) == 0


@metric_of_each_plane
def test_a_stack_has_the_mean_score_of_its_planes_with_contrast(metric: NamedMetric) -> None:
    truth, prediction = _images(3, 176, 180)
    truth[1] = 7
    expected = (
        metric.metric.score(truth[0], prediction[0]) + metric.metric.score(truth[2], prediction[2])
    ) / 2
    assert metric.metric.score(truth, prediction) == pytest.approx(expected)


@every_metric
def test_what_cannot_be_scored_is_named(metric: NamedMetric) -> None:
    truth, prediction = _images(176, 176)
    with pytest.raises(ImageError, match="the truth is constant"):
        metric.metric.score(np.ones_like(truth), prediction)
    with pytest.raises(ImageError, match="must both be"):
        metric.metric.score(truth, prediction[:-1])
    with pytest.raises(ImageError, match="NaN or infinite"):
        metric.metric.score(truth, np.full_like(truth, np.nan))


@pytest.mark.parametrize(
    "metric", [metric for metric in BUILT_IN if metric.side > 1], ids=lambda metric: metric.name
)
def test_the_smallest_image_is_the_smallest_that_has_a_score(metric: NamedMetric) -> None:
    truth, prediction = _images(metric.side, metric.side)
    assert math.isfinite(metric.metric.score(truth, prediction))
    with pytest.raises(ImageError, match=f"at least {metric.side} px"):
        metric.metric.score(truth[:, 1:], prediction[:, 1:])
