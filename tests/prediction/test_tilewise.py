"""Tiles one after the other, from pixels that are not in memory, and no more at once than are needed."""

import threading

import numpy as np

from denoisplit.core.images.interfaces import FloatArray
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.images.streamed import as_array
from denoisplit.core.prediction.memory import STREAMED_BUDGET
from denoisplit.core.prediction.posterior import predict
from denoisplit.core.prediction.summaries import Images
from denoisplit.core.prediction.tilewise import plan, predict_tiles
from denoisplit.core.prediction.tiling import Tile
from tests.prediction.networks import small_vse

REGULAR = small_vse(levels=2, context={"input_scales": 3})


def noise(*shape: int) -> FloatArray:
    return np.random.default_rng(0).normal(120, 30, shape).astype(np.float32)


def lazily(image: FloatArray) -> FloatArray:
    return as_array(LazyPixels(shape=image.shape, dtype=image.dtype, read=image.__getitem__, source="test"))


def test_pixels_that_are_not_in_memory_give_the_same_bits() -> None:
    for vse in (small_vse(), REGULAR):
        image = noise(75, 53)
        expected = predict(vse, image, samples=2, seed=3, tile=32)
        found = predict(vse, lazily(image), samples=2, seed=3, tile=32, workers=2)
        np.testing.assert_array_equal(found.mean, expected.mean)
        np.testing.assert_array_equal(found.std, expected.std)
        assert found.seams == expected.seams


def test_only_the_surround_of_a_tile_is_read() -> None:
    vse, image = small_vse(), noise(64, 640)
    sizes: list[int] = []

    def read(region: tuple[slice, ...]) -> FloatArray:
        sizes.append(int(np.prod([part.stop - part.start for part in region])))
        return image[region]

    lazy = as_array(LazyPixels(shape=image.shape, dtype=image.dtype, read=read, source="test"))
    passes = plan(vse, lazy, samples=1, seed=0, tile=32)
    predict_tiles(passes, lambda _tile, _images: None, samples=1)
    assert len(sizes) == len(passes.tiles)
    assert max(sizes) == max(np.prod(tile.outer.shape) for tile in passes.tiles) < image.size / 2


def test_finished_tiles_do_not_pile_up() -> None:
    """The consumer holds up the workers: no tile is begun that is more than two per worker ahead."""
    vse, image, workers = small_vse(), noise(32, 960), 2
    begun: list[Tile] = []
    taken: list[int] = []
    lock = threading.Lock()

    def further(_passes: object, tile: Tile, _images: Images) -> Images:
        with lock:
            begun.append(tile)
        return {}

    def put(_tile: Tile, _images: Images) -> None:
        with lock:
            taken.append(len(begun))

    passes = plan(vse, image, samples=1, seed=0, tile=32, workers=workers)
    predict_tiles(passes, put, samples=1, workers=workers, further=further)
    assert len(taken) == len(passes.tiles) > 4 * workers
    assert all(count <= number + 1 + 2 * workers for number, count in enumerate(taken))


def test_tiles_fit_the_memory_whatever_the_size_of_the_image() -> None:
    vse = small_vse()
    areas = []
    for side in (4096, 16384):
        image = as_array(
            LazyPixels(
                shape=(side, side), dtype=np.dtype(np.float32), read=lambda _: np.zeros(()), source="test"
            )
        )
        passes = plan(vse, image, samples=2, seed=0, memory=STREAMED_BUDGET / 16)
        areas.append(max(np.prod(tile.outer.shape) for tile in passes.tiles))
        assert areas[-1] * 64 < STREAMED_BUDGET / 16
    assert 0.8 < areas[0] / areas[1] < 1.25
