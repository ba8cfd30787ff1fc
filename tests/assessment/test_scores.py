"""Scores of an experiment: averages, baselines, tables and the figure."""

import io
import json
import math
from pathlib import Path

import attrs
import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console
from scipy.ndimage import gaussian_filter

from denoisplit.core.assessment.baselines import BLUR_SIGMAS, blurred_mixed, share_of_mixed
from denoisplit.core.assessment.figure import demo_figure
from denoisplit.core.assessment.image_scores import psnr, ssim
from denoisplit.core.assessment.score import BLURRED, SHARE
from denoisplit.core.assessment.score_tables import table
from denoisplit.core.assessment.scores import EvaluatedField, Scores, evaluate_fields
from denoisplit.core.assessment.uncertainty_tables import region_table, sharpness_table, uncertainty_table
from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.bases import PixelSize
from denoisplit.core.images.mixing import Mixing, mix

NAMES = ("tubulin", "actin [red]", "ER")
SUM = Mixing(mode="sum", offset=100.0)


def _field(seed: int, *, shape: tuple[int, ...] = (48, 60), channels: int = 3) -> EvaluatedField:
    random = np.random.default_rng(seed)
    truth = 100 + 400 * gaussian_filter(random.random((channels, *shape)), (0, *[2] * len(shape)))
    mixed = mix(truth + random.normal(0, 20, truth.shape), SUM, axis=0)
    std = random.uniform(2, 6, truth.shape)
    mean = truth + 2 * std * random.normal(size=truth.shape)
    return EvaluatedField(
        name=f"{seed}", mixed=mixed, truth=truth, mean=mean, std=std, calibrated_std=2 * std
    )


@pytest.fixture(scope="module")
def fields() -> list[EvaluatedField]:
    return [_field(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def scores(fields: list[EvaluatedField]) -> Scores:
    return evaluate_fields(fields, channel_names=NAMES, mixing=SUM)


@pytest.mark.parametrize("mixing", [Mixing(), Mixing(mode="mean", offset=100.0), SUM])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_equal_channels_are_their_share_of_the_mixed_image(mixing: Mixing, channels: int) -> None:
    truth = np.repeat(np.random.default_rng(0).uniform(100, 300, (1, 8, 9)), channels, axis=0)
    share = share_of_mixed(mix(truth, mixing, axis=0), channels=channels, mixing=mixing)
    np.testing.assert_allclose(share, truth)


def test_blurring_stays_within_planes() -> None:
    mixed = np.full((1, 3, 21, 21), 100.0)
    mixed[0, 1, 10, 10] += 60
    blurred = blurred_mixed(mixed, channels=2, mixing=SUM, sigma=2)
    assert blurred.shape == (2, 3, 21, 21)
    np.testing.assert_allclose(blurred[:, [0, 2]], 100)
    np.testing.assert_allclose((blurred[:, 1] - 100).sum(axis=(1, 2)), 30)
    assert blurred[0, 1, 10, 10] == pytest.approx(100 + 30 / (2 * math.pi * 4), rel=0.01)


def test_scores_are_means_over_fields_with_their_standard_error(
    fields: list[EvaluatedField], scores: Scores
) -> None:
    values = [psnr(field.truth[1], field.mean[1]) for field in fields]
    score = scores.of(NAMES[1], "psnr")
    assert score.mean == pytest.approx(np.mean(values))
    assert score.standard_error == pytest.approx(np.std(values, ddof=1) / math.sqrt(3))
    assert score.fields == 3


def test_ssim_does_not_profit_from_the_camera_offset(fields: list[EvaluatedField], scores: Scores) -> None:
    values = [ssim(field.truth[0] - 100, field.mean[0] - 100) for field in fields]
    assert scores.of(NAMES[0], "ssim").mean == pytest.approx(np.mean(values))


def test_the_blurred_baseline_takes_the_best_blur_of_each_channel(
    fields: list[EvaluatedField], scores: Scores
) -> None:
    for index, channel in enumerate(NAMES):
        means = {}
        for sigma in BLUR_SIGMAS:
            answers = [blurred_mixed(f.mixed, channels=3, mixing=SUM, sigma=sigma)[index] for f in fields]
            means[sigma] = np.mean([psnr(f.truth[index], a) for f, a in zip(fields, answers, strict=True)])
        best = max(means, key=lambda sigma: means[sigma])
        score = scores.of(channel, "psnr", BLURRED)
        assert score.mean == pytest.approx(means[best])
        assert score.note == f"sigma {best:g} px"


def test_a_perfect_prediction_of_one_field_is_infinitely_good() -> None:
    field = _field(0, channels=2)
    perfect = evaluate_fields(
        [attrs.evolve(field, mean=field.truth)],
        channel_names=("a", "b"),
        mixing=Mixing(mode="sum", offset=100.0),
    )
    assert perfect.of("a", "psnr").mean == math.inf
    assert perfect.of("a", "psnr").standard_error is None
    json.dumps(perfect.to_json(), allow_nan=False)


def test_ms_ssim_of_small_images_says_why_there_is_none(scores: Scores) -> None:
    score = scores.of("ER", "ms_ssim", SHARE)
    assert (score.mean, score.standard_error, score.note) == (None, None, "n/a (image < 176 px)")


def test_uncertainty_before_and_after_calibration(scores: Scores) -> None:
    for channel in scores.uncertainty:
        assert channel.after is not None
        assert channel.before.rmse == pytest.approx(2 * channel.before.rmv, rel=0.05)
        assert channel.before.ence == pytest.approx(1, abs=0.1)
        assert channel.after.ence < 0.1
        for covered in channel.after.coverage:
            assert covered.fraction == pytest.approx(covered.level, abs=0.02)


def test_without_std_there_is_no_uncertainty(fields: list[EvaluatedField]) -> None:
    bare = [attrs.evolve(field, std=None, calibrated_std=None) for field in fields]
    scores = evaluate_fields(bare, channel_names=NAMES, mixing=SUM)
    assert scores.uncertainty == ()
    assert len(uncertainty_table(scores).rows) == 0


def test_json_holds_the_numbers(scores: Scores) -> None:
    plain = json.loads(json.dumps(scores.to_json(), allow_nan=False))
    assert plain["channels"] == list(NAMES)
    found = [
        s for s in plain["scores"] if (s["channel"], s["metric"], s["method"]) == ("ER", "psnr", BLURRED)
    ]
    assert [s["mean"] for s in found] == [scores.of("ER", "psnr", BLURRED).mean]
    assert len(plain["uncertainty"][2]["before"]["curve"]["rmse"]) == 30


def test_the_tables_show_every_channel_and_answer(scores: Scores) -> None:
    console = Console(width=120, file=io.StringIO(), record=True)
    for shown in (table(scores), uncertainty_table(scores), sharpness_table(scores), region_table(scores)):
        console.print(shown)
    text = console.export_text()
    answers = ("denoisplit", BLURRED, SHARE, "n/a (image < 176 px)")
    for word in (*NAMES, *answers, "calibrated", "within", "95%", "CRPS"):
        assert word in text
    assert f"{scores.of('ER', 'psnr').mean:.2f} ± {scores.of('ER', 'psnr').standard_error:.2f}" in text


def test_fields_that_do_not_fit_are_refused(fields: list[EvaluatedField]) -> None:
    with pytest.raises(ChannelCountError, match="has 3 channels, but 2 are named"):
        evaluate_fields(fields, channel_names=("a", "b"), mixing=SUM)
    with pytest.raises(ImageError, match="no field"):
        evaluate_fields([], channel_names=NAMES, mixing=SUM)
    with pytest.raises(ImageError, match="only some fields have std"):
        evaluate_fields([fields[0], attrs.evolve(fields[1], std=None)], channel_names=NAMES, mixing=SUM)
    with pytest.raises(ImageError, match="must have one shape"):
        attrs.evolve(fields[0], mixed=fields[0].mixed[0])


@pytest.mark.parametrize(("shape", "counts"), [((48, 60), (1, 3)), ((3, 40, 40), (1,))], ids=["2d", "3d"])
def test_the_figure_has_a_row_per_channel(
    tmp_path: Path, shape: tuple[int, ...], counts: tuple[int, ...]
) -> None:
    field = _field(0, shape=shape)
    scores = evaluate_fields([field], channel_names=NAMES, mixing=SUM)
    heights = []
    for count in counts:
        path = tmp_path / f"{count}.png"
        demo_figure(
            path,
            mixed=field.mixed,
            predictions=field.mean[:count],
            truth=field.truth[:count],
            std=np.zeros_like(field.truth[:count]),
            channel_names=NAMES[:count],
            scores=scores,
            pixel_size=PixelSize(tuple(0.1 for _ in shape)),
        )
        heights.append(imread(path).shape[0])
    assert heights[-1] > (counts[-1] - 1) * heights[0]
