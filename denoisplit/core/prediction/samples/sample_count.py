"""Choice of the number of posterior samples."""

import logging
import math
from collections.abc import Iterable
from typing import Final

import attrs
import numpy as np
from attrs.validators import gt, le

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import SpecError
from denoisplit.core.given import is_whole, shown
from denoisplit.core.network.interfaces import IntensityStats

_LOG = logging.getLogger("denoisplit.prediction")

PILOT: Final = 4
"""Number of samples from which the spread is estimated; averaged over an image, few are enough."""

LEAST: Final = 16
"""Fewest samples chosen. They determine the std of every pixel to 1 / sqrt(2 (n - 1)), or 18 %."""

MOST: Final = 1000
"""Most samples chosen."""

FRACTION: Final = 0.02


@attrs.frozen
class AutoSamples:
    r"""Enough samples to keep the Monte Carlo error of the mean below a fraction of the intensity scale.

    The mean of n samples is off by std / sqrt(n) in every pixel, with the std of what was decoded. Relative
    to that std, it is 1 / sqrt(n) for any image, so all images would get the same number. Relative to the
    intensity scale of a channel, which is the standard deviation of its training images, it is the grain
    visible in the mean:

    .. math:: n = \max_c \Bigl\lceil \frac{\operatorname{mean}(\sigma_c^2)}{(f \, s_c)^2} \Bigr\rceil

    with the variance :math:`\sigma_c^2` of the first ``PILOT`` decoded signals, averaged over the image, and
    the scale :math:`s_c` of the channel; at least ``LEAST``, at most ``MOST``. One number serves the whole
    image, all planes of a series included, so that it does not depend on tiles.

    Attributes:
        fraction: f, root mean square of the Monte Carlo error over the intensity scale.
    """

    fraction: float = attrs.field(default=FRACTION, validator=[gt(0), le(1)])

    def choose(
        self, variances: Iterable[FloatArray], statistics: IntensityStats, *, least: int = LEAST
    ) -> int:
        """Number of samples.

        Args:
            variances: mean variance of the pilot samples of every channel [c], counts squared, one array per
                plane of the image.
            statistics: intensity statistics of the run.
            least: fewest samples that the outputs need.
        """
        scale = np.asarray(statistics.target_std) * self.fraction
        needed = 0.0
        for variance in variances:
            needed = max(needed, float(np.max(variance / scale**2)))
        most = max(MOST, least)
        if needed > most:
            _LOG.warning(
                "samples: %d would be needed for a Monte Carlo error of the mean of %g of the intensity "
                "scale; with %d it is %.2g. Allow a larger fraction, or give a number of samples",
                math.ceil(needed),
                self.fraction,
                most,
                self.fraction * math.sqrt(needed / most),
            )
        return min(most, max(LEAST, least, math.ceil(needed)))


def parse_samples(given: object) -> int | AutoSamples:
    """Parse a number of samples, ``auto``, or ``auto:FRACTION``.

    Raises:
        SpecError: none of these, or a fraction outside 0 to 1.
    """
    if is_whole(given):
        return int(given)
    word, _, fraction = given.strip().partition(":") if isinstance(given, str) else ("", "", "")
    try:
        if word == "auto":
            return AutoSamples(float(fraction)) if fraction else AutoSamples()
        return int(word)
    except ValueError:
        raise SpecError(
            f"prediction.samples: must be a number, auto, or auto:FRACTION with a fraction above 0, up to 1 "
            f"(got {shown(given)}). Use for example 50, or auto:0.01."
        ) from None
