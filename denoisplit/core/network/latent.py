"""Latent distributions of the hierarchy, as records."""

from collections.abc import Sequence
from functools import partial

import attrs
import torch
from torch import Tensor
from torch.distributions import Distribution, Normal, kl_divergence

from denoisplit.core.network.pointwise import pointwise

VARIANCE_FLOOR = 1e-6


def stable_variance(raw: Tensor) -> Tensor:
    r"""Variance from an unbounded number r.

    .. math:: E(r) + 10^{-6}, \quad E(r) = e^r \text{ for } r \le 0, \quad 1 + r \text{ above}

    Continuously differentiable at 0, linear above, floored below.

    Source: Prakash et al., HDN, ICLR 2022, code; method section 1.6.
    """
    # A sum, because one part is constant wherever the other is not; a case distinction takes far longer.
    return raw.clamp(max=0).exp() + raw.relu() + VARIANCE_FLOOR


def gaussian(parameters: Tensor, *, clip: float | None = None, naive: bool = False) -> Normal:
    """Normal distribution from a map that holds means and raw log-variances in its channel halves.

    Args:
        parameters: [b 2k (z) y x], means first. Evaluated in float32 at least.
        clip: upper bound of the raw log-variance, None for no bound.
        naive: plain exponential without floor (HDN) instead of the stable variance.

    Returns:
        Normal over [b k (z) y x].
    """
    if parameters.dtype in (torch.bfloat16, torch.float16):
        parameters = parameters.float()
    mean, raw = parameters.chunk(2, dim=1)
    std = pointwise(partial(_std, clip=clip, naive=naive), raw)
    return _normal(mean, std)


def _std(raw: Tensor, *, clip: float | None, naive: bool) -> Tensor:
    if clip is not None:
        raw = raw.clamp(max=clip)
    return (raw / 2).exp() if naive else stable_variance(raw).sqrt()


@attrs.frozen
class Level:
    """One latent of the hierarchy.

    Attributes:
        posterior: q(z | mixed image, coarser levels), [b k (z) y x].
        prior: p(z | coarser levels), [b or 1, k (z) y x].
        sample: the draw z from the posterior, [b k (z) y x].
        index: number of the level in the hierarchy of the encoder, 0 = finest. The core sets it for a decoder
            with latents at some levels only; None if all levels have one.
        hierarchy: number of levels of the encoder; None if ``index`` is None.
    """

    posterior: Normal
    prior: Normal
    sample: Tensor
    index: int | None = None
    hierarchy: int | None = None


def level_numbers(levels: Sequence[Level]) -> tuple[int, ...]:
    """Number of every level in the hierarchy of the encoder, 0 = finest."""
    return tuple(place if level.index is None else level.index for place, level in enumerate(levels))


def divergence(level: Level, *, analytic: bool) -> Tensor:
    r"""KL(q || p) of one level, element by element.

    Closed form, or the single-sample estimate :math:`\ln q(z) - \ln p(z)` (unbiased, can be negative).

    Returns:
        [b k (z) y x], nats.
    """
    q, p = level.posterior, level.prior
    if analytic:
        return pointwise(_closed_form, q.mean, q.stddev, p.mean, p.stddev)
    return pointwise(_single_sample, q.mean, q.stddev, p.mean, p.stddev, level.sample)


def _closed_form(q_mean: Tensor, q_std: Tensor, p_mean: Tensor, p_std: Tensor) -> Tensor:
    return kl_divergence(_normal(q_mean, q_std), _normal(p_mean, p_std))


def _single_sample(q_mean: Tensor, q_std: Tensor, p_mean: Tensor, p_std: Tensor, sample: Tensor) -> Tensor:
    return _log_prob(_normal(q_mean, q_std), sample) - _log_prob(_normal(p_mean, p_std), sample)


def _normal(mean: Tensor, std: Tensor) -> Normal:
    return Normal(mean, std, validate_args=False)


def _log_prob(distribution: Distribution, value: Tensor) -> Tensor:
    """Log-density; torch types the method of the base class, not that of the normal distribution."""
    return distribution.log_prob(value)


def level_sums(levels: tuple[Level, ...], *, analytic: bool) -> Tensor:
    """KL of every level, summed over latent channels and positions.

    Returns:
        [b levels], nats; column 0 is the finest level.
    """
    return torch.stack([divergence(level, analytic=analytic).flatten(1).sum(1) for level in levels], dim=1)
