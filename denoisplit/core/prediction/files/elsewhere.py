"""Predictions into files: finished jobs are kept beside the file, and other processes may do them."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future
from concurrent.futures import Executor as Pool
from contextlib import contextmanager, nullcontext
from functools import lru_cache, partial
from pathlib import Path

import attrs
import numpy as np

from denoisplit.core.errors import NoWorkersError, RunError
from denoisplit.core.images.bases import LazyArray
from denoisplit.core.images.block_walks import blocks
from denoisplit.core.main_guard import can_start, guard
from denoisplit.core.prediction.executor import Executor
from denoisplit.core.prediction.files.spool import (
    TILES,
    Spool,
    Tiling,
    digest_of,
    file_identity,
    image_identity,
    network_identity,
    open_spool,
    spool_of,
)
from denoisplit.core.prediction.image_work import ImageWork
from denoisplit.core.prediction.network_of import load_network
from denoisplit.core.prediction.request import Request, Shard
from denoisplit.core.prediction.samples.engine import Counter, Found, Work, ahead_of, in_order, run
from denoisplit.core.prediction.samples.passes import evaluating
from denoisplit.core.prediction.tiles.plan import Job
from denoisplit.core.registry import installed_registry
from denoisplit.core.registry.modules import import_files, imported_files
from denoisplit.core.storage.image_files import open_given
from denoisplit.core.storage.lock import exclusive, require_unlocked
from denoisplit.core.storage.run_folder import RunFolder

_LOG = logging.getLogger("denoisplit.prediction")

_IMAGE, _LABELS = "image.npy", "labels.npy"
"""Names within the spool for pixels of an image and of labels that are not in files."""


@attrs.frozen(kw_only=True)
class Place:
    """Source and destination of a prediction.

    Attributes:
        out: file of the result.
        folder: folder of the run.
        device: where the network runs.
        image: file of the image; None for an array.
        pixels: pixels of the image.
        resume: whether finished jobs are kept.
        executor: executor that does the jobs.
    """

    out: Path
    folder: RunFolder
    device: str
    image: Path | None
    pixels: LazyArray = attrs.field(eq=False, repr=False)
    resume: bool
    executor: Executor


@attrs.frozen(kw_only=True)
class Ticket:
    """Everything that another process needs to do a job."""

    folder: str
    device: str
    precision: str
    image: str
    axes: str | None
    samples: int
    seed: int
    tile: int
    output: tuple[str, ...] | None
    labels: str | None
    memory: int
    spool: str
    plugins: tuple[str, ...]


def results(work: Work, request: Request, place: Place, *, memory: int) -> Iterator[tuple[Job, Found]]:
    """Yield the results of all jobs in order; load those that are finished, and keep each new one.

    Raises:
        RunError: the finished jobs belong to another prediction, or a worker ended.
        ImageError: they cannot be written.
    """
    if len(work.plan) == 1 and not place.executor.elsewhere:
        yield from run(work, workers=request.workers, progress=request.progress)
        return
    if request.shard is None:  # a shard holds the lock already
        require_unlocked(spool_of(place.out))
    spool = _opened(work, request, place, memory, resume=place.resume)
    jobs = list(enumerate(work.plan.jobs()))
    kept = {number for number, _ in jobs if spool.has(number)}
    if kept:
        _LOG.info("%s: going on from %d of %d tiles", place.out, len(kept), len(jobs))
    counter = Counter(len(jobs) * len(work.numbers), request.progress)
    perform = _performing(work, request, place, spool, counter, memory)
    try:
        alone = exclusive(spool.folder) if request.shard is None else nullcontext()
        with alone, evaluating(work.vse), _started(place, request.workers) as pool:

            def submit(one: tuple[int, Job]) -> "Future[Found | None]":
                number, job = one
                return pool.submit(_nothing) if number in kept else pool.submit(perform, number, job)

            found = in_order(jobs, submit, ahead=ahead_of(request.workers))
            for (number, job), here in zip(jobs, found, strict=True):
                if here is None:
                    counter.tick(len(work.numbers))
                yield job, here or spool.load(number) or work.perform(job)
    finally:
        done = sum(spool.has(number) for number, _ in jobs)
        if not done:
            spool.remove()
        elif done < len(jobs):
            told = "%s: %d of %d tiles are finished; --resume goes on from them"
            _LOG.warning(told, place.out, done, len(jobs))


def do_shard(work: Work, request: Request, place: Place, shard: Shard, *, memory: int) -> int:
    """Do the unfinished jobs of a shard; return how many of all jobs are still missing.

    Raises:
        RunError: the finished jobs belong to another prediction or to shards that overlap with this one, or a
            worker ended.
        ImageError: they cannot be written.
    """
    spool = _opened(work, request, place, memory, resume=True)
    jobs = list(enumerate(work.plan.jobs()))
    own = [(number, job) for number, job in jobs if shard.has(number)]
    counter = Counter(len(own) * len(work.numbers), request.progress)
    perform = _performing(work, request, place, spool, counter, memory)
    with evaluating(work.vse), _started(place, request.workers) as pool:
        left = (one for one in own if not spool.has(one[0]))
        for here in in_order(left, lambda one: pool.submit(perform, *one), ahead=ahead_of(request.workers)):
            if here is None:
                counter.tick(len(work.numbers))
    return sum(not spool.has(number) for number, _ in jobs)


def _opened(work: Work, request: Request, place: Place, memory: int, *, resume: bool) -> Spool:
    """The spool, with how the tiles were chosen."""
    tiling = Tiling(work.plan.how.tile, memory // place.executor.threads(request.workers))
    return open_spool(place.out, _key(work, request, place), tiling, resume=resume)


@contextmanager
def _started(place: Place, workers: int) -> Iterator[Pool]:
    """Start this many workers."""
    try:
        with place.executor.start(workers) as pool:
            yield pool
    except BrokenExecutor as error:
        said = f"{place.out}: a worker ended before its job (got: {' '.join(str(error).split())})"
        if not can_start():
            raise NoWorkersError(f"{said}. {guard()}.") from error
        raise RunError(
            f"{said}. Give it more memory or a smaller --tile, and go on with --resume."
        ) from error


def finished(out: Path) -> None:
    """Remove the stored jobs of a complete prediction."""
    Spool(spool_of(out)).remove()


def perform_ticket(ticket: Ticket, number: int, job: Job) -> Found | None:
    """Do a job in another process and store its result."""
    work = _work_of(ticket)
    with evaluating(work.vse):
        Spool(Path(ticket.spool)).store(number, work.perform(job))
    return None


def _nothing() -> None:
    """Stand in for a finished job."""


def _performing(
    work: Work, request: Request, place: Place, spool: Spool, counter: Counter, memory: int
) -> Callable[[int, Job], Found | None]:
    """The function that does a job where the executor wants it and stores its result."""
    if place.executor.elsewhere:
        return partial(perform_ticket, _ticket(work, request, place, spool, memory))

    def perform(number: int, job: Job) -> Found | None:
        found = work.perform(job, counter.tick)
        spool.store(number, found)
        return found

    return perform


def _ticket(work: Work, request: Request, place: Place, spool: Spool, memory: int) -> Ticket:
    """What another process needs; pixels and labels that are not in files are written."""
    labels, output, how = request.labels, request.output, work.plan.how
    image = place.image or _written(spool.folder / _IMAGE, place.pixels)
    if isinstance(labels, np.ndarray):
        labels = _written(spool.folder / _LABELS, labels)
    return Ticket(
        folder=str(place.folder.path.absolute()),
        device=place.device,
        precision=work.vse.precision,
        image=str(image.absolute()),
        axes=request.axes,
        samples=how.samples,
        seed=how.seed,
        tile=how.tile,
        output=None if output is None else (output,) if isinstance(output, str) else tuple(output),
        labels=None if labels is None else str(Path(labels).absolute()),
        memory=memory,
        spool=str(spool.folder.absolute()),
        plugins=imported_files(installed_registry()),
    )


def _written(path: Path, pixels: LazyArray) -> Path:
    """Write pixels to a file."""
    file = np.lib.format.open_memmap(path, mode="w+", dtype=pixels.dtype, shape=tuple(pixels.shape))
    for region, block in blocks(pixels):
        file[region] = block
    file.flush()
    return path


@lru_cache(maxsize=2)
def _work_of(ticket: Ticket) -> Work:
    """Open run and image, once per process and prediction."""
    import_files(ticket.plugins, installed_registry())
    vse, bundle = load_network(RunFolder(Path(ticket.folder)), ticket.device, ticket.precision)
    request = Request(
        samples=ticket.samples,
        seed=ticket.seed,
        tile=ticket.tile,
        axes=ticket.axes,
        output=ticket.output,
        labels=ticket.labels,
    )
    image = open_given(Path(ticket.image), ticket.axes)
    return ImageWork(vse, bundle, image, request, memory=ticket.memory, workers=1).work(ticket.samples)


def _key(work: Work, request: Request, place: Place) -> dict[str, str]:
    """Everything that the jobs depend on, by name."""
    plan = work.plan
    image = image_identity(place.pixels) if place.image is None else file_identity(place.image)
    labels = request.labels
    shown = image_identity(labels) if isinstance(labels, np.ndarray) else labels
    return {
        "network": network_identity(place.folder.weights, place.folder.bundle),
        "image": image,
        "samples": str(plan.how.samples),
        "seed": str(plan.how.seed),
        "output": digest_of(request.output),
        "labels": digest_of(shown),
        "axes": str(request.axes),
        TILES: digest_of(plan.planes, plan.tiles),
        "precision": work.vse.precision,
        "number of shards": str(request.shard.count if request.shard else 1),
    }
