"""Blocks change where a function is evaluated, not its value or its gradients."""

import math

import pytest
import torch
from torch import Tensor

from denoisplit.core.network.latent import Level, gaussian, level_sums, stable_variance
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


def test_small_images_share_a_block() -> None:
    sizes: list[torch.Size] = []

    def watched(observation: Tensor, signal: Tensor) -> Tensor:
        sizes.append(signal.shape)
        return observation - signal

    many = _images(1600, 2, 6, 7, seed=0)
    value = pointwise(watched, many, 3 * many)
    assert [math.prod(size) <= BLOCK for size in sizes] == [True, True, True]
    assert sum(size[0] for size in sizes) == len(many)
    torch.testing.assert_close(value, -2 * many)


def test_a_block_is_never_the_whole_image() -> None:
    sizes: list[int] = []

    def watched(observation: Tensor, signal: Tensor) -> Tensor:
        sizes.append(signal.numel())
        return observation - signal

    image = _images(2, 3, 512, 100, seed=0)
    pointwise(watched, image, image)
    assert max(sizes) <= BLOCK
    assert sum(sizes) == image.numel()


def test_arguments_that_lie_channels_last_stay_so() -> None:
    given = [
        _images(2, 64, 40, 41, seed=seed).to(memory_format=torch.channels_last).requires_grad_()
        for seed in range(3)
    ]

    def function(first: Tensor, second: Tensor, third: Tensor) -> Tensor:
        return first * second.exp() + third.square()

    value = pointwise(function, *given)
    assert value.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(value, function(*given))
    whole = torch.autograd.grad(function(*given).square().sum(), given)
    torch.testing.assert_close(torch.autograd.grad(value.square().sum(), given), whole)


@pytest.mark.parametrize("analytic", [False, True])
@pytest.mark.parametrize("naive", [False, True])
def test_a_large_level_has_the_divergence_of_its_parts(analytic: bool, naive: bool) -> None:
    """Parts are small enough to be evaluated without blocks."""
    maps = [_images(2, 2 * 48, 40, 40, seed=seed).requires_grad_() for seed in range(2)]
    noise = _images(2, 48, 40, 40, seed=2)

    def sums(rows: slice) -> Tensor:
        posterior, prior = (gaussian(m[:, :, rows], clip=1.0, naive=naive) for m in maps)
        sample = posterior.mean + posterior.stddev * noise[:, :, rows]
        return level_sums((Level(posterior, prior, sample),), analytic=analytic)

    whole, parts = sums(slice(None)), [sums(slice(row, row + 8)) for row in range(0, 40, 8)]
    assert noise.numel() > BLOCK > noise[:, :, :8].numel()
    torch.testing.assert_close(whole, torch.stack(parts).sum(0))
    torch.testing.assert_close(
        torch.autograd.grad(whole.sum(), maps), torch.autograd.grad(torch.stack(parts).sum(), maps)
    )


def test_the_stable_variance_is_smooth_where_its_branches_meet() -> None:
    raw = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(stable_variance(raw).sum(), raw)
    assert slope.tolist() == pytest.approx([math.exp(-1), 1.0, 1.0])
    assert stable_variance(raw).tolist() == pytest.approx([math.exp(-1) + 1e-6, 1 + 1e-6, 3 + 1e-6])
