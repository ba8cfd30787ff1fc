"""Scores of images, by the definitions that the files give."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.image_scores import ms_ssim, psnr, range_invariant_psnr, ssim
from denoisplit.core.assessment.matched_metrics import (
    care_ms_ssim,
    ms_ssim_pooled,
    pearson,
    range_invariant_ms_ssim,
    ssim_uniform,
)
from denoisplit.core.assessment.micro_metrics import MicroParameters, fit_micro, micro_ms3im, micro_ssim
from tests.assessment.pooled import pooled_psnr
from tests.golden.account import GoldenFile
from tests.golden.check_likelihoods import number_of
from tests.golden.tolerance import Tolerance

Images = Sequence[AnyArray]
_PAIR = {
    "psnr": psnr,
    "range_invariant_psnr": range_invariant_psnr,
    "ssim_gaussian": ssim,
    "ssim_uniform7": ssim_uniform,
    "pearson": pearson,
}
_PREDICTION = re.compile(r"(\w+?)(?:_times(\d+))?")


def _leave_what_is_no_score(file: GoldenFile) -> None:
    file.leave(r"values.*/(\w*data_range\w*|care_gt_percentiles[\w.]*)", "a property of the images")
    file.leave(r"values.*/mse", "on the way to the PSNR, which is compared")
    file.leave(r"values.*_float32_reference", "the same score in single precision; ours are float64 inside")
    file.leave(r"values.*/objective_at_maximum", "on the way to the factor, which is compared")


def check_small_pairs(file: GoldenFile) -> None:
    """Scores of pairs, and the PSNR of a set that grows."""
    _leave_what_is_no_score(file)
    for number in range(len(file.meta["values"])):
        _pair(file, f"values/{number}", file.given(f"gt_{number}"), file.given(f"pred_{number}"))
    truths: list[AnyArray] = []
    predictions: list[AnyArray] = []
    found = []
    for number in range(len(file.arrays["running_psnr_after_update"])):
        truths += list(_float(file.given(f"running_target_{number}")))
        predictions += list(_float(file.given(f"running_pred_{number}")))
        found.append(pooled_psnr(truths, predictions))
    file.compare("running_psnr_after_update", found, file.tolerance("float64"))


def check_stack(file: GoldenFile) -> None:
    """A stack of frames: scores of frames and of the stack, of predictions and of inverted ones."""
    _leave_what_is_no_score(file)
    truths, predictions = (list(_float(file.given(name))) for name in ("gt", "pred"))
    for number, pair in enumerate(zip(truths, predictions, strict=True)):
        _pair(file, f"values/pairs/{number}", *pair)
    top = number_of(file.meta["inverted"], "uses")
    _multiscale(file, "values/ms", truths, predictions)
    _multiscale(file, "values/ms_inverted_pred", truths, [top - image for image in predictions])
    _fitted(file, "values/micro/list_fit", truths, predictions)
    for number, pair in enumerate(zip(truths, predictions, strict=True)):
        _fitted(file, f"values/micro/single_fit/{number}", [pair[0]], [pair[1]])
    _fixed(file, "values/micro/fixed_parameters", truths, predictions)
    # Of a stack, the score is the mean over planes.
    mean = np.mean([pair["psnr"] for pair in file.meta["values"]["pairs"]])
    assert abs(psnr(np.stack(truths), np.stack(predictions)) / mean - 1) < 1e-8


def check_crop(file: GoldenFile) -> None:
    """A real image with several predictions."""
    _leave_what_is_no_score(file)
    truth = _float(file.given("clean"))
    predictions = {}
    for name in file.arrays:
        words = _PREDICTION.fullmatch(name)
        if name != "clean" and words:
            predictions[words[1]] = _float(file.given(name)) / float(words[2] or 1)
    for kind, prediction in predictions.items():
        _pair(file, f"values/{kind}", truth, prediction)
        _multiscale(file, f"values/{kind}", [truth], [prediction])
        _fitted(file, f"values/{kind}/micro/single_fit", [truth], [prediction])
        _fixed(file, f"values/{kind}/micro/fixed_parameters", [truth], [prediction])
    for name in file.meta["values"]:
        if together := re.fullmatch(r"micro_list_fit_(\w+)", name):
            chosen = [predictions[kind] for kind in together[1].split("_then_")]
            _fitted(file, f"values/{name}", [truth] * len(chosen), chosen)


def _float(images: AnyArray) -> AnyArray:
    return images.astype(np.float64)


def _single(file: GoldenFile) -> Tolerance:
    """Scores that need no optimiser and no window of several scales."""
    stated = file.about["tolerance"]
    # Where a file says nothing of them, what the other files say.
    return file.tolerance("float64") if "float64" in stated else Tolerance(rtol=1e-8)


def _pair(file: GoldenFile, path: str, truth: AnyArray, prediction: AnyArray) -> None:
    for name, score in _PAIR.items():
        file.compare(f"{path}/{name}", score(_float(truth), _float(prediction)), _single(file))


def _multiscale(file: GoldenFile, path: str, truths: Images, predictions: Images) -> None:
    within = file.tolerance("ms_ssim", "float64")
    pairs = list(zip(truths, predictions, strict=True))
    pooled, care = ms_ssim_pooled(truths, predictions), care_ms_ssim(truths, predictions)
    file.compare(f"{path}/ms_ssim_all_frames", np.mean(pooled), within)
    file.compare(f"{path}/care_ms_ssim", np.mean(care), within)
    matched = [range_invariant_ms_ssim(*pair) for pair in pairs]
    file.compare(f"{path}/range_invariant_ms_ssim_per_frame", matched, within)
    if file.matching(re.escape(f"{path}/ms_ssim_per_frame")):
        file.compare(f"{path}/ms_ssim_per_frame", [ms_ssim(*pair) for pair in pairs], within)


def _fitted(file: GoldenFile, path: str, truths: Images, predictions: Images) -> None:
    """Parameters and scores of a fit of its own."""
    found = fit_micro(truths, predictions)
    for name, value in (
        ("offset_gt", found.truth_offset),
        ("offset_pred", found.prediction_offset),
        ("max_val", found.scale),
    ):
        file.compare(f"{path}/{name}", value, Tolerance(rtol=1e-6))
    for name in ("ri_factor", "ri_factor_exact_maximiser"):
        file.compare(f"{path}/{name}", found.factor, file.tolerance("ri_factor"))
    for name, score in (("micro_ssim", micro_ssim), ("micro_ms3im", micro_ms3im)):
        values = score(truths, predictions, found)
        file.compare(f"{path}/{name}", values, file.tolerance("micro_fitted"), by=np.atleast_1d)


def _fixed(file: GoldenFile, path: str, truths: Images, predictions: Images) -> None:
    """Scores with given parameters."""
    given: dict[str, Any] = {
        name: float(file.given(f"{path}/{name}"))
        for name in ("offset_gt", "offset_pred", "max_val", "ri_factor")
    }
    parameters = MicroParameters(
        truth_offset=given["offset_gt"],
        prediction_offset=given["offset_pred"],
        scale=given["max_val"],
        factor=given["ri_factor"],
    )
    within = file.tolerance("micro_fixed_parameters")
    file.compare(f"{path}/micro_ssim", micro_ssim(truths, predictions, parameters), within)
    multiscale = micro_ms3im(truths, predictions, parameters)
    file.compare(f"{path}/micro_ms3im", multiscale, within)
    precise = file.tolerance("ms_ssim", "float64")
    file.compare(f"{path}/micro_ms3im_float64", multiscale, precise)
