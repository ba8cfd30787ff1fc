"""Latent noise that a test has made."""

from collections.abc import Sequence

import attrs
from torch import Tensor

from denoisplit.core.network.noise_source import NoiseSource


@attrs.frozen
class FixedNoise(NoiseSource):
    """Given tensors, one per level, finest first."""

    tensors: Sequence[Tensor]

    def normal(self, level: int, like: Tensor) -> Tensor:
        """The given tensor of ``level``."""
        return self.tensors[level].to(like).expand_as(like)
