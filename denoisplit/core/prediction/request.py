"""The settings of one prediction."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypedDict

import attrs
import numpy as np
from attrs.validators import ge

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import SpecError, require_keywords
from denoisplit.core.given import is_whole, path_of, require, shown
from denoisplit.core.images.lazy import without_mask
from denoisplit.core.prediction.executor import Executor
from denoisplit.core.prediction.outputs.output_words import parse_outputs
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.samples.sample_count import AutoSamples, parse_samples
from denoisplit.core.spec.bounds import bounds
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.label_files import LabelImage, open_labels

Labels = AnyArray | str | os.PathLike[str] | None
"""A label image, or its file."""


def _unmasked(labels: Labels) -> Labels:
    return without_mask(labels, "labels", "0")


@attrs.frozen
class Shard:
    """Every ``count``-th tile of a prediction, starting with ``number`` (1 to ``count``)."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parse text such as ``2/8``.

        Raises:
            SpecError: no such shard.
        """
        number, _, count = str(text).partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise SpecError(f"prediction: no such shard (got {text!r}). Write I/N, with I from 1 to N: 2/8.")
        return cls(int(number), int(count))

    def has(self, job: int) -> bool:
        """Whether a job, counted from 0, belongs to this shard."""
        return job % self.count == self.number - 1


class How(TypedDict, total=False):
    """Keyword arguments of ``Run.predict``: the attributes of a ``Request``."""

    samples: int | str | None
    seed: int | None
    tile: int | None
    axes: str | None
    output: str | Sequence[str] | None
    workers: int
    executor: str | Mapping[str, Any] | Executor
    resume: bool
    labels: Labels
    progress: Progress | None


@attrs.frozen(kw_only=True)
class Request:
    """Settings of one prediction; see ``Run.predict`` for the attributes."""

    samples: int | str | None = None
    seed: int | None = None
    tile: int | None = None
    axes: str | None = None
    output: str | Sequence[str] | None = None
    workers: int = 1
    executor: str | Mapping[str, Any] | Executor = ""
    resume: bool = False
    shard: Shard | None = None
    labels: Labels = attrs.field(default=None, converter=_unmasked, eq=False, repr=False)
    progress: Progress | None = attrs.field(default=None, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Check all attributes, as callers may pass wrong types and reading an image takes time.

        Raises:
            SpecError: a number out of range, or of another type.
            ArgumentError, ImageError: another attribute has the wrong type.
        """
        self.settled(PredictionSpec(), 1)
        self.wanted_samples(PredictionSpec())
        _whole("workers", self.workers, ge(1))
        if self.output is not None:
            parse_outputs(self.output)
        known = isinstance(self.labels, None | np.ndarray | str | os.PathLike)
        require(known, "labels", self.labels, "a NumPy array or the path of a file")
        require(isinstance(self.axes, None | str), "axes", self.axes, "text, letters of stczyx")
        named = isinstance(self.executor, str | Mapping | Executor)
        require(named, "executor", self.executor, "a name or a mapping")
        require(isinstance(self.resume, bool), "resume", self.resume, "True or False")
        require(self.progress is None or callable(self.progress), "progress", self.progress, "a function")

    def wanted_samples(self, defaults: PredictionSpec) -> int | AutoSamples:
        """The number of samples, or the rule that chooses it.

        Raises:
            SpecError: neither.
        """
        wanted = parse_samples(defaults.samples if self.samples is None else self.samples)
        return wanted if isinstance(wanted, AutoSamples) else number_of("samples", wanted)

    def settled(self, defaults: PredictionSpec, samples: int) -> PredictionSpec:
        """Complete the settings with the defaults of a run.

        Raises:
            SpecError: a number out of range.
        """
        return attrs.evolve(
            defaults,
            samples=number_of("samples", samples),
            seed=number_of("seed", defaults.seed if self.seed is None else self.seed),
            tile=number_of("tile", defaults.tile if self.tile is None else self.tile),
        )

    def label_image(self) -> LabelImage | None:
        """The label image; that of a file stays there."""
        if self.labels is None:
            return None
        if isinstance(self.labels, np.ndarray):
            return LabelImage(pixels=self.labels)
        return open_labels(path_of(self.labels, "labels"))


def request_of(method: str, how: How) -> Request:
    """The request of somebody who called a method with these keyword arguments.

    Raises:
        TypeError: the method has no such argument, as where Python itself says so.
        DenoisplitError: see ``Request``.
    """
    require_keywords(method, how, How.__annotations__)
    return Request(**how)


def number_of(name: str, given: object) -> int:
    """Check a number of a prediction against its limits in a spec.

    Raises:
        SpecError: out of range, or not a whole number.
    """
    return _whole(name, given, getattr(attrs.fields(PredictionSpec), name).validator)


def _whole(name: str, given: object, limits: Any) -> int:
    if is_whole(given):
        with suppress(ValueError):
            limits(None, attrs.fields(PredictionSpec).samples, given)  # the field is for its message
            return int(given)
    allowed = " and ".join(bounds(limits))
    raise SpecError(
        f"prediction.{name}: must be a whole number {allowed} (got {shown(given)}). Use another one."
    )
