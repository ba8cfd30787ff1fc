"""Every image score by name."""

import importlib.util
from collections.abc import Sequence
from typing import Final

from denoisplit.core.assessment.matched_metrics import (
    UNIFORM_SIDE,
    care_ms_ssim,
    ms_ssim_pooled,
    pearson,
    range_invariant_ms_ssim,
    ssim_uniform,
)
from denoisplit.core.assessment.metrics import (
    METRICS,
    MS_SSIM_SIDE,
    SSIM_SIDE,
    Metric,
    Score,
    ScoreTogether,
)
from denoisplit.core.assessment.micro_metrics import PACKAGE, micro_ms3im, micro_ssim
from denoisplit.core.errors import MissingPackageError, SpecError


def _alone(together: ScoreTogether) -> Score:
    """The score of an image that is the only one."""
    return lambda truth, prediction: together([truth], [prediction])[0]


EVERY_METRIC: Final = (
    *METRICS,
    Metric("ssim_uniform", "SSIM, flat window", "", ssim_uniform, UNIFORM_SIDE),
    Metric("range_invariant_ms_ssim", "RI-MS-SSIM", "", range_invariant_ms_ssim, MS_SSIM_SIDE),
    Metric(
        "ms_ssim_pooled", "MS-SSIM, pooled range", "", _alone(ms_ssim_pooled), MS_SSIM_SIDE, ms_ssim_pooled
    ),
    Metric("care_ms_ssim", "CARE MS-SSIM", "", _alone(care_ms_ssim), MS_SSIM_SIDE, care_ms_ssim),
    Metric("micro_ssim", "MicroSSIM", "", _alone(micro_ssim), SSIM_SIDE, micro_ssim, PACKAGE),
    Metric("micro_ms3im", "MicroMS3IM", "", _alone(micro_ms3im), MS_SSIM_SIDE, micro_ms3im, PACKAGE),
    Metric("pearson", "Pearson", "", pearson, 1),
)
"""The usual four, then those that ``evaluate`` offers on request."""


def chosen_metrics(names: Sequence[str]) -> tuple[Metric, ...]:
    """Scores by name, in the given order; a name counts once.

    Raises:
        SpecError: there is no such score, or no name at all.
        MissingPackageError: a score needs a package that is not installed.
    """
    known = {metric.name: metric for metric in EVERY_METRIC}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        problem = (
            f"metrics: no such score (got {', '.join(unknown) or 'no name'}). Use some of {', '.join(known)}."
        )
        raise SpecError([problem])
    metrics = tuple(known[name] for name in dict.fromkeys(names))
    for metric in metrics:
        if metric.package and importlib.util.find_spec(metric.package) is None:
            raise MissingPackageError(
                f"metrics: {metric.name} needs the package {metric.package}, which is not installed. "
                f"Install it with: pip install 'denoisplit[micro]'."
            )
    return metrics
