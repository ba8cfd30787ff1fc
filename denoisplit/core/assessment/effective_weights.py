"""Effective weight of a nat at every level, for any KL scheme."""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch.distributions import Normal

from denoisplit.core.network.interfaces import KLScheme
from denoisplit.core.network.latent import Level

_PROBE: Final = 1e3
"""Mean of a posterior, so large that its divergence is far above any free bits."""


def effective_weights(
    scheme: KLScheme, latent_shapes: Sequence[tuple[int, ...] | None], *, image_pixels: int, channels: int
) -> tuple[float, ...]:
    """Weight of a nat at every level; 1 as in the true evidence lower bound (beta of a beta-VAE).

    The scheme is probed with the same large divergence at every latent scalar. The weights hold above the
    free bits, after the warm-up, for divergences that are spread evenly over a level.

    Args:
        scheme: the scheme to probe.
        latent_shapes: [k (z) y x] of one image at every level, finest first; None for a level without a
            latent, whose weight is 0.
        image_pixels: pixels of one image.
        channels: target channels, over which the distortion is averaged.

    Source: method section 3.4.
    """
    zero = torch.zeros((), dtype=torch.float64)
    levels = []
    known = [(number, shape) for number, shape in enumerate(latent_shapes) if shape is not None]
    hierarchy = len(latent_shapes)
    for number, shape in known:
        mean = torch.full((), _PROBE, dtype=torch.float64).expand(1, *shape)
        # At its own mean, the single-sample estimate of a shifted unit normal is its divergence.
        prior = Normal(zero, zero + 1)
        levels.append(Level(Normal(mean, zero + 1), prior, mean, index=number, hierarchy=hierarchy))
    rate = scheme(tuple(levels), image_pixels=image_pixels, channels=channels).per_level
    bound = scheme.weight * image_pixels * channels
    weights = [0.0] * hierarchy
    for (number, shape), part in zip(known, rate, strict=True):
        weights[number] = bound * float(part) / (math.prod(shape) * _PROBE**2 / 2)
    return tuple(weights)
