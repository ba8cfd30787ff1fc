"""The scores beyond the usual four against the reference numbers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from denoisplit.core.assessment.matched_metrics import (
    care_ms_ssim,
    ms_ssim_pooled,
    pearson,
    pooled_psnr,
    range_invariant_ms_ssim,
    ssim_uniform,
)
from denoisplit.core.assessment.micro_metrics import MicroParameters, fit_micro, micro_ms3im, micro_ssim

Array = npt.NDArray[np.float64]
FITTED = 5e-4
FIXED = 1e-5


def _open(path: Path) -> tuple[dict[str, Array], Any]:
    with np.load(path) as stored:
        arrays = {name: stored[name].astype(np.float64) for name in stored.files if name != "meta"}
        return arrays, json.loads(str(stored["meta"]))["values"]


def _files(golden: Path, pattern: str) -> list[Path]:
    found = sorted((golden / "metrics").glob(pattern))
    assert found
    return found


def _predictions(arrays: dict[str, Array]) -> dict[str, Array]:
    return {"noisy": arrays["noisy"], "blurred": arrays["blurred_times4"] / 4}


def _assert_pair(truth: Array, prediction: Array, expected: dict[str, float]) -> None:
    assert pearson(truth, prediction) == pytest.approx(expected["pearson"], rel=1e-8)
    assert ssim_uniform(truth, prediction) == pytest.approx(expected["ssim_uniform7"], rel=1e-8)


def _assert_multiscale(truths: Sequence[Array], predictions: Sequence[Array], expected: Any) -> None:
    pooled, care = ms_ssim_pooled(truths, predictions), care_ms_ssim(truths, predictions)
    assert np.mean(pooled) == pytest.approx(expected["ms_ssim_all_frames"], abs=1e-6)
    assert np.mean(care) == pytest.approx(expected["care_ms_ssim"], abs=1e-6)
    for truth, prediction, value in zip(
        truths, predictions, expected["range_invariant_ms_ssim_per_frame"], strict=True
    ):
        assert range_invariant_ms_ssim(truth, prediction) == pytest.approx(value, abs=1e-6)


def test_small_pairs_and_the_psnr_of_growing_sets(golden: Path) -> None:
    arrays, values = _open(golden / "metrics" / "small_pairs.npz")
    for index, expected in enumerate(values):
        _assert_pair(arrays[f"gt_{index}"], arrays[f"pred_{index}"], expected)
    truths: list[Array] = []
    predictions: list[Array] = []
    for index, psnr in enumerate(arrays["running_psnr_after_update"]):
        truths += list(arrays[f"running_target_{index}"])
        predictions += list(arrays[f"running_pred_{index}"])
        assert pooled_psnr(truths, predictions) == pytest.approx(psnr, rel=1e-8)


def test_synthetic_frames(golden: Path) -> None:
    arrays, values = _open(golden / "metrics" / "synthetic_multiscale.npz")
    for truth, prediction, expected in zip(arrays["gt"], arrays["pred"], values["pairs"], strict=True):
        _assert_pair(truth, prediction, expected)
    truths = list(arrays["gt"])
    _assert_multiscale(truths, list(arrays["pred"]), values["ms"])
    _assert_multiscale(truths, list(255 - arrays["pred"]), values["ms_inverted_pred"])


def test_microscopy_crops(golden: Path) -> None:
    for path in _files(golden, "w2s_*.npz"):
        arrays, values = _open(path)
        for kind, prediction in _predictions(arrays).items():
            _assert_pair(arrays["clean"], prediction, values[kind])
            _assert_multiscale([arrays["clean"]], [prediction], values[kind])


def _micro_cases(golden: Path) -> list[tuple[Sequence[Array], Sequence[Array], Any]]:
    """Truths, predictions and expected numbers of every set of images with a fit of its own."""
    arrays, values = _open(golden / "metrics" / "synthetic_multiscale.npz")
    truths, predictions, micro = list(arrays["gt"]), list(arrays["pred"]), values["micro"]
    cases: list[tuple[Sequence[Array], Sequence[Array], Any]] = [(truths, predictions, micro["list_fit"])]
    cases += [([t], [p], one) for t, p, one in zip(truths, predictions, micro["single_fit"], strict=True)]
    for path in _files(golden, "w2s_*.npz"):
        arrays, values = _open(path)
        given = _predictions(arrays)
        for kind, prediction in given.items():
            cases.append(([arrays["clean"]], [prediction], values[kind]["micro"]["single_fit"]))
        both = values["micro_list_fit_noisy_then_blurred"]
        cases.append(([arrays["clean"]] * 2, [given["noisy"], given["blurred"]], both))
    return cases


def _fixed_cases(golden: Path) -> list[tuple[Sequence[Array], Sequence[Array], Any]]:
    arrays, values = _open(golden / "metrics" / "synthetic_multiscale.npz")
    cases: list[tuple[Sequence[Array], Sequence[Array], Any]] = [
        (list(arrays["gt"]), list(arrays["pred"]), values["micro"]["fixed_parameters"])
    ]
    for path in _files(golden, "w2s_*.npz"):
        arrays, values = _open(path)
        for kind, prediction in _predictions(arrays).items():
            cases.append(([arrays["clean"]], [prediction], values[kind]["micro"]["fixed_parameters"]))
    return cases


def _parameters(given: dict[str, float]) -> MicroParameters:
    return MicroParameters(
        truth_offset=given["offset_gt"],
        prediction_offset=given["offset_pred"],
        scale=given["max_val"],
        factor=given["ri_factor"],
    )


def test_micro_ms3im_with_fixed_parameters_in_float64(golden: Path) -> None:
    for truths, predictions, expected in _fixed_cases(golden):
        found = micro_ms3im(truths, predictions, _parameters(expected))
        assert found == pytest.approx(expected["micro_ms3im_float64"], abs=1e-6)
        assert found == pytest.approx(expected["micro_ms3im"], abs=FIXED)


def test_micro_ssim_with_fixed_parameters(golden: Path) -> None:
    pytest.importorskip("microssim", reason="needs the extra 'micro'")
    for truths, predictions, expected in _fixed_cases(golden):
        found = micro_ssim(truths, predictions, _parameters(expected))
        assert found == pytest.approx(expected["micro_ssim"], abs=FIXED)


def test_micro_scores_with_fitted_parameters(golden: Path) -> None:
    pytest.importorskip("microssim", reason="needs the extra 'micro'")
    for truths, predictions, expected in _micro_cases(golden):
        found = fit_micro(truths, predictions)
        assert found.truth_offset == pytest.approx(expected["offset_gt"])
        assert found.prediction_offset == pytest.approx(expected["offset_pred"])
        assert found.scale == pytest.approx(expected["max_val"])
        assert found.factor == pytest.approx(expected["ri_factor"], rel=1e-3)
        assert found.factor == pytest.approx(expected["ri_factor_exact_maximiser"], rel=1e-3)
        for score, name in [(micro_ssim, "micro_ssim"), (micro_ms3im, "micro_ms3im")]:
            values = score(truths, predictions)
            assert values == pytest.approx(np.atleast_1d(expected[name]).tolist(), abs=FITTED)
