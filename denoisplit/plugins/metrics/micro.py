"""MicroSSIM and MicroMS3IM, with the extra ``micro``."""

import importlib.util
from collections.abc import Sequence

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.image_scores import MS_SSIM_SIDE, SSIM_SIDE
from denoisplit.core.assessment.metric import PooledMetric
from denoisplit.core.assessment.micro_metrics import PACKAGE, micro_ms3im, micro_ssim
from denoisplit.core.errors import MissingPackageError
from denoisplit.core.validators import NoOptions


class MicroSsim(PooledMetric):
    """SSIM after background subtraction and the best common scale of all predictions.

    Source: Ashesh et al., MicroSSIM, 2024.
    """

    Options = NoOptions

    label = "MicroSSIM"
    side = SSIM_SIDE

    def __init__(self, options: NoOptions) -> None:
        super().__init__(options)
        _require_package("micro_ssim")

    def scores(self, truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> Sequence[float]:
        """Score every image of a channel."""
        return micro_ssim(truths, predictions)


class MicroMs3im(PooledMetric):
    """MS-SSIM after background subtraction and the best common scale of all predictions.

    Source: Ashesh et al., MicroSSIM, 2024.
    """

    Options = NoOptions

    label = "MicroMS3IM"
    side = MS_SSIM_SIDE

    def __init__(self, options: NoOptions) -> None:
        super().__init__(options)
        _require_package("micro_ms3im")

    def scores(self, truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> Sequence[float]:
        """Score every image of a channel."""
        return micro_ms3im(truths, predictions)


def _require_package(name: str) -> None:
    """Check that the optional package is installed.

    Raises:
        MissingPackageError: it is not installed.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise MissingPackageError(
            f"metrics: {name} needs the package {PACKAGE}, which is not installed. "
            f"Install it with: pip install 'denoisplit[micro]'."
        )
