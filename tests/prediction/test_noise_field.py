"""Latent noise is a function of place, whatever it is made by."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from denoisplit.core.network.normals import normals
from denoisplit.core.network.philox import Purpose, Streams
from denoisplit.core.prediction.latents.noise_field import BLOCK_SIDE, FieldNoise
from denoisplit.core.prediction.samples.passes import FIELDS
from denoisplit.testing.simulated_device import Transfers, counted_transfers, simulated_device

DEVICE = simulated_device()
NEW, OLD = "box_muller", "ziggurat"

every_field = pytest.mark.parametrize("name", FIELDS)


def window(
    name: str,
    start: tuple[int, ...],
    shape: tuple[int, ...],
    *,
    seed: int = 0,
    sample: int = 0,
    level: int = 0,
    channels: int = 2,
) -> Tensor:
    strides = ((1,) * len(start),) * (level + 1)
    noise = FieldNoise(FIELDS[name](seed), [sample], [start], strides)
    return noise.normal(level, torch.empty(1, channels, *shape))[0]


@settings(max_examples=40)
@given(data=st.data(), name=st.sampled_from(list(FIELDS)), rank=st.sampled_from([1, 2, 3]))
def test_a_window_is_a_piece_of_every_larger_window(data: st.DataObject, name: str, rank: int) -> None:
    numbers = st.tuples(*[st.integers(-70, 70)] * rank)
    sizes = st.tuples(*[st.integers(1, 20)] * rank)
    start, shape, before, after = (data.draw(s) for s in (numbers, sizes, sizes, sizes))
    low = tuple(a - b for a, b in zip(start, before, strict=True))
    size = tuple(b + n + c for b, n, c in zip(before, shape, after, strict=True))
    cut = tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True))
    assert torch.equal(window(name, start, shape), window(name, low, size)[:, *cut])


@every_field
def test_numbers_are_standard_normal_and_white(name: str) -> None:
    numbers = window(name, (-100, 37), (200, 200), channels=4).numpy().astype(np.float64)
    assert stats.kstest(numbers.ravel(), "norm").pvalue > 1e-3
    n = numbers[0].size
    for axis in (0, 1, 2):  # neighbouring channels and places are uncorrelated: |r| < 4 / sqrt(n)
        shifted = np.roll(numbers, 1, axis=axis)
        assert abs(np.mean(numbers * shifted)) < 4 / np.sqrt(4 * n)


@every_field
@pytest.mark.parametrize(("seed", "sample", "level"), [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_seeds_samples_and_levels_are_independent(name: str, seed: int, sample: int, level: int) -> None:
    one = window(name, (0, 0), (128, 128)).numpy().ravel()
    two = window(name, (0, 0), (128, 128), seed=seed, sample=sample, level=level).numpy().ravel()
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / np.sqrt(one.size)


@every_field
def test_no_block_repeats_another(name: str) -> None:
    """Blocks differ by level and by every axis, also for negative indices."""
    side, sides = BLOCK_SIDE[3], (3 * BLOCK_SIDE[3],) * 3
    found = [window(name, (-side,) * 3, sides, level=level, channels=1)[0] for level in (0, 1)]
    first = {float(number) for level in found for number in level[::side, ::side, ::side].flatten()}
    assert len(first) == 2 * 27


@every_field
def test_more_channels_leave_the_first_ones_alone(name: str) -> None:
    few, more = (window(name, (5, -3), (9, 40), channels=channels) for channels in (2, 5))
    assert torch.equal(more[:2], few)


@every_field
def test_every_batch_item_has_its_own_sample_and_origin(name: str) -> None:
    strides = ((2, 2), (4, 8))
    samples, places = [4, 9, 10, 3], [(16, 8), (-8, 32), (-8, 32), (-8, 32)]
    noise = FieldNoise(FIELDS[name](7), samples, places, strides)
    like = torch.empty(4, 3, 5, 6, dtype=torch.float64)
    drawn = noise.normal(1, like)
    assert drawn.dtype == torch.float64
    for item, (sample, (y, x)) in enumerate(zip(samples, places, strict=True)):
        alone = window(name, (y // 4, x // 8), (5, 6), seed=7, sample=sample, level=1, channels=3)
        assert torch.equal(drawn[item].float(), alone)


@pytest.mark.parametrize(("start", "shape"), [((-5, 30), (40, 7)), ((3,), (2000,)), ((1, -9, 6), (9, 5, 20))])
def test_a_device_makes_the_same_numbers_without_a_copy(
    start: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    """Of several samples at a time."""
    strides = ((1,) * len(start),)
    noise = FieldNoise(FIELDS[NEW](7), [2, 3], [start] * 2, strides)
    like = torch.empty(2, 3, *shape)
    there = like.to(DEVICE)
    with counted_transfers() as found:
        drawn = noise.normal(0, there)
    assert found == Transfers()
    assert drawn.device == DEVICE
    torch.testing.assert_close(drawn.cpu(), noise.normal(0, like), rtol=5e-7, atol=0)


def test_the_field_of_early_versions_never_changes() -> None:
    """Old predictions have to stay reproducible: Philox with key (seed, sample), level in word 1."""
    counter = np.array([0, 1 << 32, 0, 2**64 - 1], dtype=np.uint64)
    philox = np.random.Philox(counter=counter, key=np.array([7, 2], dtype=np.uint64))
    expected = np.random.Generator(philox).standard_normal((1, 32, 32), dtype=np.float32)
    got = window(OLD, (0, -32), (32, 32), seed=7, sample=2, level=1, channels=1)
    np.testing.assert_array_equal(got.numpy(), expected)


def test_the_field_never_changes() -> None:
    """A block takes its numbers in order from the stream of its place."""
    streams = Streams(seed=7, purpose=Purpose.FIELD, numbers=range(2, 3), level=1, y=range(1), x=range(-1, 0))
    expected = normals(streams, 3 * 32 * 32, torch.device("cpu")).view(3, 32, 32)
    assert torch.equal(window(NEW, (0, -32), (32, 32), seed=7, sample=2, level=1, channels=3), expected)


@every_field
def test_numbers_do_not_depend_on_the_number_of_threads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = window(name, (0, 0), (100, 100))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert torch.equal(one, window(name, (0, 0), (100, 100)))


@every_field
def test_an_origin_between_latent_positions_is_refused(name: str) -> None:
    noise = FieldNoise(FIELDS[name](0), [0], [(4, 2)], ((2, 2), (4, 4)))
    noise.normal(0, torch.empty(1, 1, 2, 2))
    with pytest.raises(ValueError, match="multiple of the stride"):
        noise.normal(1, torch.empty(1, 1, 1, 1))
    with pytest.raises(ValueError, match="batch of 2"):
        noise.normal(0, torch.empty(2, 1, 2, 2))
