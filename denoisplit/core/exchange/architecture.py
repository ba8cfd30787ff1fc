"""Encoder, decoder and patch of a spec, from the weights and the config of another program.

Facts in the weights need no config; facts in both must agree; everything else must be in the config.

Source: method sections 1 and 12.
"""

from typing import Any

import attrs

from denoisplit.core.errors import CheckpointError
from denoisplit.core.exchange.config import ForeignConfig
from denoisplit.core.exchange.weights import Shapes

HALVING = 2
DROPOUT = 0.1
CLIP = 20
"""Upper bound of log-variances in CAREamics, which has no setting for it."""


@attrs.frozen(kw_only=True)
class Architecture:
    """Encoder and decoder as in a spec.

    Attributes:
        encoder: component and options.
        decoder: component and options.
        dimensions: number of spatial axes of an image.
        patch: sides of a training patch, one per spatial axis, or one for all.
    """

    encoder: dict[str, Any]
    decoder: dict[str, Any]
    dimensions: int
    patch: int | list[int]


def describe(shapes: Shapes, config: ForeignConfig) -> Architecture:
    """Derive encoder, decoder and patch.

    Raises:
        CheckpointError: the config contradicts the weights, or lacks facts that the weights do not tell.
    """
    for setting, fact in (
        ("latent_channels", shapes.latent_channels),
        ("encoder_width", (shapes.encoder_width,)),
        ("decoder_width", (shapes.decoder_width,)),
        ("encoder_blocks", (shapes.encoder_blocks,)),
        ("decoder_blocks", (shapes.decoder_blocks,)),
        ("scales", (shapes.scales,)),
    ):
        _agree(config, setting, fact)
    if shapes.encoder_width != shapes.decoder_width:
        raise CheckpointError(
            f"{config.key('decoder_width')}: encoder and decoder need the same number of filters (got "
            f"{shapes.encoder_width} and {shapes.decoder_width}). Such a network cannot be imported."
        )
    if "own_context_blocks" in config and shapes.scales > 1 and shapes.encoder_blocks > 1:
        own = config.flag("own_context_blocks", False)
        if shapes.own_context_blocks and not own:
            raise _contradiction(config, "own_context_blocks", own, True)
    geometry = _Geometry.find(shapes, config)
    return Architecture(
        encoder=_encoder(shapes, config, geometry),
        decoder=_decoder(shapes, config),
        dimensions=shapes.rank,
        patch=geometry.patch[0] if len(set(geometry.patch)) == 1 else list(geometry.patch),
    )


@attrs.frozen
class _Geometry:
    """Patch and strides per level [(z) y x]; ``retained`` says whether latents cover the surround."""

    patch: tuple[int, ...]
    strides: tuple[int, ...]
    retained: bool

    @classmethod
    def find(cls, shapes: Shapes, config: ForeignConfig) -> "_Geometry":
        """Find the geometry that fits the shape of the coarsest latent, which is in the weights."""
        given = _patch(shapes, config)
        axes = len(shapes.top_prior)
        choices = _retention(shapes, config, decided=given is None)
        for retained in choices:
            powers = shapes.levels - (shapes.scales - 1 if retained else 0)
            strides = _strides(shapes, config, given, powers)
            fitting = tuple(n * s**powers for n, s in zip(shapes.top_prior, strides[-axes:], strict=True))
            if given is None:
                patch = (*fitting[:1] * (shapes.rank - axes), *fitting)
                return cls(patch, strides, retained)
            # The reference pads images to the next multiple of the coarsest stride.
            totals = tuple(s**powers for s in strides[-axes:])
            padded = tuple(-(-n // t) * t for n, t in zip(given[-axes:], totals, strict=True))
            if padded == fitting:
                return cls((*given[:-axes], *fitting), strides, retained)
        raise CheckpointError(
            f"{config.name}: {config.key('patch')} contradicts the weights (got {_show(given or ())}, but "
            f"top_down_layers.{shapes.levels - 1}.top_prior_params has {_show(shapes.top_prior)} positions, "
            f"which belongs to {_show(fitting)}). Give the config that this network was trained with."
        )


def _patch(shapes: Shapes, config: ForeignConfig) -> tuple[int, ...] | None:
    given = config.integers("patch")
    if given is None:
        return None
    if len(given) == 1:
        return given * shapes.rank
    if len(given) != shapes.rank:
        raise _contradiction(config, "patch", list(given), f"{shapes.rank} sides")
    return given


def _retention(shapes: Shapes, config: ForeignConfig, *, decided: bool) -> tuple[bool, ...]:
    """Whether latents cover the surround: all possible answers, likeliest first; one if ``decided``."""
    if shapes.scales == 1 or not _encoder_retains(config):
        return (False,)
    if not shapes.old_output:
        # denoiSplit and CAREamics do not read the decoder's key.
        return (True,)
    if "retain_decoder" in config:
        return (config.flag("retain_decoder", True),)
    if decided:
        config.need("retain_decoder", True, "whether latents cover the surround of a patch")
    return (True, False)


def _encoder_retains(config: ForeignConfig) -> bool:
    config.need("retain_encoder", True, "whether features cover the surround of a patch")
    return config.flag("retain_encoder", True)


def _strides(
    shapes: Shapes, config: ForeignConfig, patch: tuple[int, ...] | None, powers: int
) -> tuple[int, ...]:
    given = config.integers("strides")
    if given is not None:
        if len(given) != shapes.rank:
            raise _contradiction(config, "strides", list(given), f"{shapes.rank} numbers")
        return given
    if shapes.projects:
        return (1, *(HALVING,) * len(shapes.top_prior))
    if shapes.rank == HALVING:
        return (HALVING,) * shapes.rank
    if patch is not None and powers:
        totals = [side // n for side, n in zip(patch, shapes.top_prior, strict=True)]
        roots = tuple(round(total ** (1 / powers)) for total in totals)
        if all(root >= 1 and root**powers == total for root, total in zip(roots, totals, strict=True)):
            return roots
    config.need("strides", (HALVING,) * shapes.rank, "how far the levels stride along every axis")
    return (HALVING,) * shapes.rank


def _encoder(shapes: Shapes, config: ForeignConfig, geometry: _Geometry) -> dict[str, Any]:
    options: dict[str, Any] = {
        "levels": shapes.levels,
        "width": shapes.encoder_width,
        "blocks": shapes.encoder_blocks,
        "dropout": config.number("encoder_dropout", DROPOUT),
    }
    usual = (HALVING,) * shapes.rank
    if shapes.projects:
        if geometry.strides != (1, *usual[1:]):
            raise _contradiction(config, "strides", list(geometry.strides), [1, *usual[1:]])
        return {"use": "ladder_3d_to_2d", **options}
    if geometry.strides != usual:
        options["strides"] = [list(geometry.strides)] * shapes.levels
    if shapes.scales == 1:
        return {"use": "ladder", **options}
    kept = "latents" if geometry.retained else "features"
    return {
        "use": "lateral_context",
        **options,
        "input_scales": shapes.scales,
        "retain": kept if _encoder_retains(config) else "neither",
        "own_context_blocks": shapes.own_context_blocks,
    }


def _decoder(shapes: Shapes, config: ForeignConfig) -> dict[str, Any]:
    config.need("clip", CLIP, "the upper bound of log-variances")
    return {
        "use": "ladder",
        "latent_channels": list(shapes.latent_channels),
        "blocks": shapes.decoder_blocks,
        "dropout": config.number("decoder_dropout", DROPOUT),
        "clip": config.number("clip", CLIP),
        "naive_variance": config.flag("naive_variance", False),
        "normalise_latents": config.flag("normalise_latents", True),
    }


def _agree(config: ForeignConfig, setting: str, fact: tuple[int, ...]) -> None:
    given = config.integers(setting)
    # Some configs contain null if there is one scale only.
    if given is not None and given != fact:
        got, expected = (value[0] if len(value) == 1 else list(value) for value in (given, fact))
        raise _contradiction(config, setting, got, expected)


def _contradiction(config: ForeignConfig, setting: str, got: object, fact: object) -> CheckpointError:
    return CheckpointError(
        f"{config.name}: {config.key(setting)} contradicts the weights (got {got}, the weights have {fact}). "
        f"Give the config that this network was trained with."
    )


def _show(values: tuple[int, ...]) -> str:
    return " x ".join(map(str, values))
