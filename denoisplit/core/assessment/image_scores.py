"""Image scores: one number per image, from a clean truth and a prediction in the same units.

Every score takes [y x], or [z y x] for the mean over planes. Planes without contrast in the truth are left
out of that mean, because no score is defined for them. Everything is computed in float64: in single
precision, SSIM of an image on a camera offset is dominated by rounding.
"""

import math
from typing import Final

import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.assessment.planes import mean_over_planes
from denoisplit.core.assessment.ssim_maps import BORDER, ms_ssim_of_plane, ssim_of_plane

SSIM_SIDE: Final = 2 * BORDER + 1
MS_SSIM_SIDE: Final = SSIM_SIDE * 2**4
"""Smallest side, pixels: the coarsest of five scales still has to hold one 11-pixel window."""


def psnr(truth: AnyArray, prediction: AnyArray) -> float:
    r"""Peak signal-to-noise ratio, :math:`20 \log_{10}(R / \mathrm{RMSE})`.

    Args:
        truth: clean image [(z) y x]; its max - min in each plane is the range R.
        prediction: image of the same shape and units.

    Returns:
        dB; infinite if the images are equal.

    Raises:
        ImageError: shapes differ, a value is not finite, or the truth is constant.
    """
    return mean_over_planes("PSNR", truth, prediction, _psnr_of_plane, side=1)


def range_invariant_psnr(truth: AnyArray, prediction: AnyArray) -> float:
    r"""PSNR after the affine map of the prediction that fits the truth best.

    With :math:`\tilde g = (g - \bar g)/s_g` (unbiased :math:`s_g`), :math:`\tilde p = p - \bar p` and
    :math:`a = \langle \tilde g, \tilde p\rangle / \langle \tilde p, \tilde p\rangle`, the score is
    :math:`20 \log_{10} (R / s_g / \sqrt{\overline{(\tilde g - a \tilde p)^2}})`. The slope may be negative; a
    constant prediction has slope 0.

    Args:
        truth: clean image [(z) y x].
        prediction: image of the same shape, any offset and scale.

    Returns:
        dB; infinite if an affine map of the prediction equals the truth up to rounding.

    Raises:
        ImageError: shapes differ, a value is not finite, or the truth is constant.

    Source: Weigert et al., Nature Methods 2018; method section 8.1.
    """
    return mean_over_planes("range-invariant PSNR", truth, prediction, _range_invariant_psnr_of_plane, side=1)


def ssim(truth: AnyArray, prediction: AnyArray) -> float:
    """Structural similarity: Gaussian window (sigma 1.5, 11 px), 5 px border dropped, range of the truth.

    The luminance term takes 0 as black: subtract a camera offset first, which would raise the score.

    Args:
        truth: clean image [(z) y x] with sides of at least 11 px.
        prediction: image of the same shape and units.

    Returns:
        At most 1.

    Raises:
        ImageError: shapes differ, a value is not finite, the truth is constant, or the image is too small.

    Source: Wang et al., IEEE TIP 2004.
    """
    return mean_over_planes("SSIM", truth, prediction, ssim_of_plane, side=SSIM_SIDE)


def ms_ssim(truth: AnyArray, prediction: AnyArray) -> float:
    """Multi-scale structural similarity over five scales, range of the truth, negative terms set to 0.

    Args:
        truth: clean image [(z) y x] with sides of at least 176 px.
        prediction: image of the same shape and units.

    Returns:
        0 to 1.

    Raises:
        ImageError: shapes differ, a value is not finite, the truth is constant, or the image is too small.

    Source: Wang et al., Asilomar 2003; method section 8.1.
    """
    return mean_over_planes("MS-SSIM", truth, prediction, ms_ssim_of_plane, side=MS_SSIM_SIDE)


def _decibel(data_range: float, error: Float64Array, resolution: float) -> float:
    rmse = math.sqrt(float(np.mean(error**2)))
    return math.inf if rmse <= resolution else 20 * math.log10(data_range / rmse)


def _psnr_of_plane(truth: Float64Array, prediction: Float64Array, data_range: float) -> float:
    return _decibel(data_range, truth - prediction, 0.0)


def _range_invariant_psnr_of_plane(truth: Float64Array, prediction: Float64Array, data_range: float) -> float:
    scale = float(truth.std(ddof=1))
    centred_truth, centred = (truth - truth.mean()) / scale, prediction - prediction.mean()
    slope = (
        float(np.vdot(centred_truth, centred) / np.vdot(centred, centred)) if np.ptp(prediction) > 0 else 0.0
    )
    # For a prediction that fits exactly, the error is rounding noise, not 0.
    rounding = 8 * np.finfo(np.float64).eps
    resolution = rounding * (
        float(np.abs(truth).max()) / scale + abs(slope) * float(np.abs(prediction).max())
    )
    return _decibel(data_range / scale, centred_truth - slope * centred, resolution)
