"""Settings of a training, as in a spec."""

from pathlib import Path
from typing import Any, Final, Literal

import attrs
from attrs.validators import deep_iterable, ge, gt, in_, le, lt, min_len, or_

from denoisplit.core.spec.chosen import KIND, SAID, Chosen
from denoisplit.core.validators import QUIET, described_by, shares

MODEL: Final = "model:"
"""What precedes the name of a model that comes with denoisplit, in place of the folder of a run."""

_MOST: Final = 10**9
"""Largest number of steps, which would take years."""

_SHARES: Final = {SAID: {"anyOf": [{"maxItems": 0}, {"contains": {"exclusiveMinimum": 0}}]}}


@described_by(or_(ge(2), deep_iterable(ge(1), min_len(1))))
def _sides(_instance: object, attribute: "attrs.Attribute[Any]", value: int | tuple[int, ...]) -> None:
    """Validator of ``patch``: a depth may be a single plane."""
    if isinstance(value, int):
        ge(2)(_instance, attribute, value)
    elif not value or min(value) < 1:
        raise ValueError(f"'{attribute.name}' must be 1 or more along every axis (got {list(value)})")


def _start(given: Path | None) -> Path | None:
    """Converter of ``start_from``: the name of a model is no path in the folder of the spec."""
    return Path(given.name) if given is not None and given.name.startswith(MODEL) else given


@attrs.frozen(kw_only=True)
class TrainingSpec:
    """Settings of a training.

    Attributes:
        steps: optimiser steps.
        batch: patches per step.
        accumulate: number of parts of a step's batch, to save memory; batch norms see one part.
        patch: side of a patch, pixels; several numbers are one per spatial axis (z) y x.
        learning_rate: highest learning rate; the schedule changes it.
        optimizer: optimiser: ``adamax`` (the reference), or another component.
        kl_warmup_start: step at which the KL weight begins to rise from 0.
        kl_warmup_steps: steps until it reaches its target; 0 for no warm-up.
        gradient_clip: bound of the gradient norm.
        channel_weights: relative weight of every channel in the distortion; empty for equal weights.
        likelihood_every: likelihood of every n-th row and column in a step, which change from step to step.
        validate_every: steps between two validations.
        checkpoint_every: steps between two checkpoints to resume from.
        schedule: schedule of the learning rate: ``plateau`` (the reference; lowered when validation stalls)
            or ``cosine`` (falls to zero along half a wave until the last step; better for short trainings),
            or another component.
        keep: weights that the run gets: those of the ``best`` validation (the reference), the ``last``, or
            ``auto``: the last of averaged weights or of a schedule that ends low, such as a cosine, or else
            the best.
        average: decay of an exponential moving average of the weights, such as 0.999; the average is what is
            validated and kept. 0 for none.
        monitor: measure of improvement: ``loss`` (the distortion), or ``psnr`` of one posterior sample
            against the noisy targets. It controls the plateau and, if the best weights are kept, their choice
            and early stopping.
        plateau_patience: validations without improvement before ``schedule: plateau`` halves the learning
            rate; a schedule with ``use`` has its own options.
        plateau_factor: factor of that reduction.
        stop_patience: validations without improvement before training stops early; unused if the last weights
            are kept.
        precision: ``float32``, ``bf16``, ``tf32`` (CUDA only), or ``auto``, the fastest if known or
            measurable.
        deterministic: operations give the same bits in every run, also on a GPU, or raise an error.
        compile: train with compiled blocks; slow to start, faster afterwards, the same up to rounding.
        augment: random flips and rotations of patches by 90 degrees: the augmentation ``flips``.
        augmentations: further augmentations, applied one after the other.
        objectives: terms of the loss besides distortion and rate, each with its ``weight``.
        loggers: records of the training besides ``metrics.csv``.
        foreground: fraction of the patches that are centred on a pixel of a structure, each channel equally
            often; for images that are mostly empty. The other patches are drawn from everywhere.
        start_from: folder of a run from whose weights the training starts, as far as they fit; it may have
            other channels or another noise model. ``model:NAME`` is a model that comes with denoisplit. None
            draws the weights at random.
        freeze: parts of the network that stay fixed, such as ``encoder``.
        workers: processes that prepare patches; 0 prepares them in the training process.
        device: device of the training: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``auto`` takes a GPU if there
            is one.
        devices: number of devices per host that train together, each on a part of a batch.
        nodes: number of hosts that train together; the same command is given on each.
        seed: seed of every random draw of the run.
        noise: latent noise and dropout: ``box_muller``, separate for every patch and possible on any device,
            or ``generator``, for a whole batch, as in early versions.
    """

    steps: int = attrs.field(default=40000, validator=[ge(1), le(_MOST)])
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
    likelihood_every: int = attrs.field(default=1, validator=[ge(1), le(4)], metadata={QUIET: True})
    validate_every: int = attrs.field(default=100, validator=ge(1))
    checkpoint_every: int = attrs.field(default=200, validator=ge(1))
    schedule: Literal["plateau", "cosine"] | Chosen = attrs.field(
        default="plateau", metadata={KIND: "schedule"}
    )
    keep: Literal["auto", "best", "last"] = attrs.field(
        default="auto", validator=in_(("auto", "best", "last"))
    )
    average: float = attrs.field(default=0.0, validator=[ge(0), lt(1)], metadata={QUIET: True})
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
    loggers: tuple[Chosen, ...] = attrs.field(default=(), metadata={KIND: "logger", QUIET: True})
    foreground: float = attrs.field(default=0.0, validator=[ge(0), le(1)])
    start_from: Path | None = attrs.field(default=None, converter=_start, metadata={QUIET: True})
    freeze: tuple[str, ...] = attrs.field(default=(), metadata={QUIET: True})
    workers: int = attrs.field(default=0, validator=ge(0))
    device: str = attrs.field(default="auto", metadata={QUIET: True})
    devices: int = attrs.field(default=1, validator=ge(1), metadata={QUIET: True})
    nodes: int = attrs.field(default=1, validator=ge(1), metadata={QUIET: True})
    seed: int = attrs.field(default=0, validator=[ge(0), lt(2**63)])
    noise: Literal["box_muller", "generator"] = attrs.field(
        default="box_muller", validator=in_(("box_muller", "generator"))
    )

    @property
    def keeps_last(self) -> bool:
        """Whether the run gets the last weights."""
        if self.keep != "auto":
            return self.keep == "last"
        if self.average or not isinstance(self.schedule, Chosen):
            return self.average > 0 or self.schedule == "cosine"
        return bool(self.schedule.build().ends_low)
