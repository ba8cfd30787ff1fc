"""How well the variance of a noise model is that of the noise, by the brightness of the signal."""

from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array

BINS: Final = 24
FEWEST: Final = 50
"""Least number of pixels of a bin whose noise is measured."""


@attrs.frozen(kw_only=True, eq=False)
class NoiseAgreement:
    """Measured noise of one channel, and what its noise model says of it.

    Attributes:
        channel: name of the channel.
        origin: what stands for the signal, such as ``clean reference``.
        pixels: number of pixels.
        signal: mean signal of every bin [bins], counts.
        measured: std of the observations around the signal [bins], counts.
        modelled: std that the noise model expects [bins], counts.
    """

    channel: str
    origin: str
    pixels: int
    signal: Float64Array
    measured: Float64Array
    modelled: Float64Array

    @property
    def ratio(self) -> float:
        """Measured over modelled std, the median over the bins; 1 where they agree."""
        return float(np.median(self.measured / self.modelled))


def noise_agreement(
    channel: str, origin: str, signal: AnyArray, observation: AnyArray, variance: AnyArray
) -> NoiseAgreement | None:
    """Compare observations with the variance that a noise model expects around their signal.

    Args:
        channel: name of the channel.
        origin: what stands for the signal.
        signal: clean values [pixels], counts.
        observation: noisy values of the same pixels, counts.
        variance: variance by the noise model at these pixels, counts squared.

    Returns:
        The comparison in bins with (nearly) equally many pixels; None for too few pixels.
    """
    bins = min(BINS, signal.size // FEWEST)
    if bins < 1:
        return None
    order = np.argsort(signal, kind="stable")
    columns = []
    for part in np.array_split(order, bins):
        clean, noisy, expected = (one[part].astype(np.float64) for one in (signal, observation, variance))
        columns.append((clean.mean(), (noisy - clean).std(), np.sqrt(expected.mean())))
    means, measured, modelled = np.array(columns).T
    return NoiseAgreement(
        channel=channel,
        origin=origin,
        pixels=int(signal.size),
        signal=means,
        measured=measured,
        modelled=modelled,
    )
