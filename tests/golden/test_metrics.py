"""Image scores against the reference numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from denoisplit.core.assessment.metrics import ms_ssim, psnr, range_invariant_psnr, ssim

Array = npt.NDArray[np.float64]


def _open(path: Path) -> tuple[dict[str, Array], Any]:
    with np.load(path) as stored:
        arrays = {name: stored[name].astype(np.float64) for name in stored.files if name != "meta"}
        return arrays, json.loads(str(stored["meta"]))["values"]


def _assert_scores(truth: Array, prediction: Array, expected: dict[str, float]) -> None:
    assert psnr(truth, prediction) == pytest.approx(expected["psnr"], rel=1e-8)
    assert range_invariant_psnr(truth, prediction) == pytest.approx(
        expected["range_invariant_psnr"], rel=1e-8
    )
    assert ssim(truth, prediction) == pytest.approx(expected["ssim_gaussian"], rel=1e-8)


def _matched(truth: Array, prediction: Array) -> tuple[Array, Array]:
    """Zero-mean images, the prediction scaled to fit, as the range-invariant MS-SSIM is defined."""
    truth, prediction = truth - truth.mean(), prediction - prediction.mean()
    return truth, prediction * np.vdot(truth, prediction) / np.vdot(prediction, prediction)


@pytest.mark.parametrize("pair", range(5))
def test_small_pairs(golden: Path, pair: int) -> None:
    arrays, values = _open(golden / "metrics" / "small_pairs.npz")
    _assert_scores(arrays[f"gt_{pair}"], arrays[f"pred_{pair}"], values[pair])


@pytest.mark.parametrize("frame", range(2))
def test_synthetic_frames(golden: Path, frame: int) -> None:
    arrays, values = _open(golden / "metrics" / "synthetic_multiscale.npz")
    truth, prediction = arrays["gt"][frame], arrays["pred"][frame]
    _assert_scores(truth, prediction, values["pairs"][frame])
    assert ms_ssim(truth, prediction) == pytest.approx(values["ms"]["ms_ssim_per_frame"][frame], abs=1e-6)
    for kind, image in (("ms", prediction), ("ms_inverted_pred", 255 - prediction)):
        expected = values[kind]["range_invariant_ms_ssim_per_frame"][frame]
        assert ms_ssim(*_matched(truth, image)) == pytest.approx(expected, abs=1e-6)


def test_the_score_of_a_stack_is_the_mean_over_planes(golden: Path) -> None:
    arrays, values = _open(golden / "metrics" / "synthetic_multiscale.npz")
    expected = np.mean([pair["psnr"] for pair in values["pairs"]])
    assert psnr(arrays["gt"], arrays["pred"]) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("crop", range(2))
@pytest.mark.parametrize("kind", ["noisy", "blurred"])
def test_microscopy_crops(golden: Path, crop: int, kind: str) -> None:
    arrays, values = _open(golden / "metrics" / f"w2s_{crop}.npz")
    prediction = arrays["noisy"] if kind == "noisy" else arrays["blurred_times4"] / 4
    _assert_scores(arrays["clean"], prediction, values[kind])
    assert ms_ssim(arrays["clean"], prediction) == pytest.approx(
        values[kind]["ms_ssim_per_frame"][0], abs=1e-6
    )
