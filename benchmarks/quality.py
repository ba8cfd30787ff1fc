"""Measure c: seconds of training to a given quality on real images.

    python -m benchmarks quality

Trains `examples/w2s/split.yaml` (DENOISPLIT_DATA names the folder of the images) and scores the test fields
at every validation. The clock stops while it scores, but not while the toolkit validates.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np

import denoisplit
from benchmarks.machine import ROOT
from benchmarks.records import Row
from benchmarks.settings import Settings
from benchmarks.timing import CLOCKS, Clock
from denoisplit.core.assessment.image_scores import range_invariant_psnr
from denoisplit.core.images.bases import Field
from denoisplit.core.images.mixing import mixed_image
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.spec import load_spec
from denoisplit.core.spec.records import Mixing, PredictionSpec, ResolvedSpec
from denoisplit.core.training.data.prepare import evaluation_fields
from denoisplit.core.training.watchers.watching import Moment, Watcher

SPEC: Final = ROOT / "examples" / "w2s" / "split.yaml"
SAMPLES: Final = 4
STEP: Final = 0.5
"""dB between two marks."""


@attrs.frozen
class Point:
    """A score during training.

    Attributes:
        step: optimiser steps done.
        seconds: seconds of training until then, without scoring.
        psnr: range-invariant PSNR, mean over channels and fields, dB.
    """

    step: int
    seconds: float
    psnr: float


def marks(curve: Sequence[Point], *, first: float) -> tuple[tuple[float, Point], ...]:
    """Return, for every ``STEP`` dB from ``first`` on, the point of the curve that reached it first."""
    found: list[tuple[float, Point]] = []
    level = first
    while True:
        point = next((point for point in curve if point.psnr >= level), None)
        if point is None:
            return tuple(found)
        found.append((level, point))
        level += STEP


def score(vse: VSE, fields: Sequence[Field], mixing: Mixing, *, samples: int) -> float:
    """Return the mean range-invariant PSNR of the mean of some samples, dB."""
    values = []
    for field in fields:
        if field.clean is None:
            continue
        mean = predict(vse, mixed_image(field, mixing)[0], PredictionSpec(samples=samples, seed=0)).mean
        values += [range_invariant_psnr(t, m) for m, t in zip(mean, field.clean, strict=True)]
    return float(np.mean(values))


class Scores(Watcher):
    """Scores test fields at every validation."""

    def __init__(self, mixing: Mixing, fields: Sequence[Field], clock: Clock = time.perf_counter) -> None:
        self._mixing, self._fields, self._clock = mixing, fields, clock
        self._begun, self._paused = 0.0, 0.0
        self.curve: list[Point] = []

    def begun(self, now: Moment) -> None:
        """Start the clock."""
        del now
        self._begun = self._clock()

    def validated(self, now: Moment) -> None:
        """Add a point."""
        clock = self._clock()
        psnr = score(now.vse, self._fields, self._mixing, samples=SAMPLES)
        self.curve.append(Point(now.step, clock - self._begun - self._paused, psnr))
        self._paused += self._clock() - clock


def learning_curve(spec: ResolvedSpec, folder: Path, clock: Clock = time.perf_counter) -> tuple[Point, ...]:
    """Train into a folder, and return the scores on the way."""
    scores = Scores(spec.data.mixing, evaluation_fields(spec)[1], clock)
    denoisplit.train(spec, folder, watchers=[scores])
    return tuple(scores.curve)


def rows_of(curve: Sequence[Point]) -> tuple[Row, ...]:
    """Return the seconds to every mark, from the first at or above the start of the curve, and the curve."""
    first = STEP * float(np.ceil(curve[0].psnr / STEP))
    reached = tuple(
        Row(
            case="first time at a range-invariant PSNR",
            contestant=f"{level:.1f} dB",
            unit="s",
            values=(point.seconds,),
            note=f"step {point.step}",
        )
        for level, point in marks(curve, first=first)
    )
    on_the_way = tuple(
        Row(
            case="on the way",
            contestant=f"step {point.step}",
            unit="dB",
            values=(round(point.psnr, 2),),
            note=f"{point.seconds:.0f} s",
        )
        for point in curve
    )
    return (*reached, *on_the_way)


QUICK: Final = (
    *("training.steps=4", "training.validate_every=2", "training.batch=1", "training.patch=128"),
    *("model.encoder.width=8", "model.decoder.latent_channels=4"),
)
"""Overrides that make the recipe too small to learn anything."""


def measure(settings: Settings) -> tuple[Row, ...]:
    """Measure the seconds to every mark of the shipped recipe."""
    spec = load_spec(SPEC, QUICK if settings.quick else ())
    with tempfile.TemporaryDirectory() as name:
        return rows_of(learning_curve(spec, Path(name) / "run", CLOCKS[settings.clock]))
