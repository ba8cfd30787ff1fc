"""Hypothesis strategies for inputs of components and for whole specs. Public.

Tensors and arrays are drawn by the seed of a generator, so that a failing example is one whole number.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal

from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.core.network.interfaces import FeatureShape
from denoisplit.core.network.latent import Level
from denoisplit.core.registry import Registry, installed_registry
from denoisplit.core.spec.records import Chosen, DataSpec, ModelSpec, ResolvedSpec, TrainingSpec
from denoisplit.testing.option_values import options

IMAGE_SIDE = 64
"""Pixels along every axis of the plane that ``levels`` belong to."""

_VOLUME_SIDE = 16

_MOST_CHANNELS = 3


def seeds() -> st.SearchStrategy[int]:
    """Draw seeds of a generator."""
    return st.integers(0, 10**6)


def random(seed: int, *shape: int) -> Tensor:
    """Return standard normal numbers, float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniform(seed: int, low: float, high: float, *shape: int) -> Tensor:
    """Return numbers between two bounds, float64."""
    drawn = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return low + (high - low) * drawn


def image_side(rank: int) -> int:
    """Return the pixels per axis of the image that ``levels`` belong to: volumes are smaller than planes."""
    return IMAGE_SIDE if rank == 2 else _VOLUME_SIDE


def level_shapes(rank: int, *, count: int) -> tuple[tuple[int, ...], ...]:
    """Return the shape [k (z) y x] of every level for ``image_side``; every level halves every axis."""
    return tuple(
        (1 + (count - index) % 3, *(image_side(rank) // 2 ** (index + 1),) * rank) for index in range(count)
    )


def level_counts(rank: int) -> st.SearchStrategy[int]:
    """Draw numbers of levels: up to six, for volumes up to three."""
    return st.integers(1, 6 if rank == 2 else 3)


@st.composite
def levels(draw: st.DrawFn, rank: int, *, batch: int = 3) -> tuple[Level, ...]:
    """Draw latents of an image: posterior, prior and a draw from the posterior per level, finest first.

    Args:
        draw: hypothesis's function.
        rank: number of spatial axes.
        batch: number of images.
    """
    count, seed = draw(level_counts(rank)), draw(seeds())
    made = []
    for index, shape in enumerate(level_shapes(rank, count=count)):
        posterior = _normal(4 * seed, index, batch, *shape)
        prior = _normal(4 * seed + 1, index, 1 if index == count - 1 else batch, *shape)
        noise = random(4 * seed + 2 + index, batch, *shape)
        made.append(Level(posterior, prior, posterior.mean + posterior.stddev * noise))
    return tuple(made)


def _normal(seed: int, index: int, *shape: int) -> Normal:
    mean, raw = random(seed + 7 * index, 2, *shape)
    return Normal(mean, (0.5 * raw).exp())


def unit_levels(divergences: tuple[Tensor, ...]) -> tuple[Level, ...]:
    """Return levels whose latent scalars have the given divergences, in closed form and as single samples.

    At its own mean, the single-sample estimate of a shifted unit normal is its divergence.

    Args:
        divergences: [b k (z) y x] per level, nats.
    """
    made = []
    for values in divergences:
        mean = (2 * values).sqrt()
        unit = torch.ones_like(mean)
        normal = Normal
        made.append(Level(normal(mean, unit), normal(torch.zeros_like(mean), unit), mean))
    return tuple(made)


def of_hierarchy(given: tuple[Level, ...], numbers: Sequence[int]) -> tuple[Level, ...]:
    """Number levels as the core does where other levels of the hierarchy have no latent."""
    return tuple(attrs.evolve(given[n], index=n, hierarchy=len(given)) for n in numbers)


def feature_pyramids(rank: int, *, width: int = 4) -> tuple[tuple[FeatureShape, ...], ...]:
    """Return shapes of features of encoders: with or without a first stride, anisotropic, with surround.

    One to six levels; deep ones halve one axis at a time, so that images stay small. Widths may differ.
    """
    one, two, four = ((stride,) * rank for stride in (1, 2, 4))
    flat = (*one[1:], 2)
    deep = tuple(
        FeatureShape(width, (*one[2:], 2 ** ((level + 1) // 2), 2 ** (level // 2))) for level in range(6)
    )
    return (
        (FeatureShape(width, two), FeatureShape(width, four)),
        (FeatureShape(width, one), FeatureShape(width, two), FeatureShape(width, four)),
        (FeatureShape(width, flat), FeatureShape(width, tuple(2 * s for s in flat))),
        (FeatureShape(width, one), FeatureShape(width, flat)),
        (FeatureShape(width, two, two), FeatureShape(width, four, two)),
        deep,
        deep[:5],
        (FeatureShape(width, two), FeatureShape(width, (*two[1:], 4)), FeatureShape(width, four)),
        (FeatureShape(width, (*two[1:], 4)), FeatureShape(width, (*two[1:], 8))),
        (FeatureShape(width, two),),
        (FeatureShape(width, two), FeatureShape(width + 2, four)),
        (FeatureShape(width, two, two), FeatureShape(width, four, four)),
    )


@st.composite
def images(draw: st.DrawFn, rank: int, *, dtypes: Sequence[str] = ("uint8", "uint16", "float32")) -> Image:
    """Draw images with or without channel names, pixel size and time interval; with ``z`` for ``rank`` 3.

    Axes come in any order, never both ``s`` and ``t``. Pixel sizes may be unknown along an axis.
    """
    space = "zyx"[-rank:]
    more = draw(st.sampled_from(["", "c", "t", "tc", "s", "sc"]))
    axes = "".join(draw(st.just(list(more + space)) | st.permutations(list(more + space))))
    shape = tuple(draw(st.integers(1, 5)) for _ in axes)
    data = np.random.default_rng(draw(seeds())).uniform(0, 255, shape).astype(draw(st.sampled_from(dtypes)))
    channels = shape[axes.index("c")] if "c" in axes else 1
    letters = st.characters(codec="utf-8", categories=["L", "N"])
    name = st.text(letters, min_size=1, max_size=8)
    named = st.lists(name, min_size=channels, max_size=channels).map(tuple)
    side = st.integers(1, 4000).map(lambda number: number / 1000) | st.sampled_from([None, 1e-5, 1e5])
    known = st.builds(
        PixelSize,
        st.lists(side, min_size=rank, max_size=rank).filter(any),
        st.sampled_from(["µm", "nm"]),
    )
    intervals = st.builds(
        lambda value, unit: TimeInterval(value / 1000, unit),
        st.integers(1, 9999),
        st.sampled_from(["s", "min"]),
    )
    return Image(
        data=data,
        axes=axes,
        channel_names=draw(st.just(()) | named),
        pixel_size=draw(st.none() | known),
        time_interval=draw(st.none() | intervals) if "t" in axes else None,
    )


@st.composite
def specs(draw: st.DrawFn, registry: Registry | None = None) -> ResolvedSpec:
    """Draw whole specs over the components of a registry, by default all that are installed."""
    rows = registry or installed_registry()

    def chosen(kind: str) -> Chosen:
        row = draw(st.sampled_from([row for row in rows.components(kind) if row.status != "deprecated"]))
        return Chosen(component=row, options=draw(options(row.load().Options)))

    letters = st.characters(codec="utf-8", categories=["L", "N"])
    channels = draw(st.lists(st.text(letters, min_size=1), min_size=1, max_size=_MOST_CHANNELS, unique=True))
    shares = st.tuples(*(st.floats(0.1, 2) for _ in channels))
    weights = draw(st.one_of(st.just(()), shares))
    each: Any = tuple(chosen("noise_model") for _ in channels) if draw(st.booleans()) else None
    return ResolvedSpec(
        channels=tuple(channels),
        data=DataSpec(train=chosen("dataset"), validation=chosen("dataset") if draw(st.booleans()) else None),
        model=ModelSpec(
            encoder=chosen("encoder"),
            decoder=chosen("decoder"),
            noise_model=each or chosen("noise_model"),
            kl_scheme=chosen("kl_scheme"),
            dimensions=draw(st.sampled_from([2, 3])),
        ),
        calibrator=chosen("calibrator"),
        training=draw(
            options(
                TrainingSpec,
                channel_weights=weights,
                optimizer=chosen("optimizer"),
                schedule=chosen("schedule"),
            )
        ),
    )


__all__ = [
    "IMAGE_SIDE",
    "feature_pyramids",
    "image_side",
    "images",
    "level_counts",
    "level_shapes",
    "levels",
    "of_hierarchy",
    "options",
    "random",
    "seeds",
    "specs",
    "uniform",
    "unit_levels",
]
