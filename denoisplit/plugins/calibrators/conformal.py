"""Calibrator: intervals with the stated coverage for errors of any distribution."""

import math
from typing import final

import attrs
import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.network.interfaces import Calibration, Calibrator
from denoisplit.plugins.calibrators.array_checks import check_fields, check_level
from denoisplit.plugins.calibrators.half_widths import (
    LEVEL,
    ONE_SIGMA,
    ROUNDING,
    WIDTH,
    half_width,
    levels_for,
    usable_widths,
)


@final
class Conformal(Calibrator):
    r"""Split conformal intervals: mean :math:`\pm q_c(p)\,\sigma` for every channel c and level p.

    :math:`q_c(p)` is the :math:`\lceil (n+1)\,p \rceil`-th smallest of the n scores
    :math:`|x - \mu| / \sigma` of the held-out pixels. Errors need not be Gaussian, nor the std right.
    Half-widths are stored at steps of 0.5 %, and at 99.9 and 99.99 %; a level in between uses the next higher
    one. The calibrated std is the half-width at 68.27 %, which is one std of Gaussian errors.

    The guarantee: an interval covers a *new pixel* with at least its probability, and at most 1 / (n + 1)
    more at the stored levels, on average over held-out sets, if held-out and new pixels are exchangeable.
    Pixels are so only approximately: those of one field are alike, and fields differ. The guarantee is about
    a pixel drawn at random from a field drawn as the held-out ones were. The covered share varies from field
    to field, the more so the fewer held-out fields there are, and no single field, region or place is
    promised its share. Needs clean references: noise cannot be subtracted from the quantiles of errors.

    Source: Lei et al., JASA 2018; Angelopoulos & Bates, Foundations and Trends in Machine Learning 2023.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """The calibrator has no options."""

    options: Options

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit half-widths, in units of the std, to arrays [n c (z) y x] in counts.

        Returns:
            ``level``: the levels that this many pixels allow; for every channel c, ``half_width_c``: one per
            level.
        """
        check_fields(mean, std, truth)
        pixels = std[:, 0].size
        levels = levels_for(pixels)
        parameters: dict[str, tuple[float, ...]] = {LEVEL: levels}
        chosen = [math.ceil((pixels + 1) * level - ROUNDING) - 1 for level in levels]
        for channel in range(std.shape[1]):
            error = np.abs(truth[:, channel].astype(np.float64) - mean[:, channel])
            scores = np.sort((error / std[:, channel]).ravel())
            parameters[f"{WIDTH}{channel}"] = usable_widths(scores[chosen], levels, channel)
        return Calibration(parameters=parameters)

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape and dtype as ``std`` [n c (z) y x]: the half-width at 68.27 %."""
        return half_width(calibration, std, ONE_SIGMA)

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the interval that covers a pixel with probability ``level``."""
        check_level(level)
        half = half_width(calibration, std, level)
        return mean - half, mean + half
