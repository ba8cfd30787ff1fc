"""Running moments against numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.prediction.samples import moments as moments_of_samples
from denoisplit.core.prediction.samples.moments import Moments
from denoisplit.testing.simulated_device import Transfers, counted_transfers, simulated_device

DEVICE = simulated_device()


@settings(max_examples=30)
@given(count=st.integers(2, 40), offset=st.floats(-1e6, 1e6), seed=st.integers(0, 100))
def test_equal_to_two_passes(count: int, offset: float, seed: int) -> None:
    samples = np.random.default_rng(seed).normal(offset, 1.0, (count, 2, 3, 4))
    moments = Moments()
    for sample in samples:
        moments.add(torch.from_numpy(sample))
    np.testing.assert_allclose(moments.mean, samples.mean(0), rtol=1e-12)
    assert moments.std is not None
    np.testing.assert_allclose(moments.std, samples.std(0, ddof=1), rtol=1e-8)


def test_float32_samples_on_a_large_offset_keep_their_spread() -> None:
    """Sums of squares in float32 would lose a spread of 1 on an offset of 60000 entirely."""
    samples = np.random.default_rng(0).normal(60000, 1, (50, 8, 8)).astype(np.float32)
    moments = Moments()
    for sample in samples:
        moments.add(torch.from_numpy(sample))
    assert moments.std is not None
    assert moments.std.dtype == np.float32
    np.testing.assert_allclose(moments.std, samples.astype(np.float64).std(0, ddof=1), rtol=1e-6)


def test_one_sample_has_a_mean_but_no_spread() -> None:
    moments = Moments()
    with pytest.raises(ValueError, match="no sample was added"):
        _ = moments.mean
    moments.add(torch.ones(2, 2))
    assert moments.std is None
    np.testing.assert_array_equal(moments.mean, 1)


def test_samples_of_a_device_give_the_bits_of_the_processor_and_come_back_once() -> None:
    samples = torch.randn(5, 3, 40, 300).mul(2).add(1000)  # in several pieces
    here, there = Moments(), Moments()
    for sample in samples:
        here.add(sample)
    with counted_transfers() as found:
        for sample in samples.to(DEVICE):
            there.add(sample)
        mean, std = there.mean, there.std
    assert found == Transfers(there=1, back=2)
    np.testing.assert_array_equal(mean, here.mean)
    assert std is not None
    assert here.std is not None
    np.testing.assert_array_equal(std, here.std)


def test_a_device_without_numbers_of_64_bits_hands_samples_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a Mac."""
    monkeypatch.setattr(moments_of_samples, "has_float64", lambda device: device.type == "cpu")
    moments = Moments()
    with counted_transfers() as found:
        for sample in torch.ones(3, 2, 2).to(DEVICE):
            moments.add(sample)
        np.testing.assert_array_equal(moments.std, np.zeros((2, 2)))
    assert found == Transfers(there=1, back=3)


def test_the_spread_is_exactly_the_root_of_the_variance() -> None:
    samples = np.random.default_rng(0).normal(120, 30, (5, 12600))
    moments, mean, squares = Moments(), np.zeros(12600), np.zeros(12600)
    for number, sample in enumerate(samples, 1):
        moments.add(torch.from_numpy(sample))
        before = sample - mean
        mean = mean + before / number
        squares = squares + before * (sample - mean)
    np.testing.assert_array_equal(moments.mean, mean)
    np.testing.assert_array_equal(moments.std, np.sqrt(squares / 4))
