"""Standard normal numbers are the same wherever they are made, within a few units in the last place."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from denoisplit.core.network.normals import ANGLE, CHUNK, box_muller, normals
from denoisplit.core.network.philox import Purpose, Streams, computed_words
from denoisplit.testing.simulated_device import simulated_device

DEVICE = simulated_device()
CPU = torch.device("cpu")
ULPS = 4


def streams(
    seed: int = 0,
    numbers: range = range(1),
    *,
    z: range = range(1),
    y: range = range(1),
    x: range = range(1),
) -> Streams:
    return Streams(seed=seed, purpose=Purpose.LATENT, numbers=numbers, z=z, y=y, x=x)


def ulps(found: torch.Tensor, exact: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> float:
    """Largest distance, in units in the last place."""
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    return float((np.abs(found.double().numpy() - exact) / unit).max())


def test_the_formula() -> None:
    """In float64, from arguments that float32 holds."""
    bits = computed_words(streams(5), 5000 * CHUNK // 8, CPU)[0, 0, 0, 0]
    first, second = bits.view(-1, 2, CHUNK // 2).numpy().swapaxes(0, 1)
    u = np.maximum(np.abs(first.astype(np.float32)), 0.25).astype(np.float64) / 2**31
    angle = (second.astype(np.float32) * np.float32(ANGLE)).astype(np.float64)
    radius = np.sqrt(-2 * np.log(u))
    exact = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()
    assert ulps(normals(streams(5), len(exact), CPU).flatten(), exact) <= ULPS
    assert ulps(normals(streams(5), len(exact), DEVICE).cpu().flatten(), exact) <= ULPS


def test_numbers_never_change() -> None:
    found = normals(streams(11, range(-3, -2), z=range(2, 3)), CHUNK + 1, CPU).flatten()
    places = [0, 1, 31, 32, CHUNK - 1, CHUNK]
    assert (
        ulps(
            found[places],
            np.array(
                [
                    -0.7753645181655884,
                    -0.585382342338562,
                    -0.4394126534461975,
                    1.2281785011291504,
                    -1.2346054315567017,
                    1.0603573322296143,
                ]
            ),
        )
        <= ULPS
    )


def test_the_ends_of_what_words_can_be() -> None:
    """No infinity and nothing that is no number, and the farthest numbers are 6.8 from zero."""
    ends = torch.tensor([0, 1, -1, 2**31 - 1, -(2**31)], dtype=torch.int32)
    first, second = ends.repeat_interleave(len(ends)), ends.repeat(len(ends))
    bits = torch.zeros(2, CHUNK // 2, dtype=torch.int32)
    bits[0, : len(first)], bits[1, : len(first)] = first, second
    found = box_muller(bits.flatten(), torch.empty(CHUNK))
    assert torch.isfinite(found).all()
    assert float(found.abs().max()) == pytest.approx(math.sqrt(66 * math.log(2)))


def test_numbers_are_standard_normal_and_white() -> None:
    found = normals(streams(1, range(4)), 1024 * CHUNK, CPU).double().numpy().reshape(-1, CHUNK)
    assert stats.kstest(found.ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(np.square(found.reshape(-1, 2, CHUNK // 2)).sum(1).ravel() / 2, "expon").pvalue > 1e-3
    for axis, shift in ((0, 1), (1, 1), (1, CHUNK // 2)):
        product = found * np.roll(found, shift, axis=axis)
        assert abs(np.mean(product)) < 4 / math.sqrt(found.size)


@settings(max_examples=20)
@given(count=st.integers(1, 5000 * CHUNK), more=st.integers(0, 99 * CHUNK))
def test_more_numbers_leave_the_first_as_they_are(count: int, more: int) -> None:
    assert torch.equal(normals(streams(), count, CPU), normals(streams(), count + more, CPU)[..., :count])


def test_every_stream_has_its_own_numbers() -> None:
    whole = normals(streams(3, range(2, 4), y=range(-1, 1), x=range(3)), CHUNK, CPU)
    for place in np.ndindex(2, 1, 2, 3):
        number, _, y, x = place
        own = streams(3, range(2 + number, 3 + number), y=range(y - 1, y), x=range(x, x + 1))
        assert torch.equal(whole[place], normals(own, CHUNK, CPU).flatten())


def test_numbers_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    several = streams(0, range(5))
    one = normals(several, 5000 * CHUNK, CPU)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(one, normals(several, 5000 * CHUNK, CPU))
