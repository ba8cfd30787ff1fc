"""Evaluation in windows and in fewer steps gives what the layers give, up to rounding."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from denoisplit.plugins import windows
from denoisplit.plugins.blocks import Merge, ResidualBlock, Upsample
from denoisplit.plugins.decoders.ladder_level import Latent
from denoisplit.plugins.decoders.ladder_plan import LatentOptions
from denoisplit.plugins.windows import by_windows
from tests.network.fixed_noise import FixedNoise

WIDTH = 3


def prepared(module: nn.Module) -> nn.Module:
    """In evaluation mode and float64, with statistics that are not those of a new network."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d):
            for values, low, high in (
                (part.running_mean, -0.5, 0.5),
                (part.running_var, 0.5, 2.0),
                (part.weight, 0.5, 2.0),
                (part.bias, -0.5, 0.5),
            ):
                assert values is not None
                nn.init.uniform_(values, low, high)
    return module.double().eval()


def image(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def agree(function: Callable[[], Tensor], monkeypatch: pytest.MonkeyPatch) -> int:
    """Compare evaluation in windows with the layers as they are trained; returns the number of windows."""
    expected = function().detach()
    calls: list[int] = []
    original = windows._packed

    def counted(part: Tensor) -> Tensor:
        calls.append(1)
        return original(part)

    with torch.inference_mode():
        whole = function()
        monkeypatch.setattr(windows, "WINDOW_BYTES", 24 * 20 * 20)
        monkeypatch.setattr(windows, "_packed", counted)
        parts = function()
        again = function()
    monkeypatch.undo()
    torch.testing.assert_close(whole, expected, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(parts, expected, rtol=1e-11, atol=1e-11)
    assert torch.equal(parts, again)
    return len(calls) // 2


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("shape", [(45, 81), (3, 40, 50)])
def test_a_residual_block(shape: tuple[int, ...], gated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    block = prepared(ResidualBlock(len(shape), WIDTH, dropout=0.3, gated=gated))
    x = image(2, WIDTH, *shape)
    before = x.clone()
    assert agree(lambda: block(x), monkeypatch) > 8
    assert torch.equal(x, before)


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 2), (2, 3), (4, 2), (1, 2, 2)])
def test_up_sampling(stride: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    module = prepared(Upsample(len(stride), WIDTH, stride=stride, dropout=0.3))
    x = image(1, WIDTH, *(3, 60, 75)[-len(stride) :])
    assert agree(lambda: module(x), monkeypatch) > 3


def test_a_merge(monkeypatch: pytest.MonkeyPatch) -> None:
    module = prepared(Merge(2, WIDTH, dropout=0.3))
    first, second = image(1, WIDTH, 64, 50), image(1, WIDTH, 64, 50)
    assert agree(lambda: module(first, second), monkeypatch) > 6


def test_a_draw_is_mean_plus_std_times_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    options = LatentOptions(
        index=0,
        rank=2,
        width=WIDTH,
        latent_channels=4,
        crop=(1, 1),
        stride=(2, 2),
        blocks=1,
        dropout=0.0,
        clip=20.0,
        naive_variance=False,
        divisor=0.7,
    )
    latent = Latent(options).double()
    features, noise = image(1, WIDTH, 50, 40), FixedNoise([image(1, 4, 50, 40)])
    expected = latent.draw(latent.infer(features), noise).detach()
    torch.testing.assert_close(latent.sample(features, noise).detach(), expected, rtol=1e-12, atol=1e-12)
    assert agree(lambda: latent.sample(features, noise), monkeypatch) > 4


@settings(max_examples=30)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    reach=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    most=st.integers(1, 4000),
)
def test_windows_see_their_reach_and_no_border_that_is_none(
    size: tuple[int, int], reach: tuple[int, int], most: int
) -> None:
    """A sum over the neighbourhood with zeros beyond the border, for any windows."""
    kernel = torch.ones(1, 1, *(2 * r + 1 for r in reach), dtype=torch.float64)
    x = torch.arange(size[0] * size[1], dtype=torch.float64).reshape(1, 1, *size)

    def summed(part: Tensor) -> Tensor:
        return nn.functional.conv2d(part, kernel, padding=reach)

    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(windows, "WINDOW_BYTES", 8 * most)
        torch.testing.assert_close(by_windows(summed, x, reach=reach), summed(x), rtol=1e-13, atol=0)


def test_a_reach_that_is_too_short_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    block = prepared(ResidualBlock(2, WIDTH, dropout=0.0))
    assert isinstance(block, ResidualBlock)
    x = image(1, WIDTH, 60, 60)
    with torch.inference_mode():
        whole = block(x)
        monkeypatch.setattr(windows, "WINDOW_BYTES", 24 * 20 * 20)
        parts = by_windows(block.evaluated(), x, reach=(1, 1))
    assert (whole - parts).abs().max() > 1e-6


def test_with_a_gradient_maps_stay_whole() -> None:
    calls: list[torch.Size] = []
    x = image(1, 1, 600, 1000).requires_grad_()

    def seen(part: Tensor) -> Tensor:
        calls.append(part.shape)
        return part * 1

    by_windows(seen, x, reach=(1, 1))
    assert calls == [x.shape]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_block_keeps_the_precision_of_its_input_in_training_and_after(dtype: torch.dtype) -> None:
    block = ResidualBlock(2, 4, dropout=0.0)
    x = torch.randn(2, 4, 8, 8).to(dtype)
    with torch.no_grad():
        exact = block.eval()(x.float())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = block(x)
            assert block.train()(x).dtype == found.dtype == dtype
    assert float((found.float() - exact).abs().max()) < 0.05 * float(exact.std())


@torch.no_grad()
def test_in_bf16_fewer_steps_round_less() -> None:
    torch.manual_seed(1)
    block = prepared(ResidualBlock(2, 16, dropout=0.0)).float()
    x = torch.randn(1, 16, 40, 40).bfloat16()
    exact = block(x.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fast = block(x)
        assert isinstance(block, ResidualBlock)
        layers = block.layers(x) + x
    assert fast.dtype == torch.bfloat16
    error, of_layers = ((y.float() - exact).square().mean().sqrt() for y in (fast, layers))
    assert float(error) < 1.1 * float(of_layers)
