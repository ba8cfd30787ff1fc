"""Parts that ladder encoders share: options, the stem, one level, and the strides of the levels.

Source: Prakash et al., HDN, ICLR 2022; method sections 1.2 and 1.3.
"""

from typing import Any

import attrs
from attrs.validators import and_, deep_iterable, ge, le, lt, min_len
from torch import nn

from denoisplit.core.errors import SpecError
from denoisplit.core.validators import described_by
from denoisplit.plugins.blocks import KERNEL, MOST_BLOCKS, MOST_LEVELS, Downsample, ResidualBlock, conv
from denoisplit.plugins.channel_counts import ChannelCounts, channel_counts

STRIDE = 2

Strides = tuple[tuple[int, ...], ...]


@attrs.frozen(kw_only=True)
class LadderOptions:
    """Options that all ladder encoders have.

    Attributes:
        levels: hierarchy levels.
        width: feature channels; several numbers are one per level, finest first.
        blocks: residual blocks per level.
        dropout: probability per feature channel.
    """

    levels: int = attrs.field(default=4, validator=[ge(1), le(MOST_LEVELS)])
    width: ChannelCounts = attrs.field(default=64, validator=channel_counts)
    blocks: int = attrs.field(default=1, validator=[ge(1), le(MOST_BLOCKS)])
    dropout: float = attrs.field(default=0.1, validator=[ge(0), lt(1)])


@described_by(deep_iterable(and_(min_len(1), deep_iterable(ge(1)))))
def positive_strides(_instance: object, attribute: "attrs.Attribute[Any]", value: Strides) -> None:
    """Validate an option ``strides``."""
    if any(not level or min(level) < 1 for level in value):
        raise ValueError(f"'{attribute.name}' must be 1 or more along every axis (got {value})")


def strides_per_level(given: Strides, *, levels: int, rank: int) -> Strides:
    """Return the strides of every level; where none are given, every level halves every axis.

    Raises:
        SpecError: a different number of levels or axes, or a level as large as the one before.
    """
    strides = given or ((STRIDE,) * rank,) * levels
    if len(strides) != levels or any(len(level) != rank for level in strides):
        raise SpecError(
            f"model.encoder.strides: {levels} lists of {rank} numbers are needed, one per level and spatial "
            f"axis (got {[list(level) for level in strides]}). Give the finest level first, or leave it out."
        )
    for place, level in enumerate(strides[1:], start=1):
        if max(level) == 1:
            raise SpecError(
                f"model.encoder.strides.{place}: this level is no smaller than the one before "
                f"(got {list(level)}). Let it shrink at least one axis, or leave the level out."
            )
    return strides


def total_strides(first: tuple[int, ...], strides: Strides) -> Strides:
    """Return the pixels per position after every level; ``first`` are those before the first level."""
    totals = [first]
    for level in strides:
        totals.append(tuple(total * s for total, s in zip(totals[-1], level, strict=True)))
    return tuple(totals[1:])


def stem(rank: int, inputs: int, width: int, *, dropout: float, kernel: int = KERNEL) -> nn.Sequential:
    """Build the first convolution and an ungated residual block, at the size of the image."""
    return nn.Sequential(
        conv(rank, inputs, width, kernel=kernel),
        nn.ELU(inplace=True),
        ResidualBlock(rank, width, dropout=dropout, gated=False),
    )


def bottom_up_level(
    rank: int,
    width: int,
    *,
    stride: tuple[int, ...],
    blocks: int,
    dropout: float,
    inputs: int | None = None,
) -> nn.Sequential:
    """Build a strided block of ``inputs`` (or ``width``) channels, then ``blocks - 1`` of the same size."""
    return nn.Sequential(
        Downsample(rank, width, stride=stride, dropout=dropout, inputs=inputs),
        *(ResidualBlock(rank, width, dropout=dropout) for _ in range(blocks - 1)),
    )
