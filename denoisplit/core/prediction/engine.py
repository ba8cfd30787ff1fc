"""The engine: jobs in, what was made of their tiles out, in the order of the jobs."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor as Pool
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Lock
from typing import Any, Final, TypeVar

import attrs

from denoisplit.core.images.interfaces import LazyArray
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.canvas import Canvas
from denoisplit.core.prediction.executor import AtOnce
from denoisplit.core.prediction.passes import Passes, evaluating
from denoisplit.core.prediction.plan import Job, Plan, output_dtype
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.summaries import Facts, Images, Summary

J = TypeVar("J")
R = TypeVar("R")

_PLANES: Final = 2
"""Canvases that are kept: jobs go through one plane after the other."""


@attrs.frozen(kw_only=True)
class Found:
    """What was made of the inner area of a tile.

    Attributes:
        images: by name [c (z) y x], in the dtype of the network's output.
        facts: what the summaries found besides images.
    """

    images: Images
    facts: Facts


class Work:
    """Everything that the jobs of an image have in common.

    Args:
        vse: the network.
        plan: whose jobs are done.
        plane: gives a plane [(z) y x] as the network sees it, by its number; its pixels may be read where
            they are asked for.
        summaries: what to make of the samples; each sees the images of those before it.
        numbers: of the samples; None for those of the plan.
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
        self._lock = Lock()
        for summary in self._summaries:
            summary.check(vse, plan)

    def of(self, numbers: range) -> "Work":
        """The same with other samples."""
        return Work(self.vse, self.plan, self._plane, self._summaries, numbers=numbers)

    def perform(self, job: Job, tick: Callable[[], None] = lambda: None) -> Found:
        """Do a job; a function of network, plane and job alone. ``tick`` is called after every sample."""
        passes = Passes(vse=self.vse, plan=self.plan, number=job.plane, canvas=self._canvas(job.plane))
        collectors = [summary.begin(passes, job.tile) for summary in self._summaries]
        for draw in passes.draws(job.tile, self.numbers):
            for collector in collectors:
                collector.add(draw)
            tick()
        images: dict[str, Any] = {}
        facts: dict[str, Any] = {}
        for collector in collectors:
            made = collector.finish(images)
            images |= made.images
            facts |= made.facts
        dtype = output_dtype(self.vse)
        kept = {name: image.astype(dtype, copy=False) for name, image in images.items()}
        return Found(images=kept, facts=facts)

    def _canvas(self, number: int) -> Canvas:
        with self._lock:
            if number not in self._canvases:
                while len(self._canvases) >= _PLANES:
                    self._canvases.pop(min(self._canvases))
                self._canvases[number] = Canvas.of(self._plane(number), self.vse)
            return self._canvases[number]


def run(work: Work, *, workers: int = 1, progress: Progress | None = None) -> Iterator[tuple[Job, Found]]:
    """Do all jobs, in their order.

    Args:
        work: what to do.
        workers: jobs at the same time, each by a thread of its own; no more than twice as many are kept.
        progress: told after every sample of every job.
    """
    tick = Counter(len(work.plan) * len(work.numbers), progress).tick

    def perform(job: Job) -> Found:
        return work.perform(job, tick)

    pool: Pool = AtOnce() if workers == 1 else ThreadPoolExecutor(max_workers=workers)
    jobs = list(work.plan.jobs())
    with evaluating(work.vse), pool:
        found = in_order(jobs, lambda job: pool.submit(perform, job), ahead=ahead_of(workers))
        yield from zip(jobs, found, strict=True)


class Counter:
    """Counts finished samples, whichever thread finished them."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress, self._lock = 0, total, progress, Lock()

    def tick(self, samples: int = 1) -> None:
        """So many more are done."""
        with self._lock:
            self._done += samples
            if self._progress is not None:
                self._progress(self._done, self._total)


def in_order(jobs: Iterable[J], submit: "Callable[[J], Future[R]]", *, ahead: int) -> Iterator[R]:
    """Results in the order of the jobs.

    Args:
        jobs: all.
        submit: begins one.
        ahead: jobs that are begun before their turn: finished ones must not pile up.
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
    """Jobs to begin before their turn."""
    return 1 if workers == 1 else 2 * workers
