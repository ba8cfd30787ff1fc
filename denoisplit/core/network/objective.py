"""The training objective as pure functions: distortion, KL weight, and their sum.

Source: Ashesh & Jug, denoiSplit, ECCV 2024; method sections 2.3, 2.4 and 3.5.
"""

import itertools
import math

import attrs
import torch
from torch import Tensor

from denoisplit.core.errors import NonFiniteLossError
from denoisplit.core.network.interfaces import Rate
from denoisplit.core.network.objective_terms import TermValue, require_finite_terms


@attrs.frozen
class Distortion:
    """Negative log-likelihood of a batch, nats per pixel and channel.

    Attributes:
        total: weighted mean over the channels, scalar.
        per_channel: [c], batch means before the channel weights.
    """

    total: Tensor
    per_channel: Tensor


@attrs.frozen
class LossTerms:
    """The objective and its parts.

    Attributes:
        total: distortion + kl_weight * rate + weighted objectives; training minimises it.
        distortion: nats per pixel and channel.
        distortion_per_channel: [c].
        rate: total rate, in the unit of the KL scheme.
        rate_per_level: one number per latent, finest first.
        kl_weight: multiplier of the rate at this step.
        objectives: further terms, whose weighted values are included in the total.
        levels: numbers of the levels that have a latent, 0 = finest; empty for all.
    """

    total: Tensor
    distortion: Tensor
    distortion_per_channel: Tensor
    rate: Tensor
    rate_per_level: Tensor
    kl_weight: float
    objectives: tuple[TermValue, ...] = ()
    levels: tuple[int, ...] = ()

    @property
    def rate_by_level(self) -> dict[int, Tensor]:
        """The rate of every latent, by the number of its level."""
        numbers = self.levels if len(self.levels) == len(self.rate_per_level) else itertools.count()
        return dict(zip(numbers, self.rate_per_level, strict=False))


def kl_weight(step: int, *, target: float, start: int, duration: int) -> float:
    """Weight of the rate at ``step``: 0 until ``start``, then a linear rise that ends at ``target``.

    Works in any unit of time (steps here, epochs in the reference); ``duration`` 0 means no warm-up.

    Source: method section 3.5.
    """
    if duration == 0:
        return target
    return min(max((step - start) / duration, 0.0), 1.0) * target


def distortion(
    log_prob: Tensor, *, channel_weights: tuple[float, ...] = (), sample_weights: Tensor | None = None
) -> Distortion:
    """Mean negative log-likelihood over batch, channels and pixels.

    Args:
        log_prob: [b c (z) y x], nats per pixel.
        channel_weights: relative weight of every channel, empty for equal weights. Normalised to a mean of 1.
        sample_weights: [b], one factor per image; the divisor stays the batch size. None for ones.
    """
    per_sample = -log_prob.flatten(2).mean(2)
    if sample_weights is not None:
        per_sample = per_sample * sample_weights.to(per_sample)[:, None]
    per_channel = per_sample.mean(0)
    if not channel_weights:
        return Distortion(total=per_channel.mean(), per_channel=per_channel)
    weights = torch.as_tensor(channel_weights).to(per_channel)
    return Distortion(total=(per_channel * weights).sum() / weights.sum(), per_channel=per_channel)


def combine(
    distortion: Distortion,
    rate: Rate,
    weight: float,
    objectives: tuple[TermValue, ...] = (),
    levels: tuple[int, ...] = (),
) -> LossTerms:
    """The objective: distortion + weight * rate + the sum of the weighted objectives."""
    total = distortion.total + weight * rate.total
    for one in objectives:
        total = total + one.weight * one.value
    return LossTerms(
        total=total,
        distortion=distortion.total,
        distortion_per_channel=distortion.per_channel,
        rate=rate.total,
        rate_per_level=rate.per_level,
        kl_weight=weight,
        objectives=objectives,
        levels=levels,
    )


def numbers_of(terms: LossTerms) -> Tensor:
    """All numbers of an objective in one row, without gradients; see ``with_numbers``."""
    rows = (terms.distortion_per_channel, terms.rate_per_level)
    scalars = (terms.total, terms.distortion, terms.rate, *(one.value for one in terms.objectives))
    return torch.cat([*(one.detach().reshape(1) for one in scalars), *(row.detach() for row in rows)])


def with_numbers(terms: LossTerms, numbers: Tensor) -> LossTerms:
    """The same objective with other numbers, in the order of ``numbers_of``."""
    sizes = [3 + len(terms.objectives), len(terms.distortion_per_channel), len(terms.rate_per_level)]
    scalars, per_channel, per_level = torch.split(numbers, sizes)
    total, distortion, rate, *values = scalars.unbind()
    objectives = zip(terms.objectives, values, strict=True)
    return attrs.evolve(
        terms,
        total=total,
        distortion=distortion,
        distortion_per_channel=per_channel,
        rate=rate,
        rate_per_level=per_level,
        objectives=tuple(attrs.evolve(one, value=value) for one, value in objectives),
    )


def require_finite(terms: LossTerms, step: int) -> None:
    """Stop at the first term that is NaN or infinite.

    Raises:
        NonFiniteLossError: names step, term and level.
    """
    require_finite_terms(terms.objectives, step)
    # All at once: on an accelerator, reading a number waits for all work that was queued before.
    distortion, rate = torch.stack([terms.distortion.detach(), terms.rate.detach()]).tolist()
    if math.isfinite(distortion + terms.kl_weight * rate):
        return
    if not math.isfinite(distortion):
        raise NonFiniteLossError(step, "distortion")
    for level, value in terms.rate_by_level.items():
        if not math.isfinite(float(value.detach())):
            raise NonFiniteLossError(step, "rate", level)
    raise NonFiniteLossError(step, "total" if math.isfinite(rate) else "rate")
