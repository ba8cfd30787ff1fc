"""Whether predicted channels explain the mixed image within its noise, and how surprising its latents are."""

from collections.abc import Sequence

import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.images.degradation import Degradation
from denoisplit.core.images.mixing import Mixing, mix

FAR_FROM_ONE = 2.0
"""Factor by which the mean of chi-square differs from 1 where something is wrong."""

LEAST_RATE = 1e-4
"""Nats per pixel; rates far below this one are not told apart."""


def mixed_variance(variance: FloatArray, mixing: Mixing, degradation: Degradation) -> FloatArray:
    r"""Noise variance of the mixed image from that of the channels.

    .. math:: \sigma^2 = \frac{1}{C^2} \sum_c \sigma_c^2 \text{ (mean)}, \quad \sum_c \sigma_c^2 \text{ (sum)}

    because the noise of the channels is independent and the offset is a constant. If the mixed image has
    synthetic noise of its own, that replaces the mean of the channels' noise.

    Args:
        variance: noise variance of every channel [c (z) y x], counts squared.
        mixing: mean or sum.
        degradation: synthetic noise of the training images.

    Returns:
        [(z) y x], counts squared.
    """
    count = variance.shape[0]
    total: FloatArray = variance.sum(axis=0)
    if mixing.mode == "sum":
        return total
    total = total / count**2
    if not degradation.dependent:
        # In a sum, its own noise has the variance of the summed noise already.
        total = total + degradation.gaussian**2 * (1 - 1 / count)
    return total


def without_bias(mixed: FloatArray, bias: FloatArray | None, mixing: Mixing) -> FloatArray:
    """Subtract from a mixed image [(z) y x] what its pixels measure beyond the signal, counts.

    Args:
        mixed: image [(z) y x], counts.
        bias: bias of every channel [c (z) y x], counts; None for no bias.
        mixing: how channels add up.
    """
    return mixed if bias is None else mixed - mix(bias.astype(np.float64), mixing, axis=0)[0]


def chi_square(
    mixed: FloatArray, mean: FloatArray, draw: FloatArray, variance: FloatArray, mixing: Mixing
) -> FloatArray:
    r"""Squared misfit of the mixed image, pixel by pixel, in units of its noise variance.

    .. math:: \chi^2 = \frac{(x - \mathrm{mix}(m))^2 + (\mathrm{mix}(s) - \mathrm{mix}(m))^2}{\sigma^2}

    with the mean m of all posterior samples and one of them, s. The residual of the mean alone is smaller
    than the noise, because the mean was conditioned on that same noise: for Gaussian noise its expectation is
    :math:`\sigma^2 (1 - h)`, where the leverage h is the response of the mean to the pixel itself, and
    :math:`h \sigma^2` is the posterior variance of the mixture. The second term gives back exactly that: the
    expectation of the numerator is that of :math:`(x - \mathrm{mix}(s))^2` for any number of samples. As a
    sample of the right posterior cannot be told from the truth, the expectation of the whole is 1, for every
    prior and noise, as far as :math:`\sigma^2` is that at the sample. Of a network that says how far pixels
    may be off, s is what was decoded: what one channel has too much another has too little, which
    independent draws would not know.

    Args:
        mixed: image [(z) y x], counts.
        mean: mean of the posterior samples [c (z) y x], counts.
        draw: one of the samples that were averaged [c (z) y x], counts.
        variance: noise variance of the mixed image [(z) y x], counts squared, > 0.
        mixing: how channels add up.

    Returns:
        [(z) y x], no unit; its mean is the reduced chi-square.

    Source: Gelman, Meng & Stern, Statistica Sinica 1996 (realised discrepancies).
    """
    centre = mix(mean.astype(np.float64), mixing, axis=0)[0]
    sample = mix(draw.astype(np.float64), mixing, axis=0)[0]
    squares = np.square(mixed - centre) + np.square(sample - centre)
    misfit: FloatArray = squares / variance
    return misfit


def adds_up(misfit: float) -> bool:
    """Whether the mean of chi-square is about what it should be, however usual another one may be."""
    return 1 / FAR_FROM_ONE <= misfit <= FAR_FROM_ONE


def network_statistics(
    misfit: FloatArray, rates: Sequence[FloatArray], levels: Sequence[int] = ()
) -> dict[str, float]:
    """Summarise misfit and latents of an image as natural logarithms.

    Args:
        misfit: map of chi-square.
        rates: KL divergence from prior to posterior of every latent, finest first, nats per pixel, any shape.
        levels: level of every latent, 0 = finest; empty if every level has one.

    Returns:
        ``mixture`` (reduced chi-square) and ``latents_<level>`` (mean rate, nats per pixel).
    """
    found = {"mixture": float(np.log(max(float(misfit.mean(dtype=np.float64)), LEAST_RATE)))}
    for level, rate in zip(levels or range(len(rates)), rates, strict=True):
        found[f"latents_{level}"] = float(np.log(max(float(rate.mean(dtype=np.float64)), 0) + LEAST_RATE))
    return found
