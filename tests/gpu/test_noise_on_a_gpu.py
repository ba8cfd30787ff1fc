"""Noise on a CUDA device is that of the processor: the same integers, and nearly the same numbers."""

import pytest
import torch
from torch import Tensor

from denoisplit.core.network.kernels import kernels_of
from denoisplit.core.network.normals import CHUNK, COUNTERS, box_muller, normals, words
from denoisplit.core.network.philox import Purpose, Streams, computed_words
from denoisplit.core.prediction.latents.box_muller_field import BoxMullerField

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]

CPU, GPU = torch.device("cpu"), torch.device("cuda")
CHUNKS = 1000
STREAMS = Streams(
    seed=2**64 - 5, purpose=Purpose.LATENT, numbers=range(-2, 1), level=3, z=range(-1, 1), y=range(4, 6)
)


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found.cpu(), expected, rtol=4 * 2**-23, atol=0)


def test_integers_are_the_same() -> None:
    expected = words(STREAMS, 130, CPU)
    assert torch.equal(computed_words(STREAMS, 130, GPU).cpu(), expected)
    assert torch.equal(words(STREAMS, 130, GPU).cpu(), expected)


def test_numbers_are_the_same_with_and_without_a_kernel() -> None:
    expected = normals(STREAMS, CHUNKS * CHUNK, CPU)
    assert_close(normals(STREAMS, CHUNKS * CHUNK, GPU), expected)
    bits = computed_words(STREAMS, CHUNKS * COUNTERS, GPU)
    assert_close(box_muller(bits, torch.empty(bits.shape, device=GPU)), expected)


def test_a_kernel_is_used_where_triton_is() -> None:
    pytest.importorskip("triton")
    assert kernels_of(GPU) is not None


def test_windows_of_the_field_are_the_same() -> None:
    like, starts = torch.empty(3, 5, 40, 70), [(-9, 20), (-9, 20), (4, 4)]
    expected = BoxMullerField(7).windows(1, [3, 4, 5], starts, like)
    assert_close(BoxMullerField(7).windows(1, [3, 4, 5], starts, like.to(GPU)), expected)
