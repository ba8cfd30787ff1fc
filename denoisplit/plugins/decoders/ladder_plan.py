"""What the shapes of the features say about the levels of a top-down ladder.

Source: method sections 1.4 and 1.5.
"""

from collections.abc import Callable
from typing import Any

import attrs
from attrs.validators import and_, deep_iterable, ge, min_len, or_
from torch import Tensor, nn

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import FeatureShape, Window
from denoisplit.core.validators import described_by
from denoisplit.plugins.blocks import LINEAR, ResidualBlock, Upsample, centre_crop

STRIDE = 2
_NORMALISED_BEYOND = 4


@attrs.frozen(kw_only=True)
class LatentOptions:
    """What one level needs to know.

    Attributes:
        index: level, 0 = finest.
        rank: number of spatial axes.
        width: feature channels.
        latent_channels: channels of the latent.
        crop: the level below gets the centre of the map, one part in ``crop`` of every axis; 1 is all of it.
        stride: up-sampling factor per spatial axis to the level below.
        blocks: residual blocks after the latent.
        dropout: probability per feature channel.
        clip: upper bound of raw log-variances, or None.
        naive_variance: plain exponential variances.
        divisor: posterior features are divided by it.
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


@described_by(or_(ge(1), and_(min_len(1), deep_iterable(ge(1)))))
def channel_counts(
    _instance: object, attribute: "attrs.Attribute[Any]", value: int | tuple[int, ...]
) -> None:
    """Validator of an option ``latent_channels``."""
    values = value if isinstance(value, tuple) else (value,)
    if not values or min(values) < 1:
        raise ValueError(f"'{attribute.name}' must be 1 or more, one number or one per level (got {value})")


def plan_levels(
    shapes: tuple[FeatureShape, ...],
    *,
    latent_channels: int | tuple[int, ...],
    blocks: int,
    dropout: float,
    normalise: bool,
    clip: float | None = None,
    naive_variance: bool = False,
) -> tuple[LatentOptions, ...]:
    """What every level has to know, finest first.

    Raises:
        SpecError: features of several widths, or latent channels for another number of levels.
    """
    count, width = len(shapes), _common_width(shapes)
    levels: list[LatentOptions] = []
    # Every level doubles its sides, the finest too; what binning took is interpolated at the end.
    below, covered = binning(shapes), (1,) * len(shapes[0].stride)
    for index, (shape, latents) in enumerate(zip(shapes, _per_level(latent_channels, count), strict=True)):
        levels.append(
            LatentOptions(
                index=index,
                rank=len(shape.stride),
                width=width,
                latent_channels=latents,
                crop=tuple(e // c for e, c in zip(shape.extent, covered, strict=True)),
                stride=tuple(s // b for s, b in zip(shape.stride, below, strict=True)),
                blocks=blocks,
                dropout=dropout,
                clip=clip,
                naive_variance=naive_variance,
                divisor=(2 * (1 + index)) ** -0.5 if normalise and count > _NORMALISED_BEYOND else 1.0,
            )
        )
        below, covered = shape.stride, shape.extent
    return tuple(levels)


def binning(shapes: tuple[FeatureShape, ...]) -> tuple[int, ...]:
    """Pixels per axis that were averaged before the first level."""
    return tuple(max(1, s // STRIDE) for s in shapes[0].stride)


def image_maps(
    output: Callable[[Tensor], Tensor], features: Tensor, factors: tuple[int, ...], window: Window
) -> Tensor:
    """Apply the output layer and cut out ``window``; linear interpolation makes up for binning.

    The layer works on binned pixels, since at full size its input alone would be ``factors`` times as large.
    Without binning the window is cut first, as in the reference; a window need not be a multiple of binned
    pixels.
    """
    window = (slice(None), slice(None), *window)
    if max(factors) == 1:
        return output(features[window])
    enlarged = nn.functional.interpolate(output(features), scale_factor=factors, mode=LINEAR[len(factors)])
    return enlarged[window]


def upsampling(options: LatentOptions) -> nn.Sequential:
    """The blocks from the state of a level to that of the level below."""
    first = Upsample(options.rank, options.width, stride=options.stride, dropout=options.dropout)
    rest = (
        ResidualBlock(options.rank, options.width, dropout=options.dropout) for _ in range(options.blocks - 1)
    )
    return nn.Sequential(first, *rest)


def part_below(state: Tensor, crop: tuple[int, ...]) -> Tensor:
    """The centre of a map [b c (z) y x] that the level below covers."""
    return centre_crop(state, tuple(n // c for n, c in zip(state.shape[2:], crop, strict=True)))


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
