"""Metrics of single pixels."""

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.image_scores import psnr, range_invariant_psnr
from denoisplit.core.assessment.matched_metrics import pearson
from denoisplit.core.assessment.metric import Metric
from denoisplit.core.validators import NoOptions


class Psnr(Metric):
    """Peak signal-to-noise ratio; the range is that of the truth in each plane."""

    Options = NoOptions

    label = "PSNR"
    unit = "dB"

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        """Score an image [(z) y x]."""
        return psnr(truth, prediction)


class RangeInvariantPsnr(Metric):
    """PSNR after the affine map of the prediction that fits the truth best.

    Source: Weigert et al., Nature Methods 2018.
    """

    Options = NoOptions

    label = "RI-PSNR"
    unit = "dB"

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        """Score an image [(z) y x]."""
        return range_invariant_psnr(truth, prediction)


class Pearson(Metric):
    """Correlation coefficient of the pixels, averaged over planes."""

    Options = NoOptions

    label = "Pearson"

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        """Score an image [(z) y x]."""
        return pearson(truth, prediction)
