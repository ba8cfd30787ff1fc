"""Laws of whole models, with every component of the registry in its place, in two and three dimensions."""

import copy
import functools
import math
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor

from denoisplit.core.errors import NonFiniteLossError, SpecError, UnknownComponentError
from denoisplit.core.network.interfaces import (
    Decoded,
    Decoder,
    Encoder,
    Features,
    IntensityStats,
    NoiseModel,
    Window,
)
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.objective import require_finite
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import Component, load_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.testing import suite_for
from denoisplit.testing.encoders import EncoderTests
from denoisplit.testing.network_laws.decoding import LevelNoise
from denoisplit.testing.noise_models import NoiseModelTests
from denoisplit.testing.strategies import random
from denoisplit.testing.suite import generic

USUAL = {"encoder": "ladder", "decoder": "ladder", "noise_model": "gaussian", "kl_scheme": "elbo"}
SIDE = 8
ROWS = [row for row in load_registry().components() if row.package == BUILTIN and row.kind in USUAL]
CASES = [(row, rank) for row in ROWS for rank in (2, 3)]
every_component = pytest.mark.parametrize(
    ("row", "rank"), CASES, ids=[f"{row.kind}-{row.name}-{rank}d" for row, rank in CASES]
)
ORDER = [1, 0]


class OtherOrder(Decoder):
    """A decoder whose output maps come in another order."""

    def __init__(self, decoder: Decoder, maps: list[int]) -> None:
        super().__init__()
        self.decoder, self.maps = decoder, maps

    def forward(self, features: Features, noise: NoiseSource, *, window: Window = ()) -> Decoded:
        decoded: Decoded = self.decoder(features, noise, window=window)
        return attrs.evolve(decoded, output=decoded.output[:, self.maps])

    def sample(self, features: Features, noise: NoiseSource) -> Tensor:
        return self.decoder.sample(features, noise)[:, self.maps]

    def generate(self, shape: tuple[int, ...], noise: NoiseSource, *, batch: int) -> Tensor:
        return self.decoder.generate(shape, noise, batch=batch)[:, self.maps]


@attrs.frozen
class SameForAll(NoiseSource):
    """All images of a batch get the same noise."""

    seed: int

    def normal(self, level: int, like: Tensor) -> Tensor:
        return random(self.seed + level, 1, *like.shape[1:]).to(like).expand_as(like)


@functools.cache
def part(kind: str, name: str) -> Any:
    return suite_for(kind, f"{BUILTIN}/{name}")()


def model(row: Component, rank: int) -> VSE:
    """A model with this component and the usual others, of the simplest options."""
    named = {**USUAL, row.kind: row.name}
    noise_cases: NoiseModelTests = part("noise_model", named["noise_model"])
    noise_model = noise_cases.model(noise_cases.smallest())
    maps = noise_cases.statistics().channels * (1 + noise_model.extra_maps)
    # A component that does not fit the usual partner fits that of its own name.
    refused = ""
    for partner in (USUAL, {"encoder": row.name, "decoder": row.name}):
        names = {**partner, row.kind: row.name}
        try:
            encoder, decoder = network(names["encoder"], names["decoder"], rank, maps)
        except (SpecError, UnknownComponentError) as error:
            refused = refused or str(error)
            continue
        kl_cases = part("kl_scheme", named["kl_scheme"])
        return VSE(
            encoder=encoder,
            decoder=decoder,
            noise_model=noise_model,
            kl_scheme=kl_cases.scheme(kl_cases.smallest()),
            statistics=noise_cases.statistics(),
            spatial_rank=rank,
        ).eval()
    pytest.skip(refused)


def network(encoder_name: str, decoder_name: str, rank: int, maps: int) -> tuple[Encoder, Decoder]:
    encoder_cases: EncoderTests = part("encoder", encoder_name)
    options = encoder_cases.smallest()
    decoder_cases = part("decoder", decoder_name)
    if hasattr(decoder_cases.smallest(), "latent_levels"):  # of which at least one has none
        options = attrs.evolve(options, levels=2)
    encoder = encoder_cases.encoder(options, rank)
    patch = (SIDE,) * len(encoder.feature_shapes[-1].stride)
    decoder = generic(
        lambda: decoder_cases.target()(
            decoder_cases.smallest(), feature_shapes=encoder.feature_shapes, out_maps=maps, patch=patch
        )
    )
    return encoder, decoder


def images(vse: VSE, batch: int) -> tuple[Tensor, Tensor]:
    """Mixed images with all their scales and planes, and their noisy channels; counts."""
    axes = len(vse.multiple)
    size = (SIDE,) * axes
    targets = vse.statistics.to_counts(random(1, batch, vse.channels, *size))
    shape = (batch, vse.encoder.input_scales, *(3,) * (vse.spatial_rank - axes), *size)
    return vse.statistics.mixed_mean + vse.statistics.mixed_std * random(2, *shape), targets


def in_other_order(vse: VSE) -> VSE:
    """The same model for channels in another order: everything that belongs to a channel moves along."""
    other, given = copy.deepcopy(vse), vse.statistics
    statistics = attrs.evolve(
        given,
        target_mean=[given.target_mean[c] for c in ORDER],
        target_std=[given.target_std[c] for c in ORDER],
    )
    other.statistics = statistics
    other.noise_model = with_statistics(other.noise_model, statistics)
    known = vse.noise_model.state_dict()
    moved = {name: value[ORDER] if value.numel() else value for name, value in known.items()}
    other.noise_model.load_state_dict(moved)
    maps = [*ORDER, *(2 + c for c in ORDER)] if vse.noise_model.extra_maps else ORDER
    other.decoder = OtherOrder(other.decoder, maps)
    return other


def with_statistics(noise_model: NoiseModel, statistics: IntensityStats) -> NoiseModel:
    modules: Any = noise_model.modules()
    for module in modules:
        if hasattr(module, "statistics"):
            module.statistics = statistics
    return noise_model


@every_component
def test_permuting_the_channels_permutes_outputs_and_leaves_the_total(row: Component, rank: int) -> None:
    vse = model(row, rank)
    other = in_other_order(vse)
    mixed, targets = images(vse, 2)
    with torch.no_grad():
        maps, maps_too = (one.sample_maps(one.encode(mixed), LevelNoise(3)) for one in (vse, other))
        torch.testing.assert_close(other.signal(maps_too), vse.signal(maps)[:, ORDER])
        own = vse.signal_variance(maps)
        if own is not None:
            torch.testing.assert_close(other.signal_variance(maps_too), own[:, ORDER])
        terms = vse.loss(mixed, targets, LevelNoise(3), kl_weight=0.7)
        terms_too = other.loss(mixed, targets[:, ORDER], LevelNoise(3), kl_weight=0.7)
    assert terms.distortion_per_channel[0] != terms.distortion_per_channel[1]
    torch.testing.assert_close(terms_too.distortion_per_channel, terms.distortion_per_channel[ORDER])
    torch.testing.assert_close(terms_too.rate_per_level, terms.rate_per_level)
    torch.testing.assert_close(terms_too.total, terms.total)


@every_component
def test_one_bad_pixel_is_refused_by_name(row: Component, rank: int) -> None:
    vse = model(row, rank)
    mixed, targets = images(vse, 1)
    targets.view(-1)[3] = math.nan
    with torch.no_grad():
        terms = vse.loss(mixed, targets, LevelNoise(3), kl_weight=1.0)
    with pytest.raises(NonFiniteLossError, match="distortion"):
        require_finite(terms, 0)


@every_component
def test_a_duplicated_batch_has_the_same_loss(row: Component, rank: int) -> None:
    vse = model(row, rank)
    mixed, targets = images(vse, 1)
    with torch.no_grad():
        once = vse.loss(mixed, targets, SameForAll(3), kl_weight=0.7)
        mixed, targets = (torch.cat([values] * 3) for values in (mixed, targets))
        thrice = vse.loss(mixed, targets, SameForAll(3), kl_weight=0.7)
    torch.testing.assert_close(thrice.total, once.total)
    torch.testing.assert_close(thrice.rate_per_level, once.rate_per_level)
    torch.testing.assert_close(thrice.distortion_per_channel, once.distortion_per_channel)
