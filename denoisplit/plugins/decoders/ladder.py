"""Top-down path of the ladder: posterior, prior and sample per level, from the coarsest to the finest."""

from typing import Any

import attrs
import torch
from attrs.validators import ge, lt
from torch import Tensor, nn

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import Decoded, Decoder, Features, FeatureShape
from denoisplit.core.network.latent import Level
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.plugins.blocks import ResidualBlock, conv
from denoisplit.plugins.decoders.ladder_level import InnerLevel, LatentOptions, TopLevel

STRIDE = 2
_LINEAR = {2: "bilinear", 3: "trilinear"}


def _counts(_instance: object, attribute: "attrs.Attribute[Any]", value: int | tuple[int, ...]) -> None:
    values = value if isinstance(value, tuple) else (value,)
    if not values or min(values) < 1:
        raise ValueError(f"'{attribute.name}' must be 1 or more, one number or one per level (got {value})")


def _positive(_instance: object, attribute: "attrs.Attribute[Any]", value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"'{attribute.name}' must be > 0 (got {value})")


class LadderDecoder(Decoder):
    """One top level with a learned prior, inner levels that merge features from both sides, an output block.

    Source: Sonderby et al., NeurIPS 2016; Prakash et al., ICLR 2022; Ashesh & Jug, ECCV 2024; method sections
    1.5 and 1.6.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the ladder decoder.

        Attributes:
            latent_channels: per level; several numbers are finest first.
            blocks: residual blocks per level.
            dropout: probability per feature channel.
            clip: upper bound of raw log-variances, nats; None for no bound.
            naive_variance: plain exponential variances (HDN) instead of stable ones.
            normalise_latents: scale the posterior features of hierarchies with more than 4 levels.
        """

        latent_channels: int | tuple[int, ...] = attrs.field(default=128, validator=_counts)
        blocks: int = attrs.field(default=1, validator=ge(1))
        dropout: float = attrs.field(default=0.1, validator=[ge(0), lt(1)])
        clip: float | None = attrs.field(default=20.0, validator=_positive)
        naive_variance: bool = False
        normalise_latents: bool = True

    def __init__(
        self,
        options: Options,
        *,
        feature_shapes: tuple[FeatureShape, ...],
        out_maps: int,
        patch: tuple[int, ...],
    ) -> None:
        super().__init__()
        count, rank = len(feature_shapes), len(patch)
        self._stride = feature_shapes[-1].stride
        latents = _per_level(options.latent_channels, count)
        width = _common_width(feature_shapes)
        levels: list[nn.Module] = []
        # Every level doubles its sides, the finest too; what binning took is interpolated at the end.
        binning = tuple(max(1, s // STRIDE) for s in feature_shapes[0].stride)
        below = binning
        for index, shape in enumerate(feature_shapes):
            latent = LatentOptions(
                index=index,
                rank=rank,
                width=width,
                latent_channels=latents[index],
                stride=tuple(s // b for s, b in zip(shape.stride, below, strict=True)),
                blocks=options.blocks,
                dropout=options.dropout,
                clip=options.clip,
                naive_variance=options.naive_variance,
                divisor=(2 * (1 + index)) ** -0.5 if options.normalise_latents and count > 4 else 1.0,
            )
            top = index == count - 1
            size = tuple(max(1, p // s) for p, s in zip(patch, shape.stride, strict=True))
            levels.append(TopLevel(latent, size=size) if top else InnerLevel(latent))
            below = shape.stride
        self.levels = nn.ModuleList(levels)
        self.enlarge = (
            nn.Upsample(scale_factor=binning, mode=_LINEAR[rank]) if max(binning) > 1 else nn.Identity()
        )
        self.final = nn.Sequential(
            *(ResidualBlock(rank, width, dropout=options.dropout) for _ in range(options.blocks))
        )
        self.output = conv(rank, width, out_maps)

    def forward(self, features: Features, noise: NoiseSource) -> Decoded:
        """Decode with posterior and prior of every level."""
        top, inner = self._split()
        x, level = top(features[-1], noise)
        levels: list[Level] = [level]
        for module, feature in zip(inner, reversed(features[:-1]), strict=True):
            x, level = module(feature, x, noise)
            levels.append(level)
        return Decoded(output=self._emit(x), levels=tuple(reversed(levels)))

    def sample(self, features: Features, noise: NoiseSource) -> Tensor:
        """Output maps only; no prior is evaluated."""
        top, inner = self._split()
        x = top.sample(features[-1], noise)
        for module, feature in zip(inner, reversed(features[:-1]), strict=True):
            x = module.sample(feature, x, noise)
        return self._emit(x)

    def generate(self, shape: tuple[int, ...], noise: NoiseSource, *, batch: int) -> Tensor:
        """Output maps [batch maps (z) y x] drawn from the prior for an image of ``shape``."""
        top, inner = self._split()
        size = tuple(n // s for n, s in zip(shape, self._stride, strict=True))
        x = top.generate(size, noise, batch=batch)
        for module in inner:
            x = module.generate(x, noise)
        return self._emit(x)

    def _emit(self, x: Tensor) -> Tensor:
        """Output maps, in full precision: counts rounded to eight bits would make a spread vanish."""
        x = self.final(x)
        with torch.autocast(x.device.type, enabled=False):
            output: Tensor = self.output(self.enlarge(x.to(next(self.output.parameters()).dtype)))
        return output

    def _split(self) -> tuple[TopLevel, list[InnerLevel]]:
        """Top level, and the inner levels from coarse to fine."""
        top = self.levels[-1]
        if not isinstance(top, TopLevel):
            raise TypeError("the last level of a ladder is its top level")
        return top, [level for level in reversed(list(self.levels)) if isinstance(level, InnerLevel)]


def _per_level(latent_channels: int | tuple[int, ...], levels: int) -> tuple[int, ...]:
    if isinstance(latent_channels, int):
        return (latent_channels,) * levels
    if len(latent_channels) != levels:
        problem = (
            f"model.decoder.latent_channels: one number or one per level is needed "
            f"(got {len(latent_channels)} for {levels} levels). Give {levels} numbers, finest level first."
        )
        raise SpecError([problem])
    return latent_channels


def _common_width(shapes: tuple[FeatureShape, ...]) -> int:
    widths = {shape.channels for shape in shapes}
    if len(widths) != 1:
        problem = (
            f"model.decoder: the ladder needs the same number of feature channels at every level "
            f"(got {sorted(widths)}). Use an encoder with one width."
        )
        raise SpecError([problem])
    return widths.pop()
