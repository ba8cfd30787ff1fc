"""The engine: jobs in, what was made of their tiles out, in the order of the jobs."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Lock
from typing import Any, Final

import attrs

from denoisplit.core.images.interfaces import LazyArray
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.canvas import Canvas
from denoisplit.core.prediction.passes import Passes, evaluating
from denoisplit.core.prediction.plan import Job, Plan, output_dtype
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.summaries import Images, Summary

_PLANES: Final = 2
"""Canvases that are kept: jobs go through one plane after the other."""


@attrs.frozen(kw_only=True)
class Found:
    """What was made of the inner area of a tile.

    Attributes:
        images: by name [c (z) y x], in the dtype of the network's output.
        facts: one per summary, None where it found nothing but images.
    """

    images: Images
    facts: tuple[Any, ...]


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

    def perform(self, job: Job, tick: Callable[[], None] = lambda: None) -> Found:
        """Do a job; a function of network, plane and job alone. ``tick`` is called after every sample."""
        passes = Passes(vse=self.vse, plan=self.plan, number=job.plane, canvas=self._canvas(job.plane))
        collectors = [summary.begin(passes, job.tile) for summary in self._summaries]
        for draw in passes.draws(job.tile, self.numbers):
            for collector in collectors:
                collector.add(draw)
            tick()
        images: dict[str, Any] = {}
        facts = []
        for collector in collectors:
            made = collector.finish(images)
            images |= made.images
            facts.append(made.fact)
        dtype = output_dtype(self.vse)
        kept = {name: image.astype(dtype, copy=False) for name, image in images.items()}
        return Found(images=kept, facts=tuple(facts))

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
    tick = _Counter(len(work.plan) * len(work.numbers), progress).tick

    def perform(job: Job) -> Found:
        return work.perform(job, tick)

    with evaluating(work.vse):
        yield from zip(work.plan.jobs(), _each(perform, work.plan.jobs(), workers), strict=True)


class _Counter:
    """Counts finished samples, whichever thread finished them."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress, self._lock = 0, total, progress, Lock()

    def tick(self) -> None:
        with self._lock:
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self._total)


def _each(function: Callable[[Job], Found], jobs: Iterator[Job], workers: int) -> Iterator[Found]:
    """Results in the order of the jobs, from as many threads as there are workers."""
    if workers == 1:
        yield from map(function, jobs)
        return
    waiting: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(max_workers=workers) as pool:
        # Jobs are begun as results are taken: finished ones must not pile up.
        waiting.extend(pool.submit(function, job) for job in islice(jobs, 2 * workers))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(function, job) for job in islice(jobs, 1))
        finally:
            for future in waiting:
                future.cancel()
