"""The top-down path of all ladders: from the coarsest level to the output layer."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from torch import Tensor, nn

from denoisplit.core.network.interfaces import Decoded, Decoder, Features, FeatureShape, Window
from denoisplit.core.network.latent import Level
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.plugins.blocks import ResidualBlock, conv
from denoisplit.plugins.decoders import ladder_level, mean_level
from denoisplit.plugins.decoders.ladder_plan import LatentOptions, binning
from denoisplit.plugins.decoders.output_layer import emitted


class LadderPath(Decoder):
    """A top level, inner levels that merge features from both sides, an output block.

    Some levels have a latent; the others pass on the mean of what would be its posterior. Each kind of ladder
    chooses which, and has its own options.

    Args:
        plan: settings of every level, finest first.
        drawn: numbers of the levels that have a latent.
    """

    def __init__(
        self,
        plan: Sequence[LatentOptions],
        drawn: Collection[int],
        *,
        feature_shapes: tuple[FeatureShape, ...],
        out_maps: int,
        patch: tuple[int, ...],
    ) -> None:
        super().__init__()
        self._drawn = frozenset(drawn)
        self._coarsest = feature_shapes[-1]
        *inner, top = plan
        levels: list[nn.Module] = [
            (ladder_level if one.index in self._drawn else mean_level).InnerLevel(one) for one in inner
        ]
        if top.index in self._drawn:
            size = tuple(max(1, n) for n in self._coarsest.size(patch))
            levels.append(ladder_level.TopLevel(top, size=size))
        else:
            levels.append(mean_level.TopLevel(top))
        self.levels = nn.ModuleList(levels)
        self._binning = binning(feature_shapes)
        rank, width = top.rank, plan[0].width
        self.final = nn.Sequential(
            *(ResidualBlock(rank, width, dropout=top.dropout) for _ in range(top.blocks))
        )
        self.output = conv(rank, width, out_maps)

    def forward(self, features: Features, noise: NoiseSource, *, window: Window = ()) -> Decoded:
        """Output maps, and posterior and prior of the levels that have a latent."""
        levels: list[Level] = []

        def step(level: Any, *maps: Tensor) -> Tensor:
            state: Tensor
            state, found = level(*maps, noise)
            levels.append(found)
            return state

        output = self._decoded(features, step, window)
        return Decoded(output=output, levels=tuple(reversed(levels)))

    def sample(self, features: Features, noise: NoiseSource) -> Tensor:
        """Output maps only; no prior is evaluated."""
        return self._decoded(features, lambda level, *maps: level.sample(*maps, noise))

    def _decoded(self, features: Features, step: Callable[..., Tensor], window: Window = ()) -> Tensor:
        """Compute the output maps; ``step`` applies a level that has a latent."""
        state: tuple[Tensor, ...] = ()
        numbered = reversed([*enumerate(self.levels)])
        for (number, level), feature in zip(numbered, reversed(features), strict=True):
            maps = (feature, *state)
            state = (step(level, *maps) if number in self._drawn else level(*maps),)
        (x,) = state
        return self._emit(x, window)

    def _emit(self, x: Tensor, window: Window = ()) -> Tensor:
        return emitted(self.output, self.final(x), self._binning, window)
