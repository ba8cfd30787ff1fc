"""Trial of a spec without images: its components are composed, and run once.

The network is first composed without memory, on the meta device; then a small patch passes through it once.
Placeholder statistics replace those of images.
"""

import math
from typing import Final

import torch
from torch import Tensor

from denoisplit.core.computer_memory import total_memory
from denoisplit.core.errors import BrokenPluginError, SpecError
from denoisplit.core.network.alike import require_alike
from denoisplit.core.network.camera_noise import waits_for_maps
from denoisplit.core.network.composer import compose, least_sides, patch_sides
from denoisplit.core.network.freezing import freeze
from denoisplit.core.network.interfaces import Decoded, Features, IntensityStats
from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.placing import decode
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry.blame import blaming, broken
from denoisplit.core.registry.component import Component
from denoisplit.core.spec.records import ModelSpec, ResolvedSpec

MEAN: Final = 100.0
"""Mean, in counts, of the placeholder images."""

STD: Final = 10.0

SIDE: Final = 16
"""Side of the smallest trial patch, pixels, unless the network needs a larger one."""


def require_workable(spec: ResolvedSpec) -> VSE:
    """Compose the network of a spec and pass one patch of noise through it.

    Draws nothing from the global generators.

    Returns:
        The network, with random weights.

    Raises:
        SpecError: its components do not fit each other, or it does not fit into memory.
        PluginError: a component does not do what its kind requires.
    """
    with torch.random.fork_rng(devices=()):
        _require_memory(spec)
        vse = _composed(spec)
        require_alike(vse, spec.prediction.orientations)
        whole = patch_sides(spec.training.patch, spec.model.dimensions)
        small = small_sides(vse, whole)
        try:
            _try(vse, spec, small)
        except BrokenPluginError:
            if small == whole:
                raise
            _try(vse, spec, whole)  # a component may support only its training patches
        freeze(vse, spec.training.freeze)
    return vse


def small_sides(vse: VSE, patch: tuple[int, ...]) -> tuple[int, ...]:
    """The smallest informative patch [(z) y x], pixels; no larger than that of the training."""
    multiple, least = vse.multiple, least_sides(vse.encoder.feature_shapes)
    axes = len(multiple)
    small = (max(low, math.ceil(SIDE / m) * m) for m, low in zip(multiple, least, strict=True))
    # Axes that the features lack, such as a projected z, do not concern them.
    return (*patch[:-axes], *(min(n, s) for n, s in zip(patch[-axes:], small, strict=True)))


def stand_in_statistics(channels: int) -> IntensityStats:
    """Statistics of placeholder images."""
    return IntensityStats(
        mixed_mean=MEAN, mixed_std=STD, target_mean=(MEAN,) * channels, target_std=(STD,) * channels
    )


def _composed(spec: ResolvedSpec) -> VSE:
    stand_in = stand_in_statistics(len(spec.channels))
    with blaming(_parts(spec.model), "cannot be built"):
        return compose(spec.model, stand_in, channels=spec.channels, patch=spec.training.patch)


def _require_memory(spec: ResolvedSpec) -> None:
    """Refuse a network whose weights alone exceed the memory, before it allocates any."""
    try:
        with torch.device("meta"):
            vse = _composed(spec)
    except BrokenPluginError:
        return  # a component that reads numbers while it is built; the real network reports errors
    needed = sum(weight.numel() * weight.element_size() for weight in vse.parameters())
    memory = total_memory()
    if memory is not None and needed > memory:
        raise SpecError(
            f"$.model: the network does not fit into memory (got {needed / 2**30:.3g} GiB of weights for "
            f"{memory / 2**30:.3g} GiB of memory). Lower the options of encoder and decoder."
        )


def _try(vse: VSE, spec: ResolvedSpec, sides: tuple[int, ...]) -> None:
    """Pass one patch of noise through every component, as in training, and check the results."""
    model, parts = spec.model, _parts(spec.model)
    generator = torch.Generator().manual_seed(0)
    mixed = MEAN + STD * torch.randn(1, 1 + vse.context, *sides, generator=generator)
    vse.eval()
    with torch.no_grad():
        with blaming((model.encoder.component, *parts), f"fails at a patch of {list(sides)} pixels"):
            features = vse.encode(mixed)
        _look_at_features(features, vse, model.encoder.component, sides)
        read = f"the features of {model.encoder.component.name} of {list(sides)} pixels"
        with blaming((model.decoder.component, *parts), f"does not decode {read}"):
            decoded = decode(vse.decoder, features, GeneratorNoise(generator))
        plane = sides[-len(vse.stride) :]
        _look_at_output(decoded, vse, model.decoder.component, plane)
        signal = vse.signal(decoded.output.float())
        extra = decoded.output[:, vse.channels :].float() if vse.noise_model.extra_maps else None
        if decoded.levels:
            with blaming((model.kl_scheme.component,), "makes no rate of the levels of the decoder"):
                rate = vse.kl_scheme(decoded.levels, image_pixels=math.prod(plane), channels=vse.channels)
                total, per_level = rate.total, rate.per_level
            _require_shape(model.kl_scheme.component, "the total of the rate", total, ())
            levels = (len(decoded.levels),)
            _require_shape(model.kl_scheme.component, "per_level of the rate", per_level, levels)
        # Only training images of a camera are checked, as no other pixels have maps.
        if not vse.noise_model.needs_fit and not waits_for_maps(vse.noise_model):
            noise_models = [row for row in parts if row.kind == "noise_model"]
            with blaming(noise_models, f"gives no likelihood of {vse.channels} channels"):
                found = vse.noise_model.log_prob(signal, signal, extra)
                own = vse.noise_model.signal_variance(signal, extra)
            _require_shape(noise_models[0], "log_prob", found, tuple(signal.shape))
            if own is not None:
                require_variance(noise_models[0], own, tuple(signal.shape))


def require_variance(row: Component, found: Tensor, expected: tuple[int, ...]) -> None:
    """Refuse a variance of the signal that is none.

    Args:
        row: the noise model.
        found: what its ``signal_variance`` gave.
        expected: shape of the signal.

    Raises:
        BrokenPluginError: another shape, or a number that is negative or not finite.
    """
    _require_shape(row, "signal_variance", found, expected)
    wrong = found[~((found >= 0) & torch.isfinite(found))]
    if len(wrong):
        got = f"got {float(wrong[0]):.4g}"
        raise broken(row, f"signal_variance must be 0 or more, and finite, in every pixel ({got})")


def _look_at_features(features: Features, vse: VSE, row: Component, sides: tuple[int, ...]) -> None:
    plane = sides[-len(vse.stride) :]
    shapes = vse.encoder.feature_shapes
    if len(features) != len(shapes):
        raise BrokenPluginError(
            f"{row.kind} {row.qualified}: forward gives other features than feature_shapes says "
            f"(got {len(features)} for {len(shapes)} levels). Fix it ({row.target_text})."
        )
    for level, (feature, shape) in enumerate(zip(features, shapes, strict=True)):
        _require_shape(row, f"features of level {level}", feature, (1, shape.channels, *shape.size(plane)))


def _look_at_output(decoded: Decoded, vse: VSE, row: Component, plane: tuple[int, ...]) -> None:
    maps = vse.channels * (1 + vse.noise_model.extra_maps)
    _require_shape(row, "output", decoded.output, (1, maps, *plane))


def _require_shape(row: Component, what: str, found: object, expected: tuple[int, ...]) -> None:
    got = list(found.shape) if isinstance(found, Tensor) else f"a {type(found).__name__}, no tensor"
    if got != list(expected):
        raise broken(row, f"{what} must have the shape {list(expected)} (got {got})")


def _parts(model: ModelSpec) -> tuple[Component, ...]:
    """Components of the network, encoder first."""
    noise = model.noise_model if isinstance(model.noise_model, tuple) else (model.noise_model,)
    chosen = (model.encoder, model.decoder, *noise, model.kl_scheme)
    return tuple(dict.fromkeys(one.component for one in chosen))
