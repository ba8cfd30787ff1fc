"""The running PSNR of the reference."""

import math
from collections.abc import Sequence

import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.planes import contrast_planes, mean


def pooled_psnr(truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> float:
    """PSNR of a whole set: range of the truth over all images, mean of their mean squared errors, dB."""
    pairs = zip(truths, predictions, strict=True)
    images = [contrast_planes("PSNR of a set", t, p, side=1) for t, p in pairs]
    error = mean([mean([float(np.mean((t - p) ** 2)) for t, p in planes]) for planes in images])
    truths = [truth for planes in images for truth, _ in planes]
    span = max(truth.max() for truth in truths) - min(truth.min() for truth in truths)
    return math.inf if error == 0 else 20 * math.log10(float(span) / math.sqrt(error))
