"""Composition of a spec's components to one VSE."""

import math
import re
from typing import Any, Final

from denoisplit.core.errors import BrokenPluginError, ChannelCountError, SpecError
from denoisplit.core.network.hidden_layers import hidden_layers
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
from denoisplit.core.registry.blame import broken
from denoisplit.core.spec.records import Chosen, ModelSpec

MIXED_CHANNELS = 1

_LARGEST: Final = 4096
"""Largest side of a patch, pixels, that messages advise."""

_TOO_LARGE: Final = re.compile("memory|allocate|overflow|invalid.*size|too large", re.IGNORECASE)
"""Words by which torch and Python report sizes that do not fit into memory."""


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
        statistics: intensity statistics of the training images; a network cannot exist without them.
        channels: names of the target channels.
        patch: side of a training patch, pixels; several numbers are one per spatial axis.

    Raises:
        ChannelCountError: the statistics have another number of channels than the spec.
        SpecError: the components do not fit each other, an encoder needs scales that images do not have, or
            the network is larger than any computer's memory.
        BrokenPluginError: a component holds layers that torch does not see.
    """
    try:
        return _composed(model, statistics, channels, patch)
    except (MemoryError, OverflowError, RuntimeError, TypeError, BrokenPluginError) as error:
        cause = error.__cause__ or error  # the exception of a component's constructor
        if not _TOO_LARGE.search(f"{type(cause).__name__} {cause}"):
            raise
        raise SpecError(
            f"$.model: the network does not fit into memory (got a patch of {patch} pixels). "
            f"Lower training.patch, or the options of encoder and decoder."
        ) from error


def _composed(
    model: ModelSpec, statistics: IntensityStats, channels: tuple[str, ...], patch: int | tuple[int, ...]
) -> VSE:
    if statistics.channels != len(channels):
        raise ChannelCountError(
            f"compose: the statistics have {statistics.channels} channels, the spec names {len(channels)} "
            f"({', '.join(channels)}). Give statistics of the same channels."
        )
    rank = model.dimensions
    encoder: Encoder = _built(model.encoder, spatial_rank=rank, in_channels=MIXED_CHANNELS)
    # Axes that the features lack, such as a projected z, do not concern them.
    sides = patch_sides(patch, rank)[-len(encoder.feature_shapes[-1].stride) :]
    _require_fit(sides, encoder)
    _require_halvings(encoder)
    noise_model = noise_model_of(model, statistics)
    decoder: Decoder = _built(
        model.decoder,
        feature_shapes=encoder.feature_shapes,
        out_maps=len(channels) * (1 + noise_model.extra_maps),
        patch=sides,
    )
    kl_scheme: KLScheme = _built(model.kl_scheme)
    return VSE(
        encoder=encoder,
        decoder=decoder,
        noise_model=noise_model,
        kl_scheme=kl_scheme,
        statistics=statistics,
        spatial_rank=rank,
    )


def _built(chosen: Chosen, **known: Any) -> Any:
    """Build a component, all of whose layers torch must see."""
    module = chosen.build(**known)
    if fault := hidden_layers(module):
        raise broken(chosen.component, fault)
    return module


def patch_sides(patch: int | tuple[int, ...], dimensions: int) -> tuple[int, ...]:
    """Sides of a patch [(z) y x], pixels.

    Raises:
        SpecError: several numbers, but not one per spatial axis.
    """
    sides = (patch,) * dimensions if isinstance(patch, int) else patch
    if len(sides) != dimensions:
        raise SpecError(
            f"$.training.patch: one number or one per spatial axis is needed "
            f"(got {list(sides)} for {dimensions} dimensions). Give {dimensions} numbers."
        )
    return sides


def noise_model_of(model: ModelSpec, statistics: IntensityStats) -> NoiseModel:
    """Build the noise model of a spec, or those of its channels as one."""
    if isinstance(model.noise_model, Chosen):
        single: NoiseModel = _built(model.noise_model, statistics=statistics)
        return single
    return PerChannelNoiseModel(
        [
            _built(chosen, statistics=channel_statistics(statistics, channel))
            for channel, chosen in enumerate(model.noise_model)
        ]
    )


def _require_fit(patch: tuple[int, ...], encoder: Encoder) -> None:
    """Check that a patch strides without remainder and its coarsest latent is at least 2 positions wide.

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
    raise SpecError(
        f"$.training.patch: must be a multiple of {_sides(multiple)} and at least {_sides(least)} for "
        f"{len(shapes)} levels (got {_sides(patch)}). Use {', or '.join(advice)}."
    )


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
    """One number if all are equal, as in the spec."""
    return str(values[0] if len(set(values)) == 1 else list(values))


def _require_halvings(encoder: Encoder) -> None:
    """Check that levels that take a scale of the image halve y and x only, as the scales do."""
    for level in range(encoder.input_scales - 1):
        stride = encoder.feature_shapes[level].stride
        if stride != ((1,) * len(stride) + (2 ** (level + 1),) * 2)[-len(stride) :]:
            raise SpecError(
                f"$.model.encoder.strides: every level that takes a scale of the surround must halve y and x "
                f"and leave z as it is (got strides {stride} after level {level}). "
                f"Use {[1] * (len(stride) - 2) + [2, 2]} for the first {encoder.input_scales - 1} levels, "
                f"or fewer model.encoder.input_scales."
            )
