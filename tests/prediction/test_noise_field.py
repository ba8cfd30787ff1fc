"""Latent noise is a function of place."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from denoisplit.core.prediction.noise_field import FieldNoise, NoiseField


def window(
    start: tuple[int, ...],
    shape: tuple[int, ...],
    *,
    seed: int = 0,
    sample: int = 0,
    level: int = 0,
    channels: int = 2,
) -> torch.Tensor:
    strides = ((1,) * len(start),) * (level + 1)
    noise = FieldNoise(NoiseField(seed), [sample], [start], strides)
    return noise.normal(level, torch.empty(1, channels, *shape))[0]


@settings(max_examples=40)
@given(data=st.data(), rank=st.sampled_from([1, 2, 3]))
def test_a_window_is_a_piece_of_every_larger_window(data: st.DataObject, rank: int) -> None:
    numbers = st.tuples(*[st.integers(-70, 70)] * rank)
    sizes = st.tuples(*[st.integers(1, 20)] * rank)
    start, shape, before, after = (data.draw(s) for s in (numbers, sizes, sizes, sizes))
    low = tuple(a - b for a, b in zip(start, before, strict=True))
    size = tuple(b + n + c for b, n, c in zip(before, shape, after, strict=True))
    cut = tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True))
    assert torch.equal(window(start, shape), window(low, size)[:, *cut])


def test_numbers_are_standard_normal_and_white() -> None:
    numbers = window((-100, 37), (200, 200), channels=4).numpy().astype(np.float64)
    assert stats.kstest(numbers.ravel(), "norm").pvalue > 1e-3
    n = numbers[0].size
    for axis in (0, 1, 2):  # neighbouring channels and places are uncorrelated: |r| < 4 / sqrt(n)
        shifted = np.roll(numbers, 1, axis=axis)
        assert abs(np.mean(numbers * shifted)) < 4 / np.sqrt(4 * n)


@pytest.mark.parametrize("other", [{"seed": 1}, {"sample": 1}, {"level": 1}])
def test_seeds_samples_and_levels_are_independent(other: dict[str, int]) -> None:
    one = window((0, 0), (128, 128)).numpy().ravel()
    two = window((0, 0), (128, 128), **other).numpy().ravel()
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / np.sqrt(one.size)


def test_no_block_repeats_another() -> None:
    """Blocks differ by level and by every axis, also for negative indices."""
    field = NoiseField(3)
    places = [
        (level, (z, y, x)) for level in (0, 1) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)
    ]
    first = {float(field.block(0, level, index, 1)[0, 0, 0, 0]) for level, index in places}
    assert len(first) == len(places)


def test_more_channels_leave_the_first_ones_alone() -> None:
    assert torch.equal(window((5, -3), (9, 40), channels=5)[:2], window((5, -3), (9, 40), channels=2))


def test_every_batch_item_has_its_own_sample_and_origin() -> None:
    strides = ((2, 2), (4, 8))
    noise = FieldNoise(NoiseField(7), [4, 9], [(16, 8), (-8, 32)], strides)
    like = torch.empty(2, 3, 5, 6, dtype=torch.float64)
    drawn = noise.normal(1, like)
    assert drawn.dtype == torch.float64
    for item, (sample, start) in enumerate([(4, (4, 1)), (9, (-2, 4))]):
        assert torch.equal(
            drawn[item].float(), window(start, (5, 6), seed=7, sample=sample, level=1, channels=3)
        )


def test_the_field_never_changes() -> None:
    """Old predictions have to stay reproducible: Philox with key (seed, sample), level in word 1."""
    counter = np.array([0, 1 << 32, 0, 2**64 - 1], dtype=np.uint64)
    philox = np.random.Philox(counter=counter, key=np.array([7, 2], dtype=np.uint64))
    expected = np.random.Generator(philox).standard_normal((1, 32, 32), dtype=np.float32)
    got = window((0, -32), (32, 32), seed=7, sample=2, level=1, channels=1)
    np.testing.assert_array_equal(got.numpy(), expected)


def test_numbers_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    one = window((0, 0), (100, 100))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert torch.equal(one, window((0, 0), (100, 100)))


def test_an_origin_between_latent_positions_is_refused() -> None:
    noise = FieldNoise(NoiseField(0), [0], [(4, 2)], ((2, 2), (4, 4)))
    noise.normal(0, torch.empty(1, 1, 2, 2))
    with pytest.raises(ValueError, match="multiple of the stride"):
        noise.normal(1, torch.empty(1, 1, 1, 1))
    with pytest.raises(ValueError, match="batch of 2"):
        noise.normal(0, torch.empty(2, 1, 2, 2))
