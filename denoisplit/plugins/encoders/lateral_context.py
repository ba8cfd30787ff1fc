"""Bottom-up path that also sees the surround of a patch, at lower resolution.

Level i takes the image at scale i + 1: as many pixels around the same centre, each as large as a position of
level i. The features of the patch and of its surround then have the same spacing, and one map holds both: the
surround, with the patch in its centre.
"""

import copy
from typing import Literal

import attrs
from attrs.validators import ge, le
from torch import Tensor, nn

from denoisplit.core.errors import ImageError, SpecError
from denoisplit.core.network.interfaces import Encoder, Features, FeatureShape
from denoisplit.plugins.blocks import MOST_LEVELS, Merge, centre_crop, centre_pad
from denoisplit.plugins.channel_counts import counts_per_level
from denoisplit.plugins.encoders.levels import (
    LadderOptions,
    Strides,
    bottom_up_level,
    positive_strides,
    stem,
    strides_per_level,
    total_strides,
)

CONTEXT_KERNEL = 5


class LateralContextEncoder(Encoder):
    """A ladder whose first levels each merge one scale of the surround.

    The variants of muSplit: Regular keeps the maps of the surround for the decoder (``retain: latents``),
    Deep is the same with more levels than scales, and Lean (``retain: features``) crops what the decoder
    gets.

    Source: Ashesh et al., muSplit, ICCV 2023; method section 1.4.
    """

    @attrs.frozen(kw_only=True)
    class Options(LadderOptions):
        """Options of the encoder with lateral context.

        Attributes:
            input_scales: scales of the image, itself included; at most one more than levels. 1 is no context.
            retain: how far maps that cover the surround of the patch are kept: down to the ``latents`` of the
                decoder, in the ``features`` of the encoder only, or in ``neither``, where the surround is
                cropped before it is merged.
            own_context_blocks: give the surround blocks of its own where a level has more than one block;
                otherwise it shares those of the patch.
            strides: per level, finest first, the factor by which every spatial axis (z) y x shrinks. Empty
                for a halving of every axis at every level.
        """

        input_scales: int = attrs.field(default=5, validator=[ge(1), le(MOST_LEVELS)])
        retain: Literal["latents", "features", "neither"] = "latents"
        own_context_blocks: bool = False
        strides: Strides = attrs.field(default=(), validator=positive_strides)

    def __init__(self, options: Options, *, spatial_rank: int, in_channels: int) -> None:
        super().__init__()
        dropout, contexts = options.dropout, options.input_scales - 1
        self._widths = counts_per_level(options.width, options.levels, "model.encoder.width")
        if contexts > options.levels:
            raise SpecError(
                f"model.encoder.input_scales: every scale but the first needs a level of its own "
                f"(got {options.input_scales} for {options.levels} levels). Use at most {options.levels + 1}."
            )
        self._options, self._in_channels = options, in_channels
        self._strides = strides_per_level(options.strides, levels=options.levels, rank=spatial_rank)
        self._totals = total_strides((1,) * spatial_rank, self._strides)
        widths = self._widths
        self.stem = stem(spatial_rank, in_channels, widths[0], dropout=dropout)
        self.context_stems = nn.ModuleList(
            stem(spatial_rank, in_channels, width, dropout=dropout, kernel=CONTEXT_KERNEL)
            for width in widths[:contexts]
        )
        levels = [
            bottom_up_level(
                spatial_rank, width, stride=stride, blocks=options.blocks, dropout=dropout, inputs=inputs
            )
            for inputs, width, stride in zip((widths[0], *widths), widths, self._strides, strict=False)
        ]
        self.levels = nn.ModuleList(levels)
        own = contexts if options.own_context_blocks else 0
        self.context_blocks = nn.ModuleList(copy.deepcopy(level[1:]) for level in levels[:own])
        self.merges = nn.ModuleList(
            Merge(spatial_rank, width, dropout=dropout) for width in widths[:contexts]
        )

    @property
    def input_scales(self) -> int:
        """Number of scales of the image that ``forward`` takes."""
        return self._options.input_scales

    @property
    def feature_shapes(self) -> tuple[FeatureShape, ...]:
        """Channels, total stride and extent of every level, finest first."""
        last = self.input_scales - 2
        retained = self._options.retain == "latents" and last >= 0
        return tuple(
            FeatureShape(width, total, self._totals[min(level, last)])
            if retained
            else FeatureShape(width, total)
            for level, (width, total) in enumerate(zip(self._widths, self._totals, strict=True))
        )

    def forward(self, mixed: Tensor) -> Features:
        """Features of normalised scales [b i*scales (z) y x], scale 0 first, finest level first.

        Raises:
            ImageError: a different number of scales.
        """
        patch, *surrounds = self._scales(mixed)
        image = tuple(mixed.shape[2:])
        features: list[Tensor] = []
        x: Tensor = self.stem(patch)
        for index, (level, shape) in enumerate(zip(self.levels, self.feature_shapes, strict=True)):
            x = level(x)
            if index < len(surrounds):
                x = self._merged(index, x, surrounds[index])
            features.append(centre_crop(x, shape.size(image)))
        return tuple(features)

    def _merged(self, index: int, x: Tensor, surround: Tensor) -> Tensor:
        """Merge the map of a level with its surround."""
        context: Tensor = self.context_stems[index](surround)
        context = self._same_size_blocks(index)(context)
        if self._options.retain == "neither":
            context = centre_crop(context, tuple(x.shape[2:]))
        else:
            x = centre_pad(x, tuple(context.shape[2:]))
        merged: Tensor = self.merges[index](x, context)
        return merged

    def _same_size_blocks(self, index: int) -> nn.Module:
        if self._options.own_context_blocks:
            return self.context_blocks[index]
        level = self.levels[index]
        if not isinstance(level, nn.Sequential):
            raise TypeError("a level is a strided block and the blocks after it")
        return level[1:]

    def _scales(self, mixed: Tensor) -> tuple[Tensor, ...]:
        if mixed.shape[1] != self.input_scales * self._in_channels:
            raise ImageError(
                f"encoder lateral_context: the image must come in {self.input_scales} scales along the "
                f"channel axis (got {mixed.shape[1]} channels). Add the scales of its surround."
            )
        return mixed.chunk(self.input_scales, dim=1)
