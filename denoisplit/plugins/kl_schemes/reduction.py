"""What the KL schemes share: free bits and records."""

import torch
from torch import Tensor

from denoisplit.core.network.interfaces import Rate
from denoisplit.core.network.latent import Level

SMALLEST_FREE_BITS = 1e-6
"""Free bits below this mean no floor at all: even negative single-sample estimates pass."""


def floored_mean(divergence: Tensor, free_bits: float) -> Tensor:
    """Batch mean of [b levels] after every entry was raised to ``free_bits``; its gradient is 0 below.

    Source: Kingma et al., NeurIPS 2016; method section 3.1.
    """
    if free_bits >= SMALLEST_FREE_BITS:
        divergence = divergence.clamp(min=free_bits)
    return divergence.mean(0)


def rate(per_level: Tensor) -> Rate:
    """Record of contributions [levels]."""
    return Rate(per_level.sum(), per_level)


def no_levels() -> Rate:
    """Rate of a decoder without latents."""
    return Rate(torch.zeros(()), torch.zeros(0))


def latent_scalars(level: Level) -> int:
    """Number of latent scalars of one image at this level."""
    return level.sample[0].numel()
