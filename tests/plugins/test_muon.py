"""Muon: steps with singular values near 1 for kernels, AdamW for what is no matrix."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn, optim

from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import Chosen, TrainingSpec
from denoisplit.core.training.steps.descent import optimizer_of
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.plugins.optimizers.muon import Muon, orthogonal
from tests.network.small import network

RATE = 1e-2


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def stepped(stepping: optim.Optimizer, weight: nn.Parameter, steps: int = 4) -> Tensor:
    """Where steps with given gradients lead."""
    for number in range(steps):
        weight.grad = drawn(100 + number, *weight.shape).to(weight)
        stepping.step()
    return weight.detach()


def over(weight: nn.Parameter, **options: Any) -> optim.Optimizer:
    return Muon(Muon.Options(**options)).over([weight], RATE)


def parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(drawn(7, *shape))


@given(rows=st.integers(2, 40), columns=st.integers(2, 40), seed=st.integers(0, 2**31))
def test_singular_values_come_near_one_and_singular_vectors_stay(rows: int, columns: int, seed: int) -> None:
    least = min(rows, columns)
    left = torch.linalg.qr(drawn(seed, rows, least)).Q
    right = torch.linalg.qr(drawn(seed + 1, columns, least)).Q
    values = torch.logspace(0, -1.5, least, dtype=torch.float64)
    (found,) = orthogonal((left * values @ right.T)[None])
    turned = left.T @ found @ right
    assert float(turned.diagonal().min()) > 0.68
    assert float(turned.diagonal().max()) < 1.21
    assert torch.allclose(turned, turned.diagonal().diag(), atol=1e-10)
    assert torch.allclose(left @ turned @ right.T, found, atol=1e-10)


def test_matrices_of_zeros_stay() -> None:
    assert torch.equal(orthogonal(torch.zeros(2, 3, 4)), torch.zeros(2, 3, 4))


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (9, 9)])
def test_matrices_take_the_steps_of_torch(shape: tuple[int, int]) -> None:
    """Within the half precision in which torch finds its own."""
    weight, other = parameter(*shape), parameter(*shape)
    own = stepped(over(weight, momentum=0.8, weight_decay=0.3), weight)
    reference = optim.Muon([other], lr=RATE, momentum=0.8, weight_decay=0.3, adjust_lr_fn="match_rms_adamw")
    expected = stepped(reference, other)
    length = (expected - parameter(*shape).detach()).norm()
    assert float((own - expected).norm()) < 0.03 * float(length)


@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (4, 2, 5), (4, 1, 3, 3, 3)])
def test_kernels_are_matrices_with_a_row_per_channel(shape: tuple[int, ...]) -> None:
    kernel, matrix = parameter(*shape), parameter(shape[0], parameter(*shape)[0].numel())
    matrix.data.copy_(kernel.detach().reshape(matrix.shape))
    steps, flat = over(kernel), over(matrix)
    for number in range(3):
        kernel.grad = drawn(number, *shape)
        matrix.grad = kernel.grad.reshape(matrix.shape)
        steps.step()
        flat.step()
    assert torch.allclose(kernel.detach().reshape(matrix.shape), matrix.detach(), rtol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (), (1, 6), (6, 1), (1, 3, 4, 4)])
def test_what_is_no_matrix_takes_the_steps_of_adamw(shape: tuple[int, ...]) -> None:
    weight = parameter(*shape)
    own = stepped(over(weight, momentum=0.7, memory=0.95, weight_decay=0.3), weight)
    other = parameter(*shape)
    reference = optim.AdamW([other], lr=RATE, betas=(0.7, 0.95), weight_decay=0.3)
    assert torch.equal(own, stepped(reference, other))


def test_kernels_of_one_shape_do_not_see_each_other() -> None:
    alone, first, second = parameter(4, 6), parameter(4, 6), nn.Parameter(drawn(8, 4, 6))
    both = Muon(Muon.Options()).over([first, second], RATE)
    for number in range(3):
        second.grad = drawn(50 + number, 4, 6)
        first.grad = drawn(100 + number, 4, 6)
        both.step()
    assert torch.allclose(first.detach(), stepped(over(alone), alone, 3), rtol=1e-12)


def test_closures_are_refused() -> None:
    with pytest.raises(ValueError, match="take no closure"):
        over(parameter(2, 2)).step(lambda: 0.0)


def test_small_gradients_take_steps_as_large_as_others() -> None:
    small, large = parameter(4, 6), parameter(4, 6)
    for weight, scale in ((small, 1e-4), (large, 1.0)):
        weight.grad = scale * drawn(3, 4, 6)
        over(weight).step()
    one, other = (weight.detach() - parameter(4, 6).detach() for weight in (small, large))
    assert torch.allclose(one, other, rtol=0.01, atol=1e-4 * RATE)


@pytest.mark.parametrize("rank", [2, 3])
def test_a_training_takes_the_kernels_of_encoder_and_decoder_as_matrices(rank: int) -> None:
    """A noise model that learns has a row for every channel, none of which must see those of the others."""
    options = GaussianMixture.Options(learnable=True)
    vse = network(rank=rank, noise_model=lambda given: GaussianMixture(options, statistics=given))
    row = installed_registry().find("optimizer", "muon")
    chosen = Chosen(component=row, options=Muon.Options())
    matrices, others = optimizer_of(vse, TrainingSpec(optimizer=chosen, learning_rate=RATE)).param_groups
    parts = [*vse.encoder.parameters(), *vse.decoder.parameters()]
    kernels = [one for one in parts if one.ndim == 2 + rank and len(one) > 1]
    assert {id(weight) for weight in matrices["params"]} == {id(one) for one in kernels}
    assert id(vse.noise_model.weights) in {id(weight) for weight in others["params"]}
    assert matrices["lr"] == others["lr"] == RATE
