"""Latent distributions of the hierarchy, as records."""

import attrs
import torch
from torch import Tensor
from torch.distributions import Distribution, Normal, kl_divergence

VARIANCE_FLOOR = 1e-6


def stable_variance(raw: Tensor) -> Tensor:
    r"""Variance from an unbounded number r.

    .. math:: E(r) + 10^{-6}, \quad E(r) = e^r \text{ for } r \le 0, \quad 1 + r \text{ above}

    Continuously differentiable at 0, linear above, floored below.

    Source: Prakash et al., ICLR 2022, code; method section 1.6.
    """
    return torch.where(raw > 0, 1 + raw, raw.clamp(max=0).exp()) + VARIANCE_FLOOR


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
    if clip is not None:
        raw = raw.clamp(max=clip)
    std = (raw / 2).exp() if naive else stable_variance(raw).sqrt()
    return Normal(mean, std, validate_args=False)


@attrs.frozen
class Level:
    """One latent of the hierarchy.

    Attributes:
        posterior: q(z | mixed image, coarser levels), [b k (z) y x].
        prior: p(z | coarser levels), [b or 1, k (z) y x].
        sample: the draw z from the posterior, [b k (z) y x].
    """

    posterior: Normal
    prior: Normal
    sample: Tensor


def divergence(level: Level, *, analytic: bool) -> Tensor:
    r"""KL(q || p) of one level, element by element.

    Closed form, or the single-sample estimate :math:`\ln q(z) - \ln p(z)` (unbiased, can be negative).

    Returns:
        [b k (z) y x], nats.
    """
    if analytic:
        return kl_divergence(level.posterior, level.prior)
    return _log_prob(level.posterior, level.sample) - _log_prob(level.prior, level.sample)


def _log_prob(distribution: Distribution, value: Tensor) -> Tensor:
    """Log-density; torch types the method of the base class, not that of the normal distribution."""
    return distribution.log_prob(value)


def level_sums(levels: tuple[Level, ...], *, analytic: bool) -> Tensor:
    """KL of every level, summed over latent channels and positions.

    Returns:
        [b levels], nats; column 0 is the finest level.
    """
    return torch.stack([divergence(level, analytic=analytic).flatten(1).sum(1) for level in levels], dim=1)
