"""The experiment as records: what a spec file says, before and after its components were looked up."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import attrs
from attrs.validators import deep_iterable, ge, gt, in_, le, lt, min_len, optional, or_

from denoisplit.core.images.degradation import Degradation as Degradation
from denoisplit.core.images.intensity_range import Background as Background
from denoisplit.core.images.intensity_range import Clip as Clip
from denoisplit.core.images.mixing import Mixing as Mixing
from denoisplit.core.images.normalisation import Normalisation as Normalisation
from denoisplit.core.images.splits import Split as Split
from denoisplit.core.network.calibration import RegionCalibrator
from denoisplit.core.registry.component import Component
from denoisplit.core.spec.chosen import BASE as BASE
from denoisplit.core.spec.chosen import BY_NAME as BY_NAME
from denoisplit.core.spec.chosen import KIND as KIND
from denoisplit.core.spec.chosen import Chosen as Chosen
from denoisplit.core.validators import QUIET, described_by, shares

SAID = "said"
"""Metadata key of what the JSON schema says of a field besides its type and validator."""

_NAMES: Final = {
    SAID: {
        "uniqueItems": True,
        "items": {"type": "string", "pattern": r"^[^\u0000-\u001F\u007F-\u009F]*$"},
    }
}
_SHARES: Final = {SAID: {"anyOf": [{"maxItems": 0}, {"contains": {"exclusiveMinimum": 0}}]}}

PLUGINS = "plugins"
"""Field of the plugin modules, which are imported before any component is looked up."""


@attrs.frozen(kw_only=True)
class DataSpec:
    """Which images serve for what.

    Attributes:
        train: fields to learn from (noisy targets).
        validation: fields for early stopping and calibration; None takes a fraction of ``train``.
        test: fields for ``evaluate``; None takes those that ``split`` sets aside, or else ``validation``.
        recorded: names of the channels that the data sets have, where the network denoises one of them or,
            with ``channels: [mixed]``, the mixed image; empty where they have the channels of the network.
        validation_fraction: part of the training fields to hold out when ``validation`` is not given.
        split: which of the training fields are held out.
        mixing: how the mixed image is made.
        degradation: synthetic noise on all images.
        background: what is subtracted from all images.
        clip: where intensities of all images are cut off.
        statistics: which pixels images are normalised by.
        noise_pairs: what noise models are fitted to: ``repeats`` of one field, ``clean`` references,
            ``bootstrap`` (a smoothed image stands for the signal), or ``auto`` (the first of these that the
            data has).
    """

    train: Chosen = attrs.field(metadata={KIND: "dataset"})
    validation: Chosen | None = attrs.field(default=None, metadata={KIND: "dataset"})
    test: Chosen | None = attrs.field(default=None, metadata={KIND: "dataset"})
    recorded: tuple[str, ...] = attrs.field(default=(), metadata=_NAMES)
    validation_fraction: float = attrs.field(default=0.1, validator=[gt(0), lt(1)])
    split: Split = attrs.field(factory=Split)
    mixing: Mixing = attrs.field(factory=Mixing)
    degradation: Degradation = attrs.field(factory=Degradation)
    background: Background = attrs.field(factory=Background)
    clip: Clip = attrs.field(factory=Clip)
    statistics: Normalisation = attrs.field(factory=Normalisation)
    noise_pairs: Literal["auto", "repeats", "clean", "bootstrap"] = attrs.field(
        default="auto", validator=in_(("auto", "repeats", "clean", "bootstrap"))
    )

    def __attrs_post_init__(self) -> None:
        if self.validation is not None and self.split.rule != "random":
            raise ValueError(
                f"split divides the training fields, but validation is named (got rule {self.split.rule}). "
                f"Remove one of them"
            )
        drawn = {"degradation.fresh": self.degradation.fresh, "mixing.alpha": bool(self.mixing.alpha)}
        if self.recorded and any(drawn.values()):
            key = next(key for key, asked in drawn.items() if asked)
            raise ValueError(
                f"recorded chooses an image before training, {key} makes new ones during it "
                f"(got recorded {', '.join(self.recorded)}). Remove one of them"
            )


@attrs.frozen(kw_only=True)
class ModelSpec:
    """The components of the network.

    Attributes:
        dimensions: spatial axes of an image, 2 or 3.
        encoder, decoder, noise_model, kl_scheme: one component each; ``noise_model`` may be one per channel.
    """

    encoder: Chosen = attrs.field(metadata={KIND: "encoder"})
    decoder: Chosen = attrs.field(metadata={KIND: "decoder"})
    noise_model: Chosen | tuple[Chosen, ...] = attrs.field(metadata={KIND: "noise_model"})
    kl_scheme: Chosen = attrs.field(metadata={KIND: "kl_scheme"})
    dimensions: int = attrs.field(default=2, validator=in_((2, 3)))


@described_by(or_(ge(2), deep_iterable(ge(1), min_len(1))))
def _sides(_instance: object, attribute: "attrs.Attribute[Any]", value: int | tuple[int, ...]) -> None:
    """Validator of ``patch``: a depth may be a single plane."""
    if isinstance(value, int):
        ge(2)(_instance, attribute, value)
    elif not value or min(value) < 1:
        raise ValueError(f"'{attribute.name}' must be 1 or more along every axis (got {list(value)})")


@attrs.frozen(kw_only=True)
class TrainingSpec:
    """How the network is trained.

    Attributes:
        steps: optimiser steps.
        batch: patches per step.
        accumulate: parts in which a step takes its batch, one after the other, for want of memory. The
            gradients are those of the whole batch; batch norms see the patches of a part.
        patch: side of a patch, pixels; several numbers are one per spatial axis (z) y x.
        learning_rate: the highest one; the schedule changes it.
        optimizer: what moves the weights: ``adamax`` (the reference), or another component.
        kl_warmup_start: step at which the KL weight begins to rise from 0.
        kl_warmup_steps: steps until it reaches its target; 0 for no warm-up.
        gradient_clip: bound of the gradient norm.
        channel_weights: relative weight of every channel in the distortion; empty for equal weights.
        validate_every: steps between two validations.
        checkpoint_every: steps between two checkpoints to resume from.
        schedule: of the learning rate: ``plateau`` (the reference; lowered when validation stalls) or
            ``cosine`` (falls to zero along half a wave until the last step; better for short trainings), or
            another component.
        keep: which weights the run gets: those of the ``best`` validation (the reference), the ``last``, or
            ``auto``: the last of a schedule that ends low, such as a cosine, or else the best.
        monitor: what a validation improves: ``loss`` (the distortion), or ``psnr`` of one posterior sample
            against the noisy targets. The plateau goes by it; where the best weights are kept, they and the
            early end do, too.
        plateau_patience: of ``schedule: plateau``, validations without improvement before the learning rate
            is halved; a schedule with ``use`` has options of its own.
        plateau_factor: of ``schedule: plateau``, factor of that reduction.
        stop_patience: validations without improvement before training stops early; not where the last weights
            are kept.
        precision: ``float32``, ``bf16``, ``tf32`` (of CUDA), or ``auto``, the fastest where that is known or
            can be measured.
        deterministic: operations give the same bits in every run, also on a GPU, or an error.
        compile: train with compiled blocks; slow to begin, faster from then on, the same up to rounding.
        augment: random flips and rotations by 90 degrees of a patch: the augmentation ``flips``.
        augmentations: further ones, one after the other.
        objectives: terms of the loss beside distortion and rate, each with its ``weight``.
        foreground: part of the patches that is centred on a pixel of a structure, every channel as often; for
            images that are mostly empty. The rest is drawn from everywhere.
        start_from: folder of a run whose weights the training starts from, as far as they fit; of other
            channels or another noise model, too. None draws them.
        freeze: parts of the network that stay as they are, such as ``encoder``.
        workers: processes that prepare patches; 0 prepares them in the training process.
        seed: every random draw of the run is a function of it.
        noise: how latent noise and dropout are drawn: ``box_muller``, for every patch by itself and on any
            device, or ``generator``, for a whole batch, as in early versions.
    """

    steps: int = attrs.field(default=40000, validator=ge(1))
    batch: int = attrs.field(default=32, validator=ge(1))
    accumulate: int = attrs.field(default=1, validator=ge(1), metadata={QUIET: True})
    patch: int | tuple[int, ...] = attrs.field(default=128, validator=_sides)
    learning_rate: float = attrs.field(default=1e-3, validator=gt(0))
    optimizer: Literal["adamax"] | Chosen = attrs.field(
        default="adamax", metadata={KIND: "optimizer", QUIET: True}
    )
    kl_warmup_start: int = attrs.field(default=0, validator=ge(0))
    kl_warmup_steps: int = attrs.field(default=0, validator=ge(0))
    gradient_clip: float = attrs.field(default=0.5, validator=gt(0))
    channel_weights: tuple[float, ...] = attrs.field(default=(), validator=shares, metadata=_SHARES)
    validate_every: int = attrs.field(default=100, validator=ge(1))
    checkpoint_every: int = attrs.field(default=200, validator=ge(1))
    schedule: Literal["plateau", "cosine"] | Chosen = attrs.field(
        default="plateau", metadata={KIND: "schedule"}
    )
    keep: Literal["auto", "best", "last"] = attrs.field(
        default="auto", validator=in_(("auto", "best", "last"))
    )
    monitor: Literal["loss", "psnr"] = attrs.field(default="loss", validator=in_(("loss", "psnr")))
    plateau_patience: int = attrs.field(default=30, validator=ge(0))
    plateau_factor: float = attrs.field(default=0.5, validator=[gt(0), lt(1)])
    stop_patience: int = attrs.field(default=200, validator=ge(1))
    precision: Literal["auto", "float32", "tf32", "bf16"] = attrs.field(
        default="auto", validator=in_(("auto", "float32", "tf32", "bf16"))
    )
    deterministic: bool = attrs.field(default=False, metadata={QUIET: True})
    compile: bool = False
    augment: bool = False
    augmentations: tuple[Chosen, ...] = attrs.field(default=(), metadata={KIND: "augmentation", QUIET: True})
    objectives: tuple[Chosen, ...] = attrs.field(default=(), metadata={KIND: "objective", QUIET: True})
    foreground: float = attrs.field(default=0.0, validator=[ge(0), le(1)])
    start_from: Path | None = attrs.field(default=None, metadata={QUIET: True})
    freeze: tuple[str, ...] = attrs.field(default=(), metadata={QUIET: True})
    workers: int = attrs.field(default=0, validator=ge(0))
    seed: int = attrs.field(default=0, validator=[ge(0), lt(2**63)])
    noise: Literal["box_muller", "generator"] = attrs.field(
        default="box_muller", validator=in_(("box_muller", "generator"))
    )

    @property
    def keeps_last(self) -> bool:
        """Whether the run gets the last weights."""
        if self.keep != "auto" or not isinstance(self.schedule, Chosen):
            return self.keep == "last" or (self.keep == "auto" and self.schedule == "cosine")
        return bool(self.schedule.build().ends_low)


@attrs.frozen(kw_only=True)
class PredictionSpec:
    """Defaults of prediction.

    Attributes:
        samples: posterior samples per image.
        seed: of the latent noise field.
        noise: how its numbers are made: ``box_muller``, on any device, or ``ziggurat``, as in early versions.
        tile: side of the area that one pass predicts, pixels; 0 chooses from the image and the memory.
    """

    samples: int = attrs.field(default=50, validator=ge(1))
    seed: int = attrs.field(default=0, validator=[ge(0), lt(2**63)])
    noise: Literal["box_muller", "ziggurat"] = attrs.field(
        default="box_muller", validator=in_(("box_muller", "ziggurat"))
    )
    tile: int = attrs.field(default=0, validator=ge(0))


def _of_regions(_instance: object, attribute: "attrs.Attribute[Any]", value: Chosen) -> None:
    """Validator of ``region_calibrator``: most calibrators know pixels alone."""
    if not issubclass(value.component.load(), RegionCalibrator):
        raise ValueError(
            f"'{attribute.name}' must be a calibrator of sums over regions (got {value.component.name}, "
            f"which calibrates pixels). Use region."
        )


@described_by(in_((1,)))
def _version(_instance: object, attribute: "attrs.Attribute[Any]", value: int) -> None:
    """Validator of ``spec_version``."""
    if value != 1:
        raise ValueError(
            f"'{attribute.name}' must be 1, the only version that this denoisplit reads (got {value}). "
            f"Write 1, or update denoisplit if the spec is of a newer one."
        )


@attrs.frozen(kw_only=True)
class ResolvedSpec:
    """A complete experiment: every component found, every option checked, every default filled in.

    Attributes:
        spec_version: version of the spec format.
        channels: names of the target channels, at least one.
        data, model, calibrator, training, prediction: the parts.
        region_calibrator: of sums over regions; None for no intervals of sums.
        metrics: scores of ``evaluate`` beside the usual.
        plugins: modules that register components when they are imported, by name or path of a ``.py`` file.
    """

    channels: tuple[str, ...] = attrs.field(validator=min_len(1), metadata=_NAMES)
    data: DataSpec
    model: ModelSpec
    calibrator: Chosen = attrs.field(metadata={KIND: "calibrator"})
    region_calibrator: Chosen | None = attrs.field(
        default=None,
        metadata={KIND: "calibrator", BASE: RegionCalibrator},
        validator=optional(_of_regions),
    )
    training: TrainingSpec = attrs.field(factory=TrainingSpec)
    prediction: PredictionSpec = attrs.field(factory=PredictionSpec)
    metrics: tuple[Chosen, ...] = attrs.field(default=(), metadata={KIND: "metric", QUIET: True})
    plugins: tuple[str, ...] = attrs.field(default=(), metadata={QUIET: True})
    spec_version: int = attrs.field(default=1, validator=_version)


Plain = Mapping[str, Any]
"""A spec as plain numbers, strings, lists and mappings."""


def components(spec: ResolvedSpec) -> tuple[Component, ...]:
    """Every component that the spec uses, once, in the order of the spec."""
    return tuple(dict.fromkeys(_components(spec)))


def _components(value: Any) -> Iterator[Component]:
    if isinstance(value, Chosen):
        yield value.component
    elif isinstance(value, tuple):
        for item in value:
            yield from _components(item)
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _components(getattr(value, field.name))
