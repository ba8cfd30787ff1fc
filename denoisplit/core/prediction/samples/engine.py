"""The engine: does jobs and yields the results of their tiles in the order of the jobs."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice, repeat
from threading import Lock
from typing import Any, Final, TypeVar

import attrs
import numpy as np

from denoisplit.core.devices import is_shortage
from denoisplit.core.images.bases import LazyArray
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.executor import pool_of
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.samples.passes import Passes, evaluating
from denoisplit.core.prediction.samples.summaries import Facts, Images, Summary
from denoisplit.core.prediction.tiles.canvas import Canvas
from denoisplit.core.prediction.tiles.plan import Job, Plan, halved, output_dtype
from denoisplit.core.prediction.tiles.shrinking import Shrinking
from denoisplit.core.prediction.tiles.tiling import Box, Tile

J = TypeVar("J")
R = TypeVar("R")

_PLANES: Final = 2
"""Number of canvases kept in memory; jobs go through one plane after the other."""


@attrs.frozen(kw_only=True)
class Found:
    """Result of the inner area of a tile.

    Attributes:
        images: images [c (z) y x] by name, in the dtype of the network's output.
        facts: what the summaries found besides images, for the tile or for each part of a tile that was cut.
    """

    images: Images
    facts: tuple[Facts, ...]


class Work:
    """Everything that the jobs of one image share.

    Args:
        vse: the network.
        plan: the plan of the jobs.
        plane: function from the number of a plane to its pixels [(z) y x] as the network sees them, which may
            be read on demand.
        summaries: summaries of the samples; each sees the images of those before it.
        numbers: numbers of the samples; None for those of the plan.
    """

    def __init__(
        self,
        vse: VSE,
        plan: Plan,
        plane: Callable[[int], LazyArray],
        summaries: Iterable[Summary],
        *,
        numbers: range | None = None,
    ) -> None:
        self.vse, self.plan, self._plane, self._summaries = vse, plan, plane, tuple(summaries)
        self.numbers = range(plan.how.samples) if numbers is None else numbers
        self._canvases: dict[int, Canvas] = {}
        self._lock, self._shrinking = Lock(), Shrinking(plan)
        self._checked(plan)

    def of(self, numbers: range) -> "Work":
        """The same work with other samples."""
        return Work(self.vse, self.plan, self._plane, self._summaries, numbers=numbers)

    def perform(self, job: Job, tick: Callable[[], None] = lambda: None) -> Found:
        """Do a job and call ``tick`` after every sample; depends on nothing but network, plane and job.

        If memory runs out, the tile is done in parts.

        Raises:
            ImageError: the memory does not suffice for the smallest parts.
        """
        canvas, ticks = self._canvas(job.plane), islice(repeat(tick), len(self.numbers))
        parts: list[tuple[Tile, Found]] = []
        waiting = [job.tile]
        while waiting:
            tile = waiting.pop(0)
            plan = self._shrinking.settled(self.plan, tile)
            if not self._shrinking.fits(tile):
                plan = self._checked(halved(self.vse, plan, tile))
                if len(plan.tiles) > 1:
                    waiting[:0] = plan.tiles
                    continue
            passes = Passes(vse=self.vse, plan=plan, number=job.plane, canvas=canvas)
            try:
                parts.append((tile, self._made(passes, tile, ticks)))
                continue
            except (MemoryError, RuntimeError) as error:
                if not is_shortage(error):
                    raise
                reason = str(error)
            # Only here: what the pass still holds is released once the exception is gone.
            self._shrinking.learn(self.vse, plan, reason)
            waiting.insert(0, tile)
        return parts[0][1] if len(parts) == 1 else joined(job.tile.inner, parts)

    def _made(self, passes: Passes, tile: Tile, ticks: Iterator[Callable[[], None]]) -> Found:
        """Predict one tile."""
        collectors = [summary.begin(passes, tile) for summary in self._summaries]
        for draw in passes.draws(tile, self.numbers):
            for collector in collectors:
                collector.add(draw)
            next(ticks, _nothing)()
        images: dict[str, Any] = {}
        facts: dict[str, Any] = {}
        for collector in collectors:
            made = collector.finish(images)
            images |= made.images
            facts |= made.facts
        dtype = output_dtype(self.vse)
        kept = {name: image.astype(dtype, copy=False) for name, image in images.items()}
        return Found(images=kept, facts=(facts,))

    def _checked(self, plan: Plan) -> Plan:
        """A plan that every summary accepts."""
        for summary in self._summaries:
            summary.check(self.vse, plan)
        return plan

    def _canvas(self, number: int) -> Canvas:
        with self._lock:
            if number not in self._canvases:
                while len(self._canvases) >= _PLANES:
                    self._canvases.pop(min(self._canvases))
                self._canvases[number] = Canvas.of(self._plane(number), self.vse)
            return self._canvases[number]


def _nothing() -> None:
    """Ignore a sample that was counted before memory ran out."""


def joined(whole: Box, parts: Iterable[tuple[Tile, Found]]) -> Found:
    """Join the tiles of a region."""
    images: dict[str, Any] = {}
    facts: tuple[Facts, ...] = ()
    for tile, found in parts:
        facts += found.facts
        for name, image in found.images.items():
            if name not in images:
                images[name] = np.empty((len(image), *whole.shape), dtype=image.dtype)
            images[name][:, *tile.inner.within(whole)] = image
    return Found(images=images, facts=facts)


def run(work: Work, *, workers: int = 1, progress: Progress | None = None) -> Iterator[tuple[Job, Found]]:
    """Do all jobs, in their order.

    Args:
        work: the work.
        workers: number of jobs at the same time, one thread each; at most twice as many results are kept.
        progress: called after every sample of every job.
    """
    tick = Counter(len(work.plan) * len(work.numbers), progress).tick

    def perform(job: Job) -> Found:
        return work.perform(job, tick)

    jobs = list(work.plan.jobs())
    with evaluating(work.vse), pool_of(workers) as pool:
        found = in_order(jobs, lambda job: pool.submit(perform, job), ahead=ahead_of(workers))
        yield from zip(jobs, found, strict=True)


class Counter:
    """Counts finished samples of all threads."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress, self._lock = 0, total, progress, Lock()

    def tick(self, samples: int = 1) -> None:
        """Count this many more samples."""
        with self._lock:
            self._done += samples
            if self._progress is not None:
                self._progress(self._done, self._total)


def in_order(jobs: Iterable[J], submit: "Callable[[J], Future[R]]", *, ahead: int) -> Iterator[R]:
    """Yield results in the order of the jobs.

    Args:
        jobs: all jobs.
        submit: function that begins a job.
        ahead: number of jobs begun before their turn, limited so that finished ones do not pile up.
    """
    rest = iter(jobs)
    waiting = deque(map(submit, islice(rest, ahead)))
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(map(submit, islice(rest, 1)))
    finally:
        for future in waiting:
            future.cancel()


def ahead_of(workers: int) -> int:
    """Number of jobs to begin before their turn."""
    return 1 if workers == 1 else 2 * workers
