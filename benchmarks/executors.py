"""Measure g: cost of predicting tiles in other processes."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.children import CHILD, run
from benchmarks.inputs import TINY, Architecture
from benchmarks.records import OURS, Row
from benchmarks.settings import Settings
from benchmarks.timing import Work, alternate, children_clock, timed

EXECUTORS: Final = {OURS: "serial", "processes": "processes", "dask": "dask"}
"""Executors by contestant; costs are given as multiples of the first."""

SMALLEST: Final = 64
"""Side of an image with next to no work, to measure start and end."""

MANY: Final = 1024
"""Side of an image of many tiles with little work each, to measure the cost of a tile."""

TILE: Final = 64


def measure(settings: Settings) -> tuple[Row, ...]:
    """Measure processor seconds of the command and all processes that it started."""
    full, side, samples = settings.architectures[0], settings.executor_side, settings.executor_samples
    tiles = (MANY // TILE) ** 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return (
            *_rows(settings, folder, f"{full}, {samples} samples of {side} x {side}", full, side, samples),
            *_rows(settings, folder, f"begin and end: {full}, {SMALLEST} x {SMALLEST}", full, SMALLEST, 1),
            *_rows(
                settings, folder, f"begin, {tiles} tiles of {TILE} x {TILE}, and end", TINY, MANY, 1, TILE
            ),
        )


def _rows(
    settings: Settings,
    folder: Path,
    case: str,
    architecture: Architecture,
    side: int,
    samples: int,
    tile: int = 0,
) -> list[Row]:
    trained, image = folder / architecture.name, folder / f"mixed_{side}.tif"
    if not trained.exists():
        run("-m", CHILD, "store", str(trained), *_shape(architecture))
    run("-m", CHILD, "image", str(image), str(side))
    words = (
        "--samples",
        str(samples),
        "--tile",
        str(tile),
        "--out",
        str(folder / "split.ome.zarr"),
        "--overwrite",
    )

    def predict(executor: str) -> None:
        run("-m", "denoisplit", "predict", str(trained), str(image), *words, "--executor", executor)

    work: dict[str, Work] = {
        who: timed(partial(predict, executor), children_clock("processor"))
        for who, executor in EXECUTORS.items()
    }
    seconds = alternate(work, rounds=settings.executor_rounds, warm_up=0)
    return [
        Row(case=case, contestant=who, unit="s", values=values, note=f"--executor {EXECUTORS[who]}")
        for who, values in seconds.items()
    ]


def _shape(architecture: Architecture) -> tuple[str, str, str]:
    return str(architecture.levels), str(architecture.width), str(architecture.latent)
