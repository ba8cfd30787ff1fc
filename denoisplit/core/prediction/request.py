"""What is asked of a prediction."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import attrs
import numpy as np

from denoisplit.core.errors import SpecError
from denoisplit.core.images.interfaces import AnyArray
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.sample_count import AutoSamples, parse_samples
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.image_files import open_labels

_SEEDS = 2**63


class How(TypedDict, total=False):
    """Keyword arguments of ``Run.predict``: the attributes of a ``Request``."""

    samples: int | str | None
    seed: int | None
    tile: int | None
    axes: str | None
    output: str | Sequence[str] | None
    workers: int
    executor: str
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
    executor: str = ""
    resume: bool = False
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
