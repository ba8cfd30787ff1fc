"""Joins the components that a spec names into one VSE."""

import math
import re
from typing import Final

from denoisplit.core.errors import BrokenPluginError, ChannelCountError, SpecError
from denoisplit.core.network.interfaces import (
    Decoder,
    Encoder,
    FeatureShape,
    IntensityStats,
    KLScheme,
    NoiseModel,
)
from denoisplit.core.network.per_channel import PerChannelNoiseModel, channel_statistics
from denoisplit.core.network.vse import VSE, side_multiple
from denoisplit.core.spec.records import Chosen, ModelSpec

MIXED_CHANNELS = 1

_LARGEST: Final = 4096
"""Side of a patch, pixels, beyond which nobody is advised to go."""

_TOO_LARGE: Final = re.compile("memory|allocate|overflow|invalid.*size|too large", re.IGNORECASE)
"""What torch and Python say in many ways."""


def compose(
    model: ModelSpec,
    statistics: IntensityStats,
    *,
    channels: tuple[str, ...],
    patch: int | tuple[int, ...],
) -> VSE:
    """Build the network of a spec.

    Args:
        model: components and their options.
        statistics: of the training images; a network without them cannot exist.
        channels: names of the target channels.
        patch: side of a training patch, pixels; several numbers are one per spatial axis.

    Raises:
        ChannelCountError: the statistics have another number of channels than the spec.
        SpecError: the components do not fit each other, an encoder takes scales that images do not have, or
            the network is larger than any computer.
    """
    try:
        return _composed(model, statistics, channels, patch)
    except (MemoryError, OverflowError, RuntimeError, TypeError, BrokenPluginError) as error:
        cause = error.__cause__ or error  # what the constructor of a component raised
        if not _TOO_LARGE.search(f"{type(cause).__name__} {cause}"):
            raise
        problem = (
            f"$.model: the network does not fit into memory (got a patch of {patch} pixels). "
            f"Lower training.patch, or the options of encoder and decoder."
        )
        raise SpecError([problem]) from error


def _composed(
    model: ModelSpec, statistics: IntensityStats, channels: tuple[str, ...], patch: int | tuple[int, ...]
) -> VSE:
    if statistics.channels != len(channels):
        raise ChannelCountError(
            f"compose: the statistics have {statistics.channels} channels, the spec names {len(channels)} "
            f"({', '.join(channels)}). Give statistics of the same channels."
        )
    rank = model.dimensions
    encoder: Encoder = model.encoder.build(spatial_rank=rank, in_channels=MIXED_CHANNELS)
    # Axes that the features do not have, such as a projected z, are no matter of theirs.
    sides = patch_sides(patch, rank)[-len(encoder.feature_shapes[-1].stride) :]
    _require_fit(sides, encoder)
    _require_halvings(encoder)
    noise_model = _noise_model(model, statistics)
    decoder: Decoder = model.decoder.build(
        feature_shapes=encoder.feature_shapes,
        out_maps=len(channels) * (1 + noise_model.extra_maps),
        patch=sides,
    )
    kl_scheme: KLScheme = model.kl_scheme.build()
    return VSE(
        encoder=encoder,
        decoder=decoder,
        noise_model=noise_model,
        kl_scheme=kl_scheme,
        statistics=statistics,
        spatial_rank=rank,
    )


def patch_sides(patch: int | tuple[int, ...], dimensions: int) -> tuple[int, ...]:
    """Sides of a patch [(z) y x], pixels.

    Raises:
        SpecError: several numbers, but not one per spatial axis.
    """
    sides = (patch,) * dimensions if isinstance(patch, int) else patch
    if len(sides) != dimensions:
        problem = (
            f"$.training.patch: one number or one per spatial axis is needed "
            f"(got {list(sides)} for {dimensions} dimensions). Give {dimensions} numbers."
        )
        raise SpecError([problem])
    return sides


def _noise_model(model: ModelSpec, statistics: IntensityStats) -> NoiseModel:
    if isinstance(model.noise_model, Chosen):
        single: NoiseModel = model.noise_model.build(statistics=statistics)
        return single
    return PerChannelNoiseModel(
        [
            chosen.build(statistics=channel_statistics(statistics, channel))
            for channel, chosen in enumerate(model.noise_model)
        ]
    )


def _require_fit(patch: tuple[int, ...], encoder: Encoder) -> None:
    """A patch must stride without remainder, and the coarsest latent be at least 2 positions wide.

    Along an axis that never shrinks, one position is enough.
    """
    shapes = encoder.feature_shapes
    if _fits(patch, shapes):
        return
    multiple, least = side_multiple(shapes), least_sides(shapes)
    better = tuple(max(low, round(n / m) * m) for n, m, low in zip(patch, multiple, least, strict=True))
    fewer = max((k for k in range(1, len(shapes)) if _fits(patch, shapes[:k])), default=0)
    advice = [] if max(better) > _LARGEST and fewer else [_sides(better)]
    if fewer:
        advice.append(f"at most {fewer} model.encoder.levels")
    problem = (
        f"$.training.patch: must be a multiple of {_sides(multiple)} and at least {_sides(least)} for "
        f"{len(shapes)} levels (got {_sides(patch)}). Use {', or '.join(advice)}."
    )
    raise SpecError([problem])


def _fits(patch: tuple[int, ...], shapes: tuple[FeatureShape, ...]) -> bool:
    sides = zip(patch, side_multiple(shapes), least_sides(shapes), strict=True)
    return all(n % m == 0 and n >= low for n, m, low in sides)


def least_sides(shapes: tuple[FeatureShape, ...]) -> tuple[int, ...]:
    """Sides of the smallest patch, pixels, whose coarsest latent is 2 positions wide where it shrinks."""
    return tuple(
        math.ceil(math.ceil(2 * s / e) / m) * m if s > 1 else 1
        for s, e, m in zip(shapes[-1].stride, shapes[-1].extent, side_multiple(shapes), strict=True)
    )


def _sides(values: tuple[int, ...]) -> str:
    """One number where all are equal, as in the spec."""
    return str(values[0] if len(set(values)) == 1 else list(values))


def _require_halvings(encoder: Encoder) -> None:
    """The scales of an image halve y and x only, so the levels that take one must do the same."""
    for level in range(encoder.input_scales - 1):
        stride = encoder.feature_shapes[level].stride
        if stride != ((1,) * len(stride) + (2 ** (level + 1),) * 2)[-len(stride) :]:
            problem = (
                f"$.model.encoder.strides: every level that takes a scale of the surround must halve y and x "
                f"and leave z as it is (got strides {stride} after level {level}). "
                f"Use {[1] * (len(stride) - 2) + [2, 2]} for the first {encoder.input_scales - 1} levels, "
                f"or fewer model.encoder.input_scales."
            )
            raise SpecError([problem])
