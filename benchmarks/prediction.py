"""Measure b: mean and std of a frame from 50 posterior samples, against the reference procedure."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.inputs import CHANNELS, Architecture, frame, network, spec_of, write_noise_models
from benchmarks.records import OURS, Row
from benchmarks.reference import ReferenceNetwork
from benchmarks.reference_procedure import ReferencePrediction
from benchmarks.settings import Settings
from benchmarks.timing import CLOCKS, Work, alternate, timed
from benchmarks.training import REFERENCE
from denoisplit.core.network.vse import VSE
from denoisplit.core.precision.probe import Purpose
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.spec.records import PredictionSpec

LEAST = 2
"""Samples of the shorter prediction; a single one has no std."""

MORE = 4
"""Samples of the longer prediction; the difference between the two gives the cost of a sample."""


def scaled(few: float, more: float, *, samples: int) -> float:
    """Extrapolate the seconds of ``samples`` samples from those of ``LEAST`` and ``MORE``, linearly."""
    per_sample = max(0.0, more - few) / (MORE - LEAST)
    return few + (samples - LEAST) * per_sample


def measure(settings: Settings) -> tuple[Row, ...]:
    """Measure the seconds of a whole prediction for every network."""
    rows: list[Row] = []
    mixed = frame(settings.side)
    with tempfile.TemporaryDirectory() as name:
        noise = write_noise_models(Path(name))
        for architecture in settings.architectures:
            rows += _rows(settings, architecture, noise, mixed)
    return tuple(rows)


def _rows(
    settings: Settings, architecture: Architecture, noise: tuple[Path, ...], mixed: npt.NDArray[np.float32]
) -> list[Row]:
    case = f"{architecture}, {settings.samples} samples of {settings.side} x {settings.side}"
    found: dict[str, VSE] = {}
    for who, precision in ((OURS, "auto"), (f"{OURS}, float32", "float32")):
        spec = spec_of(architecture, patch=settings.patch, size=8, noise=noise, precision=precision)
        found[who] = network(spec, Purpose.PREDICTION).eval()
    torch.manual_seed(0)
    reference = ReferencePrediction(
        network=ReferenceNetwork(architecture, patch=settings.patch, channels=len(CHANNELS)).eval(),
        patch=settings.patch,
        cell=settings.cell,
        passes=settings.samples,
    )
    clock = CLOCKS[settings.clock]
    work: dict[str, Work] = {
        f"{who}/{samples}": timed(partial(predict, vse, mixed, PredictionSpec(samples=samples)), clock)
        for who, vse in found.items()
        for samples in (LEAST, MORE)
    }
    work[REFERENCE] = partial(reference.seconds, mixed, passes=settings.passes, clock=clock)
    seconds = alternate(work, rounds=settings.prediction_rounds)
    rows = [
        Row(
            case=case,
            contestant=who,
            unit="s",
            values=tuple(
                scaled(few, more, samples=settings.samples)
                for few, more in zip(seconds[f"{who}/{LEAST}"], seconds[f"{who}/{MORE}"], strict=True)
            ),
            note=f"scaled from {LEAST} and {MORE} samples of the whole frame",
        )
        for who in found
    ]
    cells = len(reference.grid(settings.side))
    rows.append(
        Row(
            case=case,
            contestant=REFERENCE,
            unit="s",
            values=seconds[REFERENCE],
            note=f"scaled from {settings.passes} passes over {min(reference.size, cells)} of {cells} patches "
            f"of {settings.patch} x {settings.patch}, of which {settings.cell} x {settings.cell} are kept",
        )
    )
    return rows
