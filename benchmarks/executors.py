"""Measure g: what it costs to have tiles predicted by other processes."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.children import CHILD, run
from benchmarks.inputs import Architecture
from benchmarks.records import OURS, Row
from benchmarks.settings import Settings
from benchmarks.timing import Work, alternate, children_clock, timed

EXECUTORS: Final = {OURS: "serial", "processes": "processes", "dask": "dask"}
"""By contestant; what others cost is told as a multiple of the first."""

SMALLEST: Final = 64
"""Side of an image that is no work, so that what remains is beginning and end."""


def measure(settings: Settings) -> tuple[Row, ...]:
    """Seconds of the processor, of the command and all processes that it started."""
    architecture, side, samples = (
        settings.architectures[0],
        settings.executor_side,
        settings.executor_samples,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run("-m", CHILD, "store", str(folder / "run"), *_shape(architecture))
        rows: list[Row] = []
        for case, pixels, passes in (
            (f"{architecture}, {samples} samples of {side} x {side}", side, samples),
            (f"begin and end: {architecture}, 1 sample of {SMALLEST} x {SMALLEST}", SMALLEST, 1),
        ):
            image = folder / f"mixed_{pixels}.tif"
            run("-m", CHILD, "image", str(image), str(pixels))
            work: dict[str, Work] = {
                who: timed(partial(_predict, folder, image, executor, passes), children_clock("processor"))
                for who, executor in EXECUTORS.items()
            }
            seconds = alternate(work, rounds=settings.executor_rounds, warm_up=0)
            rows += [
                Row(case=case, contestant=who, unit="s", values=values, note=f"--executor {EXECUTORS[who]}")
                for who, values in seconds.items()
            ]
    return tuple(rows)


def _predict(folder: Path, image: Path, executor: str, samples: int) -> None:
    """Predict an image into a file, with one worker and the tile that is chosen for it."""
    words = ("--out", str(folder / "split.ome.zarr"), "--overwrite", "--samples", str(samples))
    run("-m", "denoisplit", "predict", str(folder / "run"), str(image), *words, "--executor", executor)


def _shape(architecture: Architecture) -> tuple[str, str, str]:
    return str(architecture.levels), str(architecture.width), str(architecture.latent)
