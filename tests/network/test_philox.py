"""Random words are the same wherever they are made."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from denoisplit.core.network.normals import words
from denoisplit.core.network.philox import WORDS, Purpose, Streams, computed_words, raw_words
from denoisplit.testing.simulated_device import Transfers, counted_transfers, simulated_device

DEVICE = simulated_device()
CPU = torch.device("cpu")

small = st.builds(lambda start, size: range(start, start + size), st.integers(-9, 9), st.integers(1, 3))
streams_of = st.builds(
    Streams,
    seed=st.integers(0, 2**64 - 1),
    purpose=st.sampled_from(Purpose),
    numbers=st.builds(lambda first: range(first, first + 2), st.integers(-(2**63), 2**63 - 3)),
    level=st.integers(0, 2**24 - 1),
    z=small,
    y=small,
    x=small,
)


def by_numpy(streams: Streams, counters: int) -> Tensor:
    parts = [raw_words(streams, [(stream, range(counters))]) for stream in streams.each()]
    return torch.from_numpy(np.array(parts)).view(*streams.shape, WORDS * counters)


@given(streams=streams_of, counters=st.integers(1, 4))
def test_torch_computes_the_words_of_numpy(streams: Streams, counters: int) -> None:
    expected = by_numpy(streams, counters)
    assert torch.equal(computed_words(streams, counters, CPU), expected)
    assert torch.equal(words(streams, counters, CPU), expected)


def test_a_device_makes_them_without_a_copy() -> None:
    streams = Streams(seed=2**63 + 1, purpose=Purpose.LATENT, numbers=range(3), level=2, y=range(5, 7))
    with counted_transfers() as found:
        there = words(streams, 3, DEVICE)
    assert found == Transfers()
    assert there.device == DEVICE
    assert torch.equal(there.cpu(), by_numpy(streams, 3))


def test_words_never_change() -> None:
    """What was once predicted has to stay so, with every version of numpy and torch."""
    streams = Streams(
        seed=2**64 - 5,
        purpose=Purpose.DROPOUT,
        numbers=range(-7, -6),
        level=3,
        z=range(-2, -1),
        x=range(9, 10),
    )
    assert by_numpy(streams, 1).flatten().tolist() == [
        60888831,
        -1118569763,
        -412027637,
        -415792632,
        -932370084,
        1305551784,
        222262055,
        266731279,
    ]


def test_words_go_on_from_any_counter() -> None:
    streams = Streams(seed=3, purpose=Purpose.FIELD, numbers=range(1))
    (stream,) = streams.each()
    whole = raw_words(streams, [(stream, range(9))])
    parts = raw_words(streams, [(stream, range(4)), (stream, range(4, 9))])
    np.testing.assert_array_equal(parts, whole)


def test_no_two_streams_share_a_word() -> None:
    """Seeds, purposes, numbers, levels and places."""
    found: list[int] = []
    for seed in (0, 1):
        for purpose in Purpose:
            for level in (0, 1):
                streams = Streams(
                    seed=seed,
                    purpose=purpose,
                    numbers=range(-1, 2),
                    level=level,
                    z=range(-1, 2),
                    y=range(-1, 2),
                    x=range(-1, 2),
                )
                found += (
                    words(streams, 1, CPU).flatten(0, 3).contiguous().view(torch.int64).flatten().tolist()
                )
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(("seed", "level"), [(-1, 0), (2**64, 0), (0, 2**24), (0, -1)])
def test_what_does_not_fit_into_a_key_is_refused(seed: int, level: int) -> None:
    with pytest.raises(ValueError, match="level" if level else "seed"):
        Streams(purpose=Purpose.FIELD, numbers=range(1), seed=seed, level=level)
