"""Tiles one after the other, from pixels that are not in memory, and no more at once than are needed."""

import threading

import numpy as np

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.prediction.samples.engine import Work, run
from denoisplit.core.prediction.samples.passes import Passes
from denoisplit.core.prediction.samples.summaries import Collector, Spread, Summary
from denoisplit.core.prediction.tiles.memory import STREAMED_BUDGET
from denoisplit.core.prediction.tiles.plan import plan_planes
from denoisplit.core.prediction.tiles.tiling import Tile
from denoisplit.core.spec.records import PredictionSpec
from tests.prediction.networks import small_vse

REGULAR = small_vse(levels=2, context={"input_scales": 3})


def noise(*shape: int) -> Float32Array:
    return np.random.default_rng(0).normal(120, 30, shape).astype(np.float32)


def lazily(image: Float32Array) -> LazyPixels:
    return LazyPixels(shape=image.shape, dtype=image.dtype, read=image.__getitem__, source="test")


def test_pixels_that_are_not_in_memory_give_the_same_bits() -> None:
    for vse in (small_vse(), REGULAR):
        image = noise(75, 53)
        expected = predict(vse, image, PredictionSpec(samples=2, seed=3, tile=32))
        found = predict(vse, lazily(image), PredictionSpec(samples=2, seed=3, tile=32), workers=2)
        np.testing.assert_array_equal(found.mean, expected.mean)
        np.testing.assert_array_equal(found.std, expected.std)
        assert found.seams == expected.seams


def test_only_the_surround_of_a_tile_is_read() -> None:
    vse, image = small_vse(), noise(64, 640)
    sizes: list[int] = []

    def read(region: tuple[slice, ...]) -> Float32Array:
        sizes.append(int(np.prod([part.stop - part.start for part in region])))
        return image[region]

    lazy = LazyPixels(shape=image.shape, dtype=image.dtype, read=read, source="test")
    plan = plan_planes(vse, lazy.shape, PredictionSpec(samples=1, tile=32))
    assert len(list(run(Work(vse, plan, lambda _: lazy, [Spread()])))) == len(plan.tiles)
    assert len(sizes) == len(plan.tiles)
    assert max(sizes) == max(np.prod(tile.outer.shape) for tile in plan.tiles) < image.size / 2


class Counted(Summary):
    """Remembers the tiles that were begun."""

    def __init__(self) -> None:
        self.tiles: list[Tile] = []
        self._lock = threading.Lock()

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        with self._lock:
            self.tiles.append(tile)
        return Spread().begin(passes, tile)


def test_finished_tiles_do_not_pile_up() -> None:
    """The consumer holds up the workers: no tile is begun that is more than two per worker ahead."""
    vse, image, workers, begun = small_vse(), noise(32, 960), 2, Counted()
    plan = plan_planes(vse, image.shape, PredictionSpec(samples=1, tile=32), workers=workers)
    taken = [len(begun.tiles) for _ in run(Work(vse, plan, lambda _: image, [begun]), workers=workers)]
    assert len(taken) == len(plan) > 4 * workers
    assert all(count <= number + 1 + 2 * workers for number, count in enumerate(taken))


def test_planes_follow_each_other_and_share_the_plan() -> None:
    """A movie of small frames keeps all workers busy, and every frame is that of a prediction of its own."""
    vse, movie = small_vse(), noise(5, 24, 20)
    how = PredictionSpec(samples=2, seed=3)
    plan = plan_planes(vse, movie.shape[1:], how, planes=5, workers=2)
    found = list(run(Work(vse, plan, lambda number: movie[number], [Spread()]), workers=2))
    assert [job.plane for job, _ in found] == list(range(5))
    for job, one in found:
        np.testing.assert_array_equal(one.images["mean"], predict(vse, movie[job.plane], how).mean)
    assert str(plan) == "5 planes of 24 x 20 pixels, 1 tile of up to 24 x 20 each, 2 samples"


def test_tiles_fit_the_memory_whatever_the_size_of_the_image() -> None:
    vse = small_vse()
    areas = []
    for side in (4096, 16384):
        plan = plan_planes(vse, (side, side), PredictionSpec(samples=2), memory=STREAMED_BUDGET / 16)
        areas.append(max(np.prod(tile.outer.shape) for tile in plan.tiles))
        assert areas[-1] * 64 < STREAMED_BUDGET / 16
    assert 0.8 < areas[0] / areas[1] < 1.25
