"""Mutants of encoders and decoders."""

from typing import Any

import attrs
import torch
from torch import Tensor

from denoisplit.core.network.interfaces import Decoded, Features, FeatureShape
from denoisplit.core.network.latent import Level
from tests.testing.mutants import Mutant, after, around, read_as, replaced

DECLARED = "features_have_the_declared_shapes"
SHIFT = "features_shift_with_the_image"
GRADIENT = "every_parameter_gets_a_gradient"
SEEN = "every_level_sees_every_scale_and_plane"
SAME = "the_same_image_gives_the_same_features"
ALONE = "images_of_a_batch_do_not_mix"
STRIDES = "strides_grow_from_the_finest_level"
OUTPUT = "prediction_gives_the_output_of_training"
MATTERS = "every_level_of_features_and_of_noise_matters"
SAMPLE = "a_sample_is_the_posterior_mean_plus_std_times_noise"
PRIOR = "a_prior_does_not_see_the_features_of_its_level"
REPEATABLE = "the_same_noise_gives_the_same_output"
BORDERS = "borders_are_far_from_each_other"
GENERATES = "the_prior_generates_images_of_any_size"


def strides_doubled(shapes: tuple[FeatureShape, ...]) -> tuple[FeatureShape, ...]:
    return tuple(attrs.evolve(shape, stride=tuple(2 * s for s in shape.stride)) for shape in shapes)


def brighter_to_the_right(features: Features) -> Features:
    return tuple(f * torch.linspace(1, 2, f.shape[-1], dtype=f.dtype) for f in features)


def every_other_sign(features: Features) -> Features:
    signs = [1 - 2 * (torch.arange(len(f)) % 2).view(-1, *(1,) * (f.ndim - 1)) for f in features]
    return tuple(f * sign for f, sign in zip(features, signs, strict=True))


def with_chance(features: Features) -> Features:
    return tuple(f + 1e-6 * torch.randn_like(f) for f in features)


def without_the_mean(maps: Tensor) -> Tensor:
    return maps - maps.mean(tuple(range(2, maps.ndim)), keepdim=True)


def output_times(factor: float) -> Any:
    return after(lambda decoded: attrs.evolve(decoded, output=factor * decoded.output))


def of_one_encoder(name: str, module: str, cls: str) -> tuple[Mutant, ...]:
    """Changes that fit every encoder."""
    target, forward = f"encoders.{module}:{cls}.feature_shapes", f"encoders.{module}:{cls}.forward"
    return (
        Mutant(f"encoder/{name}", "order of levels", forward, after(lambda f: f[::-1]), DECLARED),
        Mutant(f"encoder/{name}", "order of levels", target, read_as(lambda s: s[::-1]), STRIDES),
        Mutant(f"encoder/{name}", "dropped level", forward, after(lambda f: f[:-1]), DECLARED),
        Mutant(f"encoder/{name}", "scale by place", forward, after(brighter_to_the_right), SHIFT),
        Mutant(f"encoder/{name}", "sign by image", forward, after(every_other_sign), ALONE),
        Mutant(f"encoder/{name}", "chance", forward, after(with_chance), SAME),
    )


def own_prior(old: Any, *args: Any) -> tuple[Tensor, Level]:
    state, level = old(*args)
    return state, attrs.evolve(level, prior=level.posterior)


def levels_reversed(decoded: Decoded) -> Decoded:
    return attrs.evolve(decoded, levels=decoded.levels[::-1])


def one_for_all(generated: Tensor) -> Tensor:
    return generated[:1].expand_as(generated)


LATENT = "decoders.ladder_level:Latent.draw"
INNER = "decoders.ladder_level:InnerLevel.forward"
LADDER = "decoders.ladder:LadderDecoder"
MEANS = "decoders.deterministic_ladder:DeterministicLadderDecoder"
UNET = "decoders.unet:UNetDecoder"
PARTIAL = "decoders.partial_ladder:PartialLadderDecoder"
MERGE = "blocks:Merge.forward"

ENCODER_MUTANTS = (
    *of_one_encoder("ladder", "ladder", "LadderEncoder"),
    Mutant(
        "encoder/ladder",
        "scale of strides",
        "encoders.ladder:LadderEncoder.feature_shapes",
        read_as(strides_doubled),
        DECLARED,
    ),
    Mutant(
        "encoder/ladder",
        "dropped residual",
        "blocks:ResidualBlock.forward",
        replaced(lambda self, x: x),
        GRADIENT,
    ),
    *of_one_encoder("ladder_3d_to_2d", "ladder_3d_to_2d", "LadderEncoder3dTo2d"),
    Mutant(
        "encoder/ladder_3d_to_2d",
        "dropped planes",
        "encoders.ladder_3d_to_2d:LadderEncoder3dTo2d.forward",
        around(lambda old, self, mixed: old(self, mixed[:, :, :1])),
        SEEN,
    ),
    *of_one_encoder("lateral_context", "lateral_context", "LateralContextEncoder"),
    Mutant(
        "encoder/lateral_context",
        "scale of strides",
        "encoders.lateral_context:LateralContextEncoder.feature_shapes",
        read_as(strides_doubled),
        SHIFT,
    ),
    Mutant(
        "encoder/lateral_context", "dropped surround", MERGE, replaced(lambda self, x, context: x), GRADIENT
    ),
    Mutant(
        "encoder/lateral_context",
        "sign of x in the surround",
        "encoders.lateral_context:LateralContextEncoder._scales",
        after(lambda scales: (scales[0], *(s.flip(-1) for s in scales[1:]))),
        SHIFT,
    ),
    *of_one_encoder("unet", "unet", "UNetEncoder"),
    Mutant(
        "encoder/unet",
        "dropped convolution",
        "unet_blocks:DoubleConv.forward",
        replaced(lambda self, x: self.layers[:3](x)),
        GRADIENT,
    ),
)

DECODER_MUTANTS = (
    Mutant(
        "decoder/ladder",
        "sign of the noise",
        LATENT,
        replaced(lambda self, q, noise: q.mean - q.stddev * noise.normal(self.options.index, q.mean)),
        SAMPLE,
    ),
    Mutant(
        "decoder/ladder",
        "scale of the noise",
        LATENT,
        replaced(lambda self, q, noise: q.mean + 2 * q.stddev * noise.normal(self.options.index, q.mean)),
        SAMPLE,
    ),
    Mutant("decoder/ladder", "dropped noise", LATENT, replaced(lambda self, q, noise: q.mean), MATTERS),
    Mutant("decoder/ladder", "prior of its own features", INNER, around(own_prior), PRIOR),
    Mutant("decoder/ladder", "order of levels", f"{LADDER}.forward", after(levels_reversed), SAMPLE),
    Mutant("decoder/ladder", "scale of a prediction", f"{LADDER}.sample", after(lambda x: 2 * x), OUTPUT),
    Mutant("decoder/ladder", "one image for all", f"{LADDER}.generate", after(one_for_all), GENERATES),
    Mutant(
        "decoder/ladder", "dropped features", MERGE, replaced(lambda self, first, second: second), MATTERS
    ),
    Mutant("decoder/ladder", "mean of the image", MERGE, after(without_the_mean), BORDERS),
    Mutant("decoder/deterministic_ladder", "sign", f"{MEANS}.sample", after(lambda x: -x), OUTPUT),
    Mutant("decoder/deterministic_ladder", "scale", f"{MEANS}.sample", after(lambda x: 2 * x), OUTPUT),
    Mutant(
        "decoder/deterministic_ladder",
        "dropped features",
        MERGE,
        replaced(lambda self, first, second: second),
        MATTERS,
    ),
    Mutant(
        "decoder/deterministic_ladder",
        "chance",
        "decoders.mean_level:Code.forward",
        after(lambda x: x + 1e-6 * torch.randn_like(x)),
        REPEATABLE,
    ),
    Mutant("decoder/partial_ladder", "sign", f"{PARTIAL}.forward", output_times(-1.0), OUTPUT),
    Mutant("decoder/partial_ladder", "scale", f"{PARTIAL}.sample", after(lambda x: 2 * x), OUTPUT),
    Mutant("decoder/partial_ladder", "sign of a sample", f"{PARTIAL}.sample", after(lambda x: -x), OUTPUT),
    Mutant("decoder/unet", "sign", f"{UNET}.forward", output_times(-1.0), OUTPUT),
    Mutant("decoder/unet", "mean of the image", "decoders.unet:Up.forward", after(without_the_mean), BORDERS),
    Mutant("decoder/unet", "scale", f"{UNET}.forward", output_times(1.01), OUTPUT),
    Mutant(
        "decoder/unet",
        "dropped skip",
        "decoders.unet:Up.forward",
        around(lambda old, self, skip, below: old(self, 0 * skip, below)),
        MATTERS,
    ),
)
