"""Estimates before a prediction starts: its plans, memory and time."""

import os
import time
from collections.abc import Iterable

import attrs

from denoisplit.core.images.bases import Image
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.chosen_executor import chosen_executor
from denoisplit.core.prediction.image_work import ImageWork
from denoisplit.core.prediction.request import Request
from denoisplit.core.prediction.samples.engine import Work
from denoisplit.core.prediction.samples.passes import evaluating
from denoisplit.core.prediction.tiles.memory import BESIDE, bytes_per_pixel, streamed_budget
from denoisplit.core.prediction.tiles.plan import Plan
from denoisplit.core.prediction.tiles.tiling import Tile
from denoisplit.core.storage.bundle import Bundle

_TIMED = (1, 3)
"""Numbers of samples for which a tile is timed."""


@attrs.frozen(kw_only=True)
class Estimate:
    """Plans, memory and expected time of a prediction.

    Attributes:
        plans: one per image.
        halo: pixels around a tile on which it depends, along (z) y x; zeros if no image needs tiles.
        memory: memory of every worker, bytes.
        tile_seconds: time of the largest tile while nothing else runs.
        seconds: time of the whole prediction.
        workers: number of tiles at the same time.
    """

    plans: tuple[Plan, ...]
    halo: tuple[int, ...]
    memory: float
    tile_seconds: float
    seconds: float
    workers: int

    @property
    def planes(self) -> int:
        """Number of planes of all images."""
        return sum(plan.planes for plan in self.plans)

    @property
    def tiles(self) -> int:
        """Number of tiles of all planes of all images."""
        return sum(len(plan) for plan in self.plans)


def estimate(vse: VSE, bundle: Bundle, images: Iterable[Image], request: Request) -> Estimate:
    """Plan the prediction of opened images into files, and time one tile of the first image.

    If the number of samples is chosen automatically, the smallest is assumed.

    Raises:
        DenoisplitError: an image cannot be used, or the request cannot be fulfilled.
    """
    threads = chosen_executor(request.executor).threads(request.workers)
    memory = streamed_budget(vse.device, processes=request.workers // threads)
    works = []
    for image in images:
        image_work = ImageWork(vse, bundle, image, request, memory=memory, workers=threads)
        works.append(image_work.work(image_work.fewest))
    plans = tuple(work.plan for work in works)
    once, each = _timed(works[0])
    pixels = plans[0].tiles[0].outer.pixels

    def seconds(plan: Plan, tile: Tile) -> float:
        return (once + each * plan.how.samples) * tile.outer.pixels / pixels

    total = sum(plan.planes * sum(seconds(plan, tile) for tile in plan.tiles) for plan in plans)
    largest = max(
        ((plan, tile) for plan in plans for tile in plan.tiles), key=lambda pair: pair[1].outer.pixels
    )
    return Estimate(
        plans=plans,
        halo=vse.halo if vse.halo is not None else (0,) * vse.spatial_rank,
        memory=max(tile_memory(vse, plan) for plan in plans),
        tile_seconds=seconds(*largest),
        seconds=total / min(request.workers, os.cpu_count() or 1),
        workers=request.workers,
    )


def tile_memory(vse: VSE, plan: Plan) -> float:
    """Memory of the largest tile of a plan, bytes."""
    kept = BESIDE * (1 + vse.channels)
    per_pass = bytes_per_pixel(vse, plan.how.orientations)
    return max(tile.outer.pixels for tile in plan.tiles) * (per_pass * plan.batch + kept)


def _timed(work: Work) -> tuple[float, float]:
    """Seconds of the first tile: the constant part, and the part per sample."""
    job = next(work.plan.jobs())
    on_processor = work.vse.device.type == "cpu"
    found = []
    with evaluating(work.vse):
        for samples in (1, *_TIMED):  # the first run allocates memory and chooses kernels
            start, busy = time.perf_counter(), time.process_time()
            work.of(range(samples)).perform(job)
            passed, used = time.perf_counter() - start, time.process_time() - busy
            # Other programs slow the processor down, more at one time than at another.
            found.append(min(passed, used) if on_processor else passed)
    _, few, more = found
    each = max(0.0, (more - few) / (_TIMED[1] - _TIMED[0]))
    return max(0.0, few - each), each
