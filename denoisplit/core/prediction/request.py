"""What is asked of a prediction."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import attrs
import numpy as np

from denoisplit.core.errors import SpecError
from denoisplit.core.images.interfaces import AnyArray
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.sample_count import AutoSamples, parse_samples
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.image_files import open_labels

_SEEDS = 2**63


@attrs.frozen
class Shard:
    """A part of the tiles of a prediction: every ``count``-th one, from ``number`` (1 to ``count``) on."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """From ``2/8``.

        Raises:
            SpecError: no such shard.
        """
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise SpecError(
                [f"prediction: no such shard (got {text!r}). Write I/N, with I from 1 to N: 2/8."]
            )
        return cls(int(number), int(count))

    def has(self, job: int) -> bool:
        """Whether a job, counted from 0, belongs to it."""
        return job % self.count == self.number - 1


class How(TypedDict, total=False):
    """Keyword arguments of ``Run.predict``: the attributes of a ``Request``."""

    samples: int | str | None
    seed: int | None
    tile: int | None
    axes: str | None
    output: str | Sequence[str] | None
    workers: int
    executor: str | Mapping[str, Any]
    resume: bool
    labels: AnyArray | str | os.PathLike[str] | None
    progress: Progress | None


@attrs.frozen(kw_only=True)
class Request:
    """What to make of an image; see ``Run.predict`` for the attributes."""

    samples: int | str | None = None
    seed: int | None = None
    tile: int | None = None
    axes: str | None = None
    output: str | Sequence[str] | None = None
    workers: int = 1
    executor: str | Mapping[str, Any] = ""
    resume: bool = False
    shard: Shard | None = None
    labels: AnyArray | str | os.PathLike[str] | None = attrs.field(default=None, eq=False, repr=False)
    progress: Progress | None = attrs.field(default=None, eq=False, repr=False)

    def wanted_samples(self, defaults: PredictionSpec) -> int | AutoSamples:
        """A number, or the rule that finds one.

        Raises:
            SpecError: neither.
        """
        return parse_samples(defaults.samples if self.samples is None else self.samples)

    def settled(self, defaults: PredictionSpec, samples: int) -> PredictionSpec:
        """With the defaults of a run for what was not asked for.

        Raises:
            SpecError: a number out of range.
        """
        seed = defaults.seed if self.seed is None else self.seed
        tile = defaults.tile if self.tile is None else self.tile
        if samples < 1:
            raise SpecError(
                [f"prediction.samples: at least one sample is needed (got {samples}). Use 1 or more."]
            )
        if not 0 <= seed < _SEEDS:
            raise SpecError([f"prediction.seed: must be 0 to 2^63 - 1 (got {seed}). Use another number."])
        if tile < 0:
            raise SpecError([f"prediction.tile: must be 0 or more pixels (got {tile}). Use 0 to choose one."])
        return PredictionSpec(samples=samples, seed=seed, tile=tile)

    def label_image(self, *, lazily: bool) -> AnyArray | None:
        """The label image, read from its file if need be; ``lazily`` leaves a large one there."""
        if self.labels is None or isinstance(self.labels, np.ndarray):
            return self.labels
        return open_labels(Path(self.labels), lazily=lazily)
