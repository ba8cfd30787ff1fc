"""Posterior samples tile by tile: what is made of a tile is handed on before the next one is kept."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Lock

from denoisplit.core.images.interfaces import LazyArray
from denoisplit.core.network.interfaces import FloatArray
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.passes import Passes, evaluating
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.summaries import Images, Spread, Summary
from denoisplit.core.prediction.tiling import Tile

Visit = Callable[[int, tuple[slice, ...], FloatArray], None]
"""Called with the number of a sample, a place in the image, and the sample there [c (z) y x], counts."""

Put = Callable[[Tile, Images], None]
"""Takes what was made of a tile, images [c (z) y x] of its inner area."""

Further = Callable[[Passes, Tile, Images], Images]
"""Makes further images of a tile; called by the thread of its worker."""


def plan(
    vse: VSE,
    mixed: LazyArray,
    *,
    samples: int,
    seed: int,
    tile: int = 0,
    sample_batch: int = 0,
    halo: tuple[int, ...] | None = None,
    workers: int = 1,
    summaries: Sequence[Summary] = (),
    memory: float | None = None,
) -> Passes:
    """Choose the tiles of an image; arguments and errors are those of ``posterior.predict``.

    ``mixed`` may be pixels that are read where they are asked for. ``memory`` is the working memory of all
    workers together, bytes; None asks the machine.
    """
    with evaluating(vse):
        passes = Passes.plan(
            vse,
            mixed,
            samples,
            seed,
            tile=tile,
            sample_batch=sample_batch,
            halo=halo,
            held=sum(summary.held(samples) for summary in (Spread(), *summaries)),
            workers=workers,
            memory=memory,
        )
        for summary in summaries:
            summary.check(passes)
    return passes


def predict_tiles(
    passes: Passes,
    put: Put,
    *,
    samples: int,
    workers: int = 1,
    summaries: Sequence[Summary] = (),
    progress: Progress | None = None,
    visit: Visit | None = None,
    further: Further | None = None,
) -> None:
    """Mean, std and what else is asked for, of one tile after the other.

    Args:
        passes: of ``plan``, with the same samples, workers and summaries.
        put: gets every tile, in their order, in the thread of the caller.
        samples: see ``posterior.predict``; so are the others.
        workers: no more tiles than twice as many are kept at any time.
        summaries: what else to make of the samples.
        progress: told after every sample of every tile.
        visit: shown every sample of every tile.
        further: makes images of what the others have made.
    """
    wanted = (Spread(), *summaries)
    done = _Counter(samples * len(passes.tiles), progress)

    def images_of(tile: Tile) -> Images:
        collectors = [summary.begin() for summary in wanted]
        for number, draw in enumerate(passes.draws(tile, range(samples))):
            for collector in collectors:
                collector.add(draw)
            if visit is not None:
                visit(number, tile.inner.slices, draw.signal)
            done.tick()
        images = {name: image for c in collectors for name, image in c.images().items()}
        dtype = images["mean"].dtype
        images = {name: image.astype(dtype, copy=False) for name, image in images.items()}
        return images if further is None else {**images, **further(passes, tile, images)}

    with evaluating(passes.vse):
        for part, images in zip(passes.tiles, _each(images_of, passes.tiles, workers), strict=True):
            put(part, images)


class _Counter:
    """Counts finished samples, whichever thread finished them."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress, self._lock = 0, total, progress, Lock()

    def tick(self) -> None:
        with self._lock:
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self._total)


def _each(function: Callable[[Tile], Images], tiles: Sequence[Tile], workers: int) -> Iterator[Images]:
    """Results in the order of the tiles, from as many threads as there are workers."""
    if workers == 1:
        yield from map(function, tiles)
        return
    waiting: deque[Future[Images]] = deque()
    rest = iter(tiles)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        # Tiles are begun as results are taken: finished ones must not pile up.
        waiting.extend(pool.submit(function, tile) for tile in islice(rest, 2 * workers))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(function, tile) for tile in islice(rest, 1))
        finally:
            for future in waiting:
                future.cancel()
