"""Scores of the reference publications beyond the default four: other windows, fits and ranges."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.ndimage import uniform_filter

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.assessment.image_scores import MS_SSIM_SIDE
from denoisplit.core.assessment.planes import Pair, contrast_planes, fitted_slope, mean, mean_over_planes
from denoisplit.core.assessment.ssim_maps import ms_ssim_of_plane
from denoisplit.core.errors import ImageError

UNIFORM_SIDE: Final = 7
CARE_PERCENTILES: Final = (3.0, 99.8)


def pearson(truth: AnyArray, prediction: AnyArray) -> float:
    """Correlation coefficient of the pixels, averaged over planes; 0 for a constant prediction.

    Args:
        truth: clean image [(z) y x].
        prediction: image of the same shape, any offset and scale.

    Returns:
        -1 to 1.

    Raises:
        ImageError: shapes differ, a value is not finite, or the truth is constant.
    """
    return mean_over_planes("Pearson correlation", truth, prediction, _pearson_of_plane, side=1)


def ssim_uniform(truth: AnyArray, prediction: AnyArray) -> float:
    """SSIM with a flat window of 7 px and sample covariances, the default of scikit-image.

    Args:
        truth: clean image [(z) y x] with sides of at least 7 px; its range is that of the score.
        prediction: image of the same shape and units.

    Returns:
        At most 1.

    Raises:
        ImageError: shapes differ, a value is not finite, the truth is constant, or the image is too small.

    Source: Wang et al., IEEE TIP 2004; method section 8.1.
    """
    return mean_over_planes(
        "SSIM (flat window)", truth, prediction, _ssim_uniform_of_plane, side=UNIFORM_SIDE
    )


def range_invariant_ms_ssim(truth: AnyArray, prediction: AnyArray) -> float:
    """MS-SSIM of the images without their means, the prediction scaled to fit the truth best.

    Args:
        truth: clean image [(z) y x] with sides of at least 176 px.
        prediction: image of the same shape, any offset and scale, even a negative scale.

    Returns:
        0 to 1.

    Raises:
        ImageError: shapes differ, a value is not finite, the truth is constant, or the image is too small.

    Source: CAREamics; method section 12.3.
    """
    return mean_over_planes(
        "range-invariant MS-SSIM", truth, prediction, _matched_ms_ssim_of_plane, side=MS_SSIM_SIDE
    )


def ms_ssim_pooled(truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> list[float]:
    """MS-SSIM whose range is that of the truth over all images, as denoiSplit reports it.

    Args:
        truths: clean images [(z) y x] of one channel with sides of at least 176 px.
        predictions: images of the same shapes and units.

    Returns:
        One number per image, 0 to 1.

    Raises:
        ImageError: shapes differ, a value is not finite, a truth is constant, or an image is too small.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code; method section 8.1.
    """
    pairs = zip(truths, predictions, strict=True)
    return _shared_range(
        [contrast_planes("MS-SSIM (pooled range)", t, p, side=MS_SSIM_SIDE) for t, p in pairs]
    )


def care_ms_ssim(truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> list[float]:
    """MS-SSIM after the normalisation of CARE.

    Every plane of the truth is mapped so that its 3rd percentile is 0 and its 99.8th percentile 1, and the
    prediction is fitted to it by least squares. The range is that of the normalised truth over all images.

    Args:
        truths: clean images [(z) y x] of one channel with sides of at least 176 px.
        predictions: images of the same shapes, any offset and scale.

    Returns:
        One number per image, 0 to 1.

    Raises:
        ImageError: shapes differ, a value is not finite, an image is too small, or the 3rd and 99.8th
            percentile of a truth are equal.

    Source: Weigert et al., Nature Methods 2018; method section 8.1.
    """
    where = "CARE-normalised MS-SSIM"
    images = []
    for truth, prediction in zip(truths, predictions, strict=True):
        planes = contrast_planes(where, truth, prediction, side=MS_SSIM_SIDE)
        images.append([_care_normalised(where, *pair) for pair in planes])
    return _shared_range(images)


def _pearson_of_plane(truth: Float64Array, prediction: Float64Array, _range: float) -> float:
    slope = fitted_slope(truth, prediction)
    return slope * float(prediction.std() / truth.std())


def _ssim_uniform_of_plane(truth: Float64Array, prediction: Float64Array, data_range: float) -> float:
    pixels = UNIFORM_SIDE**2
    border = UNIFORM_SIDE // 2
    first, second = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2

    def local(image: Float64Array) -> Float64Array:
        filtered: Float64Array = uniform_filter(image, UNIFORM_SIDE)
        return filtered[border:-border, border:-border]

    means = local(truth), local(prediction)
    sample = pixels / (pixels - 1)
    variances = sample * (local(truth**2) - means[0] ** 2 + local(prediction**2) - means[1] ** 2)
    covariance = sample * (local(truth * prediction) - means[0] * means[1])
    luminance = (2 * means[0] * means[1] + first) / (means[0] ** 2 + means[1] ** 2 + first)
    return float((luminance * (2 * covariance + second) / (variances + second)).mean())


def _matched_ms_ssim_of_plane(truth: Float64Array, prediction: Float64Array, data_range: float) -> float:
    scaled = fitted_slope(truth, prediction) * (prediction - prediction.mean())
    return ms_ssim_of_plane(truth - truth.mean(), scaled, data_range)


def _care_normalised(where: str, truth: Float64Array, prediction: Float64Array) -> Pair:
    low, high = np.percentile(truth, CARE_PERCENTILES)
    if low == high:
        raise ImageError(
            f"{where}: the 3rd and the 99.8th percentile of the truth are equal (got {low:g}). "
            f"Use another score for such sparse images."
        )
    truth = (truth - low) / (high - low)
    return truth, truth.mean() + fitted_slope(truth, prediction) * (prediction - prediction.mean())


def _shared_range(images: list[list[Pair]]) -> list[float]:
    data_range = _range(images)
    return [mean([ms_ssim_of_plane(t, p, data_range) for t, p in planes]) for planes in images]


def _range(images: list[list[Pair]]) -> float:
    truths = [truth for planes in images for truth, _ in planes]
    return float(max(truth.max() for truth in truths) - min(truth.min() for truth in truths))
