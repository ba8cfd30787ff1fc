"""Calibration: curves, the factor, and scores of the spread before and after it."""

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.bootstrap import FieldSpread
from denoisplit.core.assessment.calibration_curve import (
    curve_over,
    expected_normalised_calibration_error,
    quantile_curve,
)
from denoisplit.core.assessment.coverage import coverage, gaussian_crps, gaussian_nll
from denoisplit.core.assessment.uncertainty import field_reliability
from denoisplit.plugins.calibrators.scale import Scale
from tests.assessment.equal_width import equal_width_curve
from tests.golden.account import GoldenFile
from tests.golden.tolerance import EXACT

CURVES = {"uniform": equal_width_curve, "quantile": quantile_curve}


def check_calibration(file: GoldenFile) -> None:
    """Every channel of a predicted mean and std with its truth."""
    file.leave(r"reference_defective_\w+", "bins shifted by one, the last of them lost: a known defect")
    images = [file.given(name).astype(np.float64) for name in ("mean", "std", "target")]
    for channel in range(images[0].shape[-1]):
        mean, std, truth = (image[..., channel] for image in images)
        _factor(file, channel, mean, std, truth)
        _curves(file, channel, mean, std, truth)
        _reference_line(file, channel, mean, std, truth)
        _scores(file, channel, mean, std, truth)


def _factor(file: GoldenFile, channel: int, mean: AnyArray, std: AnyArray, truth: AnyArray) -> None:
    path = f"values_per_channel/{channel}"
    arrays = (image[:, None] for image in (mean, std, truth))
    (factor,) = Scale(Scale.Options()).fit(*arrays).parameters["factor"]
    within = file.tolerance("float64")
    file.compare(f"{path}/closed_form_std_factor", factor, within)
    file.compare(f"{path}/variance_multiplier_theta", factor**2, within)
    optimiser = file.tolerance("reference_optimiser")
    file.compare(f"{path}/reference_optimiser_std_factor", factor, optimiser)


def _curves(file: GoldenFile, channel: int, mean: AnyArray, std: AnyArray, truth: AnyArray) -> None:
    path, within = f"values_per_channel/{channel}", file.tolerance("float64")
    factor = file.meta["values_per_channel"][channel]["closed_form_std_factor"]
    for kind, curve_of in CURVES.items():
        bins = len(file.arrays[f"{kind}_count_ch{channel}"])
        before = curve_of(mean, std, truth, bins=bins)
        file.compare(f"{kind}_count_ch{channel}", before.count, EXACT)
        for name in ("edges", "rmv", "rmse"):
            file.compare(f"{kind}_{name}_ch{channel}", getattr(before, name), within)
        after = attrs.evolve(before, rmv=before.rmv * factor)
        for curve, when in ((before, "before"), (after, "after")):
            found = expected_normalised_calibration_error(curve)
            file.compare(f"{path}/ence_{kind}{bins}_{when}", found, within)
    whole = equal_width_curve(mean, std, truth, bins=1)
    file.compare(f"{path}/rmse", whole.rmse[0], within)
    file.compare(f"{path}/rmv", whole.rmv[0], within)


def _reference_line(file: GoldenFile, channel: int, mean: AnyArray, std: AnyArray, truth: AnyArray) -> None:
    """Slope and offset of the reference's line through the curve, restated on the bins of the project.

    The calibrator ``affine`` has other numbers, on purpose. The reference leaves out the pixel of the largest
    std and the last bins, gives every bin of a curve of equal widths the same weight, however few pixels it
    has, and stops at an empty one; its offset may be negative. ``affine`` counts every pixel once, in bins of
    equally many of them, repeats the regression on its own result, and has no offset below zero.
    """
    stored = file.meta["values_per_channel"][channel]
    path, within = f"values_per_channel/{channel}", file.tolerance("float64")
    edges = equal_width_curve(mean, std, truth).edges
    kept = std < std.max()
    curve = curve_over(edges, std[kept], (mean - truth)[kept])
    share = np.cumsum(curve.count) / curve.count.sum()
    first = int(np.argmax(share > 1e-5))
    dropped = int(np.argmax(share[::-1] < 0.99999))
    used = slice(first, len(curve.count) - dropped)
    filled = curve.filled[used]
    slope, offset = np.polyfit(curve.rmv[used][filled], curve.rmse[used][filled], 1)
    found = {"slope": slope, "offset": offset, "bins_used": filled.sum(), "empty_bins": (~filled).sum()}
    for name, number in found.items():
        file.compare(f"{path}/linear_fit_skipping_empty_bins/{name}", number, within)
    # Where a bin is empty, the reference has no result of its own.
    assert ("careamics" in stored) == ("careamics_error" not in file.meta)
    if "careamics" in stored:
        file.compare(f"{path}/careamics/slope", slope, within)
        file.compare(f"{path}/careamics/offset", offset, within)
        file.compare(f"{path}/careamics_first_bin", first, EXACT)
        file.compare(f"{path}/careamics_bins_dropped_at_end", dropped, EXACT)


def _scores(file: GoldenFile, channel: int, mean: AnyArray, std: AnyArray, truth: AnyArray) -> None:
    path, within = f"values_per_channel/{channel}", file.tolerance("float64")
    stored = file.meta["values_per_channel"][channel]
    for when, factor in (("before", 1.0), ("after", stored["closed_form_std_factor"])):
        spread = std * factor
        levels = list(stored[f"coverage_{when}"])
        found = coverage(mean, spread, truth, levels=[float(level) for level in levels])
        for level, result in zip(levels, found, strict=True):
            file.compare(f"{path}/coverage_{when}/{level}", result.fraction, within)
        file.compare(f"{path}/gaussian_nll_{when}", gaussian_nll(mean, spread, truth), within)
        file.compare(f"{path}/crps_{when}", gaussian_crps(mean, spread, truth), within)
        _summary(file, channel, when, [mean, spread, truth])


def _summary(file: GoldenFile, channel: int, when: str, images: list[AnyArray]) -> None:
    """What ``evaluate`` reports of all fields together, field by field."""
    path, within = f"values_per_channel/{channel}", file.tolerance("float64")
    fields = [FieldSpread(mean=m, std=s, truth=t) for m, s, t in zip(*images, strict=True)]
    found = field_reliability(fields)
    file.compare(f"{path}/gaussian_nll_{when}", found.nll, within)
    file.compare(f"{path}/crps_{when}", found.crps, within)
    file.compare(f"{path}/rmse", found.rmse, within)
    if when == "before":
        file.compare(f"{path}/rmv", found.rmv, within)
    stored = file.meta["values_per_channel"][channel]
    for covered in found.coverage:
        if f"{covered.level:g}" in stored[f"coverage_{when}"]:
            file.compare(f"{path}/coverage_{when}/{covered.level:g}", covered.fraction, within)
    name = f"ence_quantile{len(found.curve.count)}_{when}"
    if name in stored:
        file.compare(f"{path}/{name}", found.ence, within)
