"""Top-down path of the ladder: posterior, prior and sample per level, from the coarsest to the finest."""

from typing import Any

import attrs
from attrs.validators import gt, optional
from torch import Tensor

from denoisplit.core.network.interfaces import FeatureShape
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.validators import described_by
from denoisplit.plugins.decoders.ladder_path import LadderPath
from denoisplit.plugins.decoders.ladder_plan import LadderOptions, plan_levels


@described_by(optional(gt(0)))
def _positive(_instance: object, attribute: "attrs.Attribute[Any]", value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"'{attribute.name}' must be > 0 (got {value})")


class LadderDecoder(LadderPath):
    """One top level with a learned prior, inner levels that merge features from both sides, an output block.

    Where features cover the surround of the image, so do the latents; the states are cropped on the way down.

    Source: Sønderby et al., NeurIPS 2016; Prakash et al., HDN, ICLR 2022; Ashesh & Jug, denoiSplit, ECCV
    2024; method sections 1.5 and 1.6.
    """

    @attrs.frozen(kw_only=True)
    class Options(LadderOptions):
        """Options of the ladder decoder.

        Attributes:
            clip: upper bound of raw log-variances, nats; None for no bound.
            naive_variance: plain exponential variances (HDN) instead of stable ones.
        """

        clip: float | None = attrs.field(default=20.0, validator=_positive)
        naive_variance: bool = False

    def __init__(
        self,
        options: Options,
        *,
        feature_shapes: tuple[FeatureShape, ...],
        out_maps: int,
        patch: tuple[int, ...],
    ) -> None:
        plan = plan_levels(feature_shapes, options, clip=options.clip, naive_variance=options.naive_variance)
        every = range(len(plan))
        super().__init__(plan, every, feature_shapes=feature_shapes, out_maps=out_maps, patch=patch)

    def generate(self, shape: tuple[int, ...], noise: NoiseSource, *, batch: int) -> Tensor:
        """Output maps [batch maps (z) y x] drawn from the prior for an image of ``shape``."""
        levels: list[Any] = list(self.levels)
        x: Tensor = levels[-1].generate(self._coarsest.size(shape), noise, batch=batch)
        for level in reversed(levels[:-1]):
            x = level.generate(x, noise)
        return self._emit(x)
