"""Plan of the levels of a top-down ladder, from the shapes of the features.

Source: method sections 1.4 and 1.5.
"""

from collections.abc import Callable

import attrs
from attrs.validators import ge, le, lt
from torch import Tensor, nn

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import FeatureShape, Window
from denoisplit.core.validators import QUIET
from denoisplit.plugins.blocks import LINEAR, MOST_BLOCKS, ResidualBlock, Upsample, centre_crop, conv
from denoisplit.plugins.channel_counts import ChannelCounts, channel_counts, counts_or_none, counts_per_level

STRIDE = 2
_NORMALISED_BEYOND = 4


@attrs.frozen(kw_only=True)
class LatentOptions:
    """Settings of one level.

    Attributes:
        index: level, 0 = finest.
        rank: number of spatial axes.
        width: channels of the state.
        latent_channels: channels of the latent.
        crop: the level below gets the centre of the map, 1/``crop`` of every axis; 1 is all of it.
        stride: up-sampling factor per spatial axis to the level below.
        blocks: residual blocks after the latent.
        dropout: probability per feature channel.
        clip: upper bound of raw log-variances, or None.
        naive_variance: plain exponential variances.
        divisor: number that posterior features are divided by.
        features: channels of the features of the encoder; by default as many as the state has.
        below: channels of the state of the level below; by default as many as this state has.
    """

    index: int
    rank: int
    width: int
    latent_channels: int
    crop: tuple[int, ...]
    stride: tuple[int, ...]
    blocks: int
    dropout: float
    clip: float | None
    naive_variance: bool
    divisor: float
    features: int = attrs.field()
    below: int = attrs.field()

    @features.default
    def _of_the_state(self) -> int:
        return self.width

    @below.default
    def _no_other(self) -> int:
        return self.width


@attrs.frozen(kw_only=True)
class LadderOptions:
    """Options that all ladder decoders have.

    Attributes:
        latent_channels: channels of the latents; several numbers are one per level, finest first.
        blocks: residual blocks per level.
        dropout: probability per feature channel.
        normalise_latents: scale the features of hierarchies with more than 4 levels.
        width: channels of the states; several numbers are one per level, finest first. Empty takes those
            of the encoder's features, which must then be the same at every level.
    """

    latent_channels: ChannelCounts = attrs.field(default=128, validator=channel_counts)
    blocks: int = attrs.field(default=1, validator=[ge(1), le(MOST_BLOCKS)])
    dropout: float = attrs.field(default=0.1, validator=[ge(0), lt(1)])
    normalise_latents: bool = True
    width: ChannelCounts = attrs.field(default=(), validator=counts_or_none, metadata={QUIET: True})


def plan_levels(
    shapes: tuple[FeatureShape, ...],
    options: LadderOptions,
    *,
    clip: float | None = None,
    naive_variance: bool = False,
) -> tuple[LatentOptions, ...]:
    """Plan every level, finest first; without a width, states are as wide as the features.

    Raises:
        SpecError: features of several widths and no width, or latent channels or widths for a different
            number of levels.
    """
    count = len(shapes)
    channels = counts_per_level(options.latent_channels, count, "model.decoder.latent_channels")
    features = tuple(shape.channels for shape in shapes)
    widths = counts_per_level(options.width or _common_width(features), count, "model.decoder.width")
    levels: list[LatentOptions] = []
    normalised = options.normalise_latents and count > _NORMALISED_BEYOND
    # Every level doubles its sides, the finest too; binning is made up for by interpolation at the end.
    below, covered = binning(shapes), (1,) * len(shapes[0].stride)
    for index, (shape, latents) in enumerate(zip(shapes, channels, strict=True)):
        levels.append(
            LatentOptions(
                index=index,
                rank=len(shape.stride),
                features=features[index],
                width=widths[index],
                below=widths[max(0, index - 1)],
                latent_channels=latents,
                crop=tuple(e // c for e, c in zip(shape.extent, covered, strict=True)),
                stride=tuple(s // b for s, b in zip(shape.stride, below, strict=True)),
                blocks=options.blocks,
                dropout=options.dropout,
                clip=clip,
                naive_variance=naive_variance,
                divisor=(2 * (1 + index)) ** -0.5 if normalised else 1.0,
            )
        )
        below, covered = shape.stride, shape.extent
    return tuple(levels)


def binning(shapes: tuple[FeatureShape, ...]) -> tuple[int, ...]:
    """Return the pixels per axis that were averaged before the first level."""
    return tuple(max(1, s // STRIDE) for s in shapes[0].stride)


def image_maps(
    output: Callable[[Tensor], Tensor], features: Tensor, factors: tuple[int, ...], window: Window
) -> Tensor:
    """Apply the output layer and cut out ``window``; linear interpolation makes up for binning.

    The layer works on binned pixels, since at full size its input would be larger by the area of the bins.
    Without binning the window is cut first, as in the reference; a window need not be a multiple of binned
    pixels.
    """
    window = (slice(None), slice(None), *window)
    if max(factors) == 1:
        return output(features[window])
    enlarged = nn.functional.interpolate(output(features), scale_factor=factors, mode=LINEAR[len(factors)])
    return enlarged[window]


def adapter(options: LatentOptions) -> nn.Module:
    """Map the channels of the features to those of the state; the identity where they are as many."""
    if options.features == options.width:
        return nn.Identity()
    return conv(options.rank, options.features, options.width, kernel=1)


def upsampling(options: LatentOptions) -> nn.Sequential:
    """Build the blocks from the state of a level to that of the level below."""
    rank, below, dropout = options.rank, options.below, options.dropout
    first = Upsample(rank, below, stride=options.stride, dropout=dropout, inputs=options.width)
    rest = (ResidualBlock(rank, below, dropout=dropout) for _ in range(options.blocks - 1))
    return nn.Sequential(first, *rest)


def part_below(state: Tensor, crop: tuple[int, ...]) -> Tensor:
    """Return the centre of a map [b c (z) y x] that the level below covers."""
    return centre_crop(state, tuple(n // c for n, c in zip(state.shape[2:], crop, strict=True)))


def _common_width(features: tuple[int, ...]) -> int:
    widths = set(features)
    if len(widths) != 1:
        raise SpecError(
            f"model.decoder: without a width of its own, the ladder needs the same number of feature "
            f"channels at every level (got {sorted(widths)}). Give model.decoder.width, or use an encoder "
            f"with one width."
        )
    return widths.pop()
