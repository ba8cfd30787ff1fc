"""Top-down path of the ladder without sampling: every latent is the mean of its posterior."""

import attrs

from denoisplit.core.network.interfaces import FeatureShape
from denoisplit.plugins.decoders.ladder_path import LadderPath
from denoisplit.plugins.decoders.ladder_plan import LadderOptions, plan_levels


class DeterministicLadderDecoder(LadderPath):
    """The ladder with the mean of every posterior in place of a sample, and without priors.

    With the weights of a ladder it computes that ladder's output without noise. All posterior samples are
    equal, and there is no rate.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code; method section 1.6.
    """

    @attrs.frozen(kw_only=True)
    class Options(LadderOptions):
        """Options of the deterministic ladder decoder."""

    def __init__(
        self,
        options: Options,
        *,
        feature_shapes: tuple[FeatureShape, ...],
        out_maps: int,
        patch: tuple[int, ...],
    ) -> None:
        plan = plan_levels(feature_shapes, options)
        super().__init__(plan, (), feature_shapes=feature_shapes, out_maps=out_maps, patch=patch)
