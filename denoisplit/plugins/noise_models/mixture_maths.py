r"""Gaussian mixtures whose parameters are polynomials of the clean signal, as pure functions.

With :math:`t = (s - s_\min) / (s_\max - s_\min)`, the components of channel c have

.. math::
    m_k(s) = \sum_j a_{kj} t^j, \quad
    v_k(s) = \max\Bigl(\sum_j e^{b_{kj}} t^j, v_{\min}\Bigr), \quad
    \pi_k(s) = \operatorname{softmax}_k \sum_j c_{kj} t^j

and means :math:`s + m_k - \sum_l \pi_l m_l`, so that the mean of the mixture is the signal.

Source: Prakash et al., Fully unsupervised probabilistic Noise2Void, ISBI 2020; method section 4.1.
"""

import math
from collections.abc import Sequence

import attrs
import torch
from torch import Tensor

T_LIMIT = 1e4
"""Polynomials are extrapolated up to this many signal ranges; beyond, powers of t would overflow float32."""

LOG_VARIANCE_LIMIT = 60.0
"""Bound of a log-variance coefficient: a fit may drive a component without weight to any variance, and
infinity times t = 0 is NaN."""

NOTHING = -1e30
"""Logarithm of what is not there. Its exponential is 0, as that of minus infinity, which no file of weights
may hold."""

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@attrs.frozen
class Components:
    """The mixture at given signals; K components along the first axis.

    Attributes:
        shift: mean minus signal, [K ...], counts.
        variance: [K ...], counts squared.
        log_weight: normalised, [K ...]; about ``NOTHING`` for a component that is only padding.
    """

    shift: Tensor
    variance: Tensor
    log_weight: Tensor


def polynomial(coefficients: Tensor, t: Tensor) -> Tensor:
    """Evaluate polynomials with ``coefficients`` [D K ...], lowest order first, at ``t`` [...]; [K ...]."""
    value = coefficients[-1] + torch.zeros_like(t)
    for coefficient in reversed(coefficients[:-1].unbind(0)):
        value = torch.addcmul(coefficient, value, t)
    return value


def components(t: Tensor, weights: Tensor, floor: Tensor) -> Components:
    """Evaluate a mixture.

    Args:
        t: signal as a fraction of the fitted range, [...].
        weights: [3 D K ...] coefficients of means, log-variances and logits; broadcasts against ``t``.
        floor: smallest variance, broadcasts against ``t``, counts squared.
    """
    t = t.clamp(-T_LIMIT, T_LIMIT)
    log_weight = polynomial(weights[2], t).log_softmax(0)
    mean = polynomial(weights[0], t)
    variance = torch.maximum(polynomial(weights[1].clamp(max=LOG_VARIANCE_LIMIT).exp(), t), floor)
    return Components(mean - (log_weight.exp() * mean).sum(0), variance, log_weight)


def widened(mixture: Components, variance: Tensor) -> Components:
    """Return the mixture of the sum with an independent Gaussian of ``variance`` [...], counts squared."""
    return attrs.evolve(mixture, variance=mixture.variance + variance)


def log_density(residual: Tensor, mixture: Components) -> Tensor:
    """Return the log-density of residuals [...], nats; by log-sum-exp, so finite far out in the tails."""
    squared = (residual - mixture.shift).square() / mixture.variance
    terms = mixture.log_weight - 0.5 * (squared + mixture.variance.log())
    return terms.logsumexp(0) - _HALF_LOG_2PI


def distribution(residual: Tensor, mixture: Components) -> Tensor:
    """Return the probability of an observation minus signal of at most ``residual`` [...]."""
    normal: Tensor = torch.special.ndtr((residual - mixture.shift) / mixture.variance.sqrt())
    return (mixture.log_weight.exp() * normal).sum(0)


def total_variance(mixture: Components) -> Tensor:
    """Return the variance of the mixture [...], counts squared."""
    return (mixture.log_weight.exp() * (mixture.variance + mixture.shift.square())).sum(0)


def draw(mixture: Components, generator: torch.Generator) -> Tensor:
    """Draw observations minus signal [...] from the mixture."""
    like = mixture.shift[0]
    uniform, normal = (
        maker(like.shape, generator=generator, device=generator.device, dtype=like.dtype).to(like.device)
        for maker in (torch.rand, torch.randn)
    )
    above = uniform >= mixture.log_weight.exp().cumsum(0)
    chosen = above.sum(0, keepdim=True).clamp(max=len(above) - 1)
    shift, variance = (value.gather(0, chosen).squeeze(0) for value in (mixture.shift, mixture.variance))
    return torch.addcmul(shift, variance.sqrt(), normal)


def pad(weights: Sequence[Tensor]) -> Tensor:
    """Join the weights [3 K D] of channels of different K and D to [c 3 K D].

    Missing coefficients are zero and missing components have zero weight, so no density changes.
    """
    most_components = max(w.shape[1] for w in weights)
    most_coefficients = max(w.shape[2] for w in weights)
    joined = torch.zeros(len(weights), 3, most_components, most_coefficients, dtype=weights[0].dtype)
    joined[:, 1] = NOTHING
    joined[:, 2, :, 0] = NOTHING
    for target, w in zip(joined, weights, strict=True):
        target[:, : w.shape[1], : w.shape[2]] = w
    return joined


def unpad(weights: Tensor) -> Tensor:
    """Inverse of ``pad`` for one channel: [3 K D] without components of zero weight and empty orders."""
    weights = weights[:, weights[2, :, 0] > NOTHING]
    used = (weights[1] > NOTHING).any(0) | (weights[0] != 0).any(0) | (weights[2] != 0).any(0)
    return weights[:, :, : int(used.nonzero().max()) + 1]
