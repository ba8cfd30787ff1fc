"""Blocks change where a function is evaluated, not its value or its gradients."""

import pytest
import torch
from torch import Tensor

from denoisplit.core.network.pointwise import BLOCK, pointwise


def _skewed(observation: Tensor, signal: Tensor) -> Tensor:
    """A function with different derivatives in both arguments, and other numbers for each channel."""
    scale = torch.arange(1, signal.shape[1] + 1, dtype=signal.dtype).view(-1, *(1,) * (signal.ndim - 2))
    return -(observation - signal).square() / (scale * signal.exp()) - signal * observation.sin()


def _images(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(3, 2, 301, 211), (1, 3, 40, 64, 50), (2, 1, 1, BLOCK), (1, 1, 3, 4)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.preserve_format])
def test_value_and_both_gradients_are_those_of_one_call(
    shape: tuple[int, ...], layout: torch.memory_format
) -> None:
    observation, signal = _images(*shape, seed=0).requires_grad_(), _images(*shape, seed=1).requires_grad_()
    weight = _images(*shape, seed=2)
    # a network in channels-last hands over a signal in another layout than the observation
    laid = signal.movedim(1, -1).clone().movedim(-1, 1) if layout is torch.preserve_format else signal
    whole = torch.autograd.grad(
        (_skewed(observation, laid) * weight).sum(), [observation, signal], retain_graph=True
    )
    value = pointwise(_skewed, observation, laid)
    blocks = torch.autograd.grad((value * weight).sum(), [observation, signal])
    torch.testing.assert_close(value, _skewed(observation, laid))
    torch.testing.assert_close(blocks, whole)


def test_only_the_gradient_that_is_wanted_is_taken() -> None:
    observation, signal = _images(2, 2, 256, 256, seed=0), _images(2, 2, 256, 256, seed=1).requires_grad_()
    torch.autograd.backward(pointwise(_skewed, observation, signal).sum())
    assert observation.grad is None
    assert signal.grad is not None


def test_without_gradients_nothing_is_kept() -> None:
    observation, signal = _images(2, 2, 256, 256, seed=0), _images(2, 2, 256, 256, seed=1).requires_grad_()
    with torch.no_grad():
        assert not pointwise(_skewed, observation, signal).requires_grad


def test_a_block_is_never_the_whole_image() -> None:
    sizes: list[int] = []

    def watched(observation: Tensor, signal: Tensor) -> Tensor:
        sizes.append(signal.numel())
        return observation - signal

    image = _images(2, 3, 512, 100, seed=0)
    pointwise(watched, image, image)
    assert max(sizes) <= BLOCK
    assert sum(sizes) == image.numel()
