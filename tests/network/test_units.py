"""Counts and normalised units meet in one place."""

import attrs
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.errors import ChannelCountError
from denoisplit.core.network.interfaces import IntensityStats
from tests.network.small import counts, fixed, network, statistics

numbers = st.floats(-1e4, 1e4)
scales = st.floats(1e-3, 1e4)


@settings(max_examples=20)
@given(mean=st.tuples(numbers, numbers), std=st.tuples(scales, scales), rank=st.sampled_from([2, 3]))
def test_normalising_is_undone_by_to_counts(
    mean: tuple[float, float], std: tuple[float, float], rank: int
) -> None:
    stats = IntensityStats(mixed_mean=mean[0], mixed_std=std[0], target_mean=mean, target_std=std)
    signal = torch.randn(2, 2, *[3] * rank, dtype=torch.float64)
    in_counts = stats.to_counts(signal)
    for channel in range(2):
        torch.testing.assert_close(in_counts[:, channel], signal[:, channel] * std[channel] + mean[channel])
    torch.testing.assert_close(
        stats.normalise_mixed(signal[:, :1] * std[0] + mean[0]), signal[:, :1], rtol=1e-6, atol=1e-6
    )


@settings(max_examples=4)
@given(factor=st.floats(0.1, 10), offset=st.floats(-50, 50))
def test_other_units_of_the_images_are_other_statistics_and_nothing_else(
    factor: float, offset: float
) -> None:
    """Images on another scale, with the statistics of that scale, give the same signal on that scale."""
    vse = network()
    mixed, _ = counts(vse, (8, 8))
    noise = fixed(vse, (8, 8))
    with torch.no_grad():
        signal = vse.sample(vse.encode(mixed), noise)
        old = vse.statistics
        vse.statistics = IntensityStats(
            mixed_mean=old.mixed_mean * factor + offset,
            mixed_std=old.mixed_std * factor,
            target_mean=[m * factor + offset for m in old.target_mean],
            target_std=[s * factor for s in old.target_std],
        )
        rescaled = vse.sample(vse.encode(mixed * factor + offset), noise)
    torch.testing.assert_close(rescaled, signal * factor + offset)


def test_what_was_changed_in_place_is_not_used_again() -> None:
    """Statistics are numbers, however often they have been asked for as a tensor."""
    stats, signal = statistics(2), torch.ones(1, 2, 4, 4)
    expected = stats.to_counts(signal)
    stats.per_channel(stats.target_std, signal).mul_(2)
    torch.testing.assert_close(stats.to_counts(signal), expected, rtol=0, atol=0)


def test_statistics_of_other_channels_are_refused() -> None:
    with pytest.raises(ChannelCountError, match=r"target_mean has 2 channels, target_std has\s+1\."):
        IntensityStats(mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0, 1.0), target_std=(1.0,))
    with pytest.raises(ChannelCountError, match="the image has 3 channels, the statistics 2"):
        statistics(2).to_counts(torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan"), float("inf")])
def test_a_std_is_finite_and_positive(std: float) -> None:
    with pytest.raises(ValueError, match="'target_std' must be finite and > 0"):
        attrs.evolve(statistics(2), target_std=(1.0, std))
    with pytest.raises(ValueError, match="'mixed_std' must be finite and > 0"):
        attrs.evolve(statistics(2), mixed_std=std)
