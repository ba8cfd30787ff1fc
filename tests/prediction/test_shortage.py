"""Memory that is not enough: the same numbers, in smaller parts, and one line that says so."""

from functools import partial

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import DenoisplitError
from denoisplit.core.network.interfaces import Features
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import assembled, predict
from denoisplit.core.prediction.samples.engine import Work, run
from denoisplit.core.prediction.samples.passes import Passes
from denoisplit.core.prediction.samples.summaries import (
    Collector,
    Images,
    Made,
    NoiseVariance,
    Spread,
    Summary,
)
from denoisplit.core.prediction.tiles.plan import plan_planes
from denoisplit.core.prediction.tiles.receptive_field import halo
from denoisplit.core.prediction.tiles.tiling import Tile
from denoisplit.core.spec.records import PredictionSpec
from tests.prediction.networks import MapNoise, small_vse

HOW = PredictionSpec(samples=4, seed=1)
FULL: Exception = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def image(*shape: int) -> Float32Array:
    return np.random.default_rng(0).normal(120, 30, shape).astype(np.float32)


class Sums(Summary):
    """Fact: the sum of the mean of a tile."""

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        del passes, tile
        return _Sums()


class _Sums(Collector):
    def finish(self, images: Images) -> Made:
        return Made(facts={"sum": images["mean"].reshape(len(images["mean"]), -1).sum(1)})


def with_room_for(
    vse: VSE, pixels: int, monkeypatch: pytest.MonkeyPatch, error: Exception = FULL
) -> list[int]:
    """No pass over more pixels, those of all samples counted; gives the sizes of the passes that failed."""
    halo(vse)
    encode, sample_maps, failed = vse.encode, vse.sample_maps, list[int]()

    def check(size: int) -> None:
        if size > pixels:
            failed.append(size)
            raise error

    def encoded(mixed: Tensor) -> Features:
        check(mixed[0, 0].numel())
        return encode(mixed)

    def sampled(features: Features, noise: NoiseSource) -> Tensor:
        maps = sample_maps(features, noise)
        check(len(maps) * maps[0, 0].numel())
        return maps

    monkeypatch.setattr(vse, "encode", encoded)
    monkeypatch.setattr(vse, "sample_maps", sampled)
    return failed


KINDS = {
    "plain": partial(small_vse, levels=1),
    "context": partial(small_vse, levels=1, context={"input_scales": 2}),
    "stack": partial(small_vse, levels=1, rank=3),
}


def work_of(vse: VSE, mixed: Float32Array, *, tile: int = 0, batch: int = 1) -> Work:
    plan = plan_planes(vse, mixed.shape, attrs.evolve(HOW, tile=tile))
    # Planned for a processor, which takes one sample at a time; what a GPU does is the same code.
    return Work(vse, attrs.evolve(plan, batch=batch), lambda _: mixed, [Spread(), Sums()])


@pytest.mark.parametrize("tile", [0, 24])
@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_stay_the_same(kind: str, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vse = KINDS[kind]()
    mixed = image(*(5, 12, 71) if kind == "stack" else (130, 71))
    whole, facts = assembled(mixed.shape, run(work_of(vse, mixed, tile=tile)))
    work = work_of(vse, mixed, tile=tile, batch=4)
    largest = max(one.outer.pixels for one in work.plan.tiles)
    failed = with_room_for(vse, largest * 9 // 10, monkeypatch)
    cut, parts = assembled(mixed.shape, run(work))
    assert failed
    assert len(parts) > len(facts)
    for name, expected in whole.items():
        np.testing.assert_allclose(cut[name], expected, rtol=1e-9)
    found, sums = (np.sum([one["sum"] for one in some], axis=0) for some in (parts, facts))
    np.testing.assert_allclose(found, sums, rtol=1e-9)


def test_samples_are_halved_first_then_tiles_and_what_was_learnt_is_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    vse, mixed = small_vse(levels=1), image(32, 960)
    work = work_of(vse, mixed, tile=128, batch=4)
    inside = max(one.outer.pixels for one in work.plan.tiles)
    failed = with_room_for(vse, inside - 1, monkeypatch)
    done = list(run(work))
    assert len(done) == len(work.plan) > len(failed)
    assert len(caplog.messages) == len(failed) == 3, "each is told once, and later tiles do not fail first"
    assert [message.rpartition("going on with ")[2] for message in caplog.messages[:2]] == ["2", "1"]
    assert caplog.messages[2] == (
        f"the memory is not enough for 1 sample of 32 x {inside // 32} pixels; going on with smaller tiles"
    )


def test_progress_counts_a_sample_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vse, mixed, ticks = small_vse(levels=1), image(16, 96), list[tuple[int, int]]()
    with_room_for(vse, 16 * 95, monkeypatch)
    list(run(work_of(vse, mixed, batch=2), progress=lambda *now: ticks.append(now)))
    assert ticks == [(number, 4) for number in range(1, 5)]


def test_what_cannot_be_cut_further_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    vse, mixed = small_vse(levels=1), image(16, 96)
    with_room_for(vse, 20, monkeypatch, MemoryError("Unable to allocate\n 2.00 GiB"))
    with pytest.raises(DenoisplitError, match=r"pixels, and .* further \(got: Unable to allocate 2.00 GiB"):
        list(run(work_of(vse, mixed)))


def test_a_processor_says_it_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    vse, mixed = small_vse(levels=1), image(16, 96)
    expected = predict(vse, mixed, HOW).mean
    words = RuntimeError(
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 2147483648 bytes."
    )
    failed = with_room_for(vse, 16 * 95, monkeypatch, words)
    np.testing.assert_allclose(predict(vse, mixed, HOW).mean, expected, rtol=1e-9)
    assert failed


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    vse = small_vse(levels=1)
    failed = with_room_for(vse, 10, monkeypatch, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        predict(vse, image(16, 96), HOW)
    assert len(failed) == 1


def test_what_sees_the_whole_image_is_not_cut_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    vse = small_vse(levels=1, noise_model=MapNoise(averaged=True))
    with_room_for(vse, 16 * 95, monkeypatch)
    with pytest.raises(DenoisplitError, match="averages over the image"):
        predict(vse, image(16, 96), HOW, summaries=[NoiseVariance()])
