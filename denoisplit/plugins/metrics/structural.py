"""Metrics of structural similarity."""

from collections.abc import Sequence

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.image_scores import MS_SSIM_SIDE, SSIM_SIDE, ms_ssim, ssim
from denoisplit.core.assessment.matched_metrics import (
    UNIFORM_SIDE,
    care_ms_ssim,
    ms_ssim_pooled,
    range_invariant_ms_ssim,
    ssim_uniform,
)
from denoisplit.core.assessment.metric import Metric, PooledMetric
from denoisplit.core.validators import NoOptions


class Ssim(Metric):
    """Structural similarity: Gaussian window of 11 px, range of the truth.

    Source: Wang et al., IEEE TIP 2004.
    """

    Options = NoOptions

    label = "SSIM"
    side = SSIM_SIDE

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        """Score an image [(z) y x]."""
        return ssim(truth, prediction)


class SsimUniform(Metric):
    """SSIM with a flat window of 7 px and sample covariances.

    Source: Wang et al., IEEE TIP 2004.
    """

    Options = NoOptions

    label = "SSIM, flat window"
    side = UNIFORM_SIDE

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        """Score an image [(z) y x]."""
        return ssim_uniform(truth, prediction)


class MsSsim(Metric):
    """Multi-scale structural similarity over five scales.

    Source: Wang et al., Asilomar 2003.
    """

    Options = NoOptions

    label = "MS-SSIM"
    side = MS_SSIM_SIDE

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        """Score an image [(z) y x]."""
        return ms_ssim(truth, prediction)


class RangeInvariantMsSsim(Metric):
    """MS-SSIM of images without their means, the prediction scaled to fit best.

    Source: CAREamics.
    """

    Options = NoOptions

    label = "RI-MS-SSIM"
    side = MS_SSIM_SIDE

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        """Score an image [(z) y x]."""
        return range_invariant_ms_ssim(truth, prediction)


class MsSsimPooled(PooledMetric):
    """MS-SSIM whose range is that of the truth over all images of a channel.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code.
    """

    Options = NoOptions

    label = "MS-SSIM, pooled range"
    side = MS_SSIM_SIDE

    def scores(self, truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> Sequence[float]:
        """Score every image of a channel."""
        return ms_ssim_pooled(truths, predictions)


class CareMsSsim(PooledMetric):
    """MS-SSIM after the normalisation of CARE, whose range is that of all images.

    Source: Weigert et al., Nature Methods 2018.
    """

    Options = NoOptions

    label = "CARE MS-SSIM"
    side = MS_SSIM_SIDE

    def scores(self, truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> Sequence[float]:
        """Score every image of a channel."""
        return care_ms_ssim(truths, predictions)
