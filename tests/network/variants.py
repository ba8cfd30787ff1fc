"""Every network variant, small: name and number of spatial axes to encoder and decoder."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from denoisplit.core.network.interfaces import Decoder, Encoder
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.decoders.deterministic_ladder import DeterministicLadderDecoder
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.decoders.unet import UNetDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.encoders.ladder_3d_to_2d import LadderEncoder3dTo2d
from denoisplit.plugins.encoders.lateral_context import LateralContextEncoder
from denoisplit.plugins.encoders.unet import UNetEncoder
from tests.network.small import LATENT, network

SIDE = 8
"""Patch that every variant takes."""

PLAIN: Mapping[str, Any] = {"levels": 2, "width": 4, "dropout": 0.0}


def lateral(rank: int, maps: int, **options: Any) -> tuple[Encoder, Decoder]:
    given = LateralContextEncoder.Options(**{**PLAIN, "input_scales": 3, **options})
    return _with_ladder(LateralContextEncoder(given, spatial_rank=rank, in_channels=1), maps)


def anisotropic(rank: int, maps: int) -> tuple[Encoder, Decoder]:
    strides = (((1,) * (rank - 1) + (2,)), (2,) * rank)
    given = LadderEncoder.Options(strides=strides, **PLAIN)
    return _with_ladder(LadderEncoder(given, spatial_rank=rank, in_channels=1), maps)


def anisotropic_lateral(rank: int, maps: int) -> tuple[Encoder, Decoder]:
    return lateral(rank, maps, strides=(((1,) * (rank - 1) + (2,)), (2,) * rank))


def projecting(rank: int, maps: int) -> tuple[Encoder, Decoder]:
    given = LadderEncoder3dTo2d.Options(**PLAIN)
    return _with_ladder(LadderEncoder3dTo2d(given, spatial_rank=rank, in_channels=1), maps)


def unequal_widths(rank: int, maps: int) -> tuple[Encoder, Decoder]:
    """Of encoder and decoder, and from level to level, with features of the surround."""
    given = LateralContextEncoder.Options(**{**PLAIN, "input_scales": 3, "width": (4, 6)})
    return _with_ladder(
        LateralContextEncoder(given, spatial_rank=rank, in_channels=1), maps, width=(6, 3), blocks=2
    )


def hdn(rank: int, maps: int) -> tuple[Encoder, Decoder]:
    encoder = LadderEncoder(LadderEncoder.Options(blocks=2, **PLAIN), spatial_rank=rank, in_channels=1)
    return _with_ladder(encoder, maps, blocks=2, clip=None, naive_variance=True, normalise_latents=False)


def deterministic(rank: int, maps: int) -> tuple[Encoder, Decoder]:
    encoder = LadderEncoder(LadderEncoder.Options(**PLAIN), spatial_rank=rank, in_channels=1)
    options = DeterministicLadderDecoder.Options(latent_channels=LATENT, dropout=0.0)
    return encoder, DeterministicLadderDecoder(
        options, feature_shapes=encoder.feature_shapes, out_maps=maps, patch=(SIDE,) * rank
    )


def unet(rank: int, maps: int, *, align_corners: bool = False) -> tuple[Encoder, Decoder]:
    encoder = UNetEncoder(UNetEncoder.Options(pools=2, width=8), spatial_rank=rank, in_channels=1)
    options = UNetDecoder.Options(align_corners=align_corners)
    return encoder, UNetDecoder(
        options, feature_shapes=encoder.feature_shapes, out_maps=maps, patch=(SIDE,) * rank
    )


def _with_ladder(encoder: Encoder, maps: int, **options: Any) -> tuple[Encoder, Decoder]:
    given = LadderDecoder.Options(**{"latent_channels": LATENT, "dropout": 0.0, **options})
    patch = (SIDE,) * len(encoder.feature_shapes[-1].stride)
    return encoder, LadderDecoder(given, feature_shapes=encoder.feature_shapes, out_maps=maps, patch=patch)


WITH_PRIOR: Mapping[str, Callable[[int, int], tuple[Encoder, Decoder]]] = {
    "regular": lateral,
    "deep": partial(lateral, input_scales=2),
    "lean": partial(lateral, retain="features"),
    "not_retained": partial(lateral, retain="neither"),
    "shared_blocks": partial(lateral, blocks=2),
    "own_blocks": partial(lateral, blocks=2, own_context_blocks=True),
    "anisotropic": anisotropic,
    "anisotropic_lateral": anisotropic_lateral,
    "hdn": hdn,
    "projecting": projecting,
    "unequal_widths": unequal_widths,
}
WITHOUT_PRIOR: Mapping[str, Callable[[int, int], tuple[Encoder, Decoder]]] = {
    "deterministic": deterministic,
    "unet": unet,
    "unet_with_aligned_corners": partial(unet, align_corners=True),
}
_ALL = {**WITH_PRIOR, **WITHOUT_PRIOR}


def cases(names: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Every variant in two and three dimensions; what makes two of three, in three."""
    return [(name, rank) for name in names for rank in (2, 3) if (name, rank) != ("projecting", 2)]


ALL_CASES = cases(_ALL)


def variant(case: tuple[str, int], **options: Any) -> VSE:
    """The whole network."""
    name, rank = case
    return network(rank=rank, parts=_ALL[name], **options)


def image_size(vse: VSE, *sides: int) -> tuple[int, ...]:
    """As many of the sides, from the last, as its output has axes."""
    return sides[-len(vse.multiple) :]


def without_chance(decoder: LadderDecoder) -> dict[str, Tensor]:
    """The weights of a ladder that its means depend on, under the names of the deterministic ladder."""
    state: dict[str, Tensor] = {}
    for name, value in decoder.state_dict().items():
        if ".latent.posterior." in name:
            state[name.replace(".posterior.", ".mean.")] = value[: len(value) // 2]
        elif ".prior" not in name:
            state[name] = value
    return state
