"""The measured halo is the true reach of the network."""

import math

import pytest
import torch
from torch import Tensor, nn

from denoisplit.core.errors import PluginError
from denoisplit.core.network.noise_source import ZeroNoise
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.tiles import receptive_field
from denoisplit.core.prediction.tiles.receptive_field import halo
from tests.prediction.networks import small_vse


def predict(vse: VSE, mixed: Tensor) -> Tensor:
    with torch.inference_mode():
        return vse.sample(vse.encode(mixed), ZeroNoise())


@pytest.mark.parametrize("axis", [0, 1])
def test_pixels_outside_of_the_halo_do_not_matter_and_the_last_stride_inside_does(axis: int) -> None:
    vse = small_vse(levels=2)
    around, stride = halo(vse)[axis], vse.stride[axis]
    side = 2 * (around + 2 * stride)
    torch.manual_seed(1)
    mixed = torch.randn(1, 1, side, side, dtype=torch.float64) * 30 + 120
    edge = side // 2  # the tile: pixels from here on; its halo: `around` pixels before

    def kept(start: int, stop: int, value: float) -> Tensor:
        other = mixed.clone()
        other.narrow(axis + 2, start, stop - start).fill_(value)
        return predict(vse, other).narrow(axis + 2, edge, stride)

    assert torch.equal(kept(0, edge - around, 1e6), kept(0, edge - around, -1e6))
    # The influence of the last stride is below the rounding of a finite change, so it is shown with NaN.
    assert kept(edge - around, edge - around + stride, math.nan).isnan().any()
    nearer = edge - around // 3
    assert (kept(nearer, nearer + stride, 1e6) != kept(nearer, nearer + stride, -1e6)).any()


def test_strips_measure_the_same_as_a_gradient_on_a_full_image() -> None:
    """Automatic differentiation on a large square image is the independent measurement."""
    vse = small_vse(levels=2)
    stride = vse.stride[0]
    around = halo(vse)[0]
    side = 2 * around + 4 * stride
    middle = side // 2
    reach = 0
    mixed = torch.full((1, 1, side, side), 130.0, dtype=torch.float64, requires_grad=True)
    signal = vse.sample(vse.encode(mixed), ZeroNoise())
    for y in range(middle, middle + stride):
        (gradient,) = torch.autograd.grad(signal[..., y, middle].sum(), mixed, retain_graph=True)
        touched = gradient[0, 0].abs().sum(1).nonzero().flatten()
        reach = max(reach, middle - int(touched[0]), int(touched[-1]) + 1 - (middle + stride))
    assert -(-reach // stride) * stride == around


@pytest.mark.parametrize("levels", [1, 3])
def test_deeper_networks_look_further(levels: int) -> None:
    assert halo(small_vse(levels=levels + 1))[0] > halo(small_vse(levels=levels))[0]


def test_three_axes_and_a_network_that_is_left_alone() -> None:
    vse = small_vse(levels=1, rank=3).float().train()
    around = halo(vse)
    assert len(around) == 3
    assert all(n > 0 and n % 2 == 0 for n in around)
    assert vse.training
    assert next(vse.parameters()).dtype == torch.float32


class Centred(nn.Module):
    """Subtracts the mean of the whole image: the network has no finite reach."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)


def test_a_network_without_end_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receptive_field, "LAST_PROBE", 16)
    vse = small_vse(levels=1)
    assert isinstance(vse.encoder.stem, nn.Sequential)
    vse.encoder.stem.append(Centred())
    with pytest.raises(PluginError, match="Predict images in one pass"):
        halo(vse)
