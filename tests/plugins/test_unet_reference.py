"""The U-Net of the preset, restated with nothing but functions, on even and odd sizes."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from denoisplit.core.network.noise_source import ZeroNoise
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.decoders.unet import UNetDecoder
from denoisplit.plugins.encoders.unet import UNetEncoder
from tests.network.small import counts, network
from tests.network.variants import unet


def enlarged(x: Tensor) -> Tensor:
    """Twice as many pixels, the corner pixels staying where they are: pixel i at i (n - 1) / (2 n - 1)."""
    for axis in (2, 3):
        n = x.shape[axis]
        place = torch.arange(2 * n, dtype=x.dtype) * (n - 1) / (2 * n - 1)
        left = place.floor().long().clamp(max=n - 1)
        right = (left + 1).clamp(max=n - 1)
        share = (place - left).reshape([-1 if a == axis else 1 for a in range(4)])
        x = (1 - share) * x.index_select(axis, left) + share * x.index_select(axis, right)
    return x


def doubled(x: Tensor, block: nn.Module) -> Tensor:
    """Convolution without bias, batch norm with its running statistics, ReLU; twice."""
    convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(convolutions) == len(norms) == 2
    for convolution, norm in zip(convolutions, norms, strict=True):
        assert convolution.bias is None
        x = functional.conv2d(x, convolution.weight, padding=1)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, variance = (v.reshape(1, -1, 1, 1) for v in (norm.running_mean, norm.running_var))
        scale, shift = (v.reshape(1, -1, 1, 1) for v in (norm.weight, norm.bias))
        x = ((x - mean) / (variance + 1e-5).sqrt() * scale + shift).clamp(min=0)
    return x


def restated(vse: VSE, x: Tensor) -> Tensor:
    """Output of a normalised image whose sides halve without remainder."""
    assert isinstance(vse.encoder, UNetEncoder)
    assert isinstance(vse.decoder, UNetDecoder)
    skips: list[Tensor] = []
    for number, block in enumerate(vse.encoder.levels):
        if number:
            b, c, rows, columns = x.shape
            x = x.reshape(b, c, rows // 2, 2, columns // 2, 2).amax((3, 5))
        x = doubled(x, block)
        skips.append(x)
    skips.pop()
    for up in reversed(list(vse.decoder.levels)):
        x = doubled(torch.cat([skips.pop(), enlarged(x)], 1), up.get_submodule("block"))
    head = vse.decoder.output
    assert isinstance(head.weight, Tensor)
    assert isinstance(head.bias, Tensor)
    return torch.einsum("oi,biyx->boyx", head.weight[:, :, 0, 0], x) + head.bias.reshape(1, -1, 1, 1)


@pytest.mark.parametrize("size", [(16, 32), (4, 8), (12, 20), (28, 4)], ids=str)
def test_sizes_that_halve_to_even_and_to_odd_ones(size: tuple[int, int]) -> None:
    vse = network(parts=partial(unet, align_corners=True))
    mixed, _ = counts(vse, size, batch=2)
    with torch.no_grad():
        expected = restated(vse, vse.statistics.normalise_mixed(mixed))
        torch.testing.assert_close(vse.decode(mixed, ZeroNoise()).output, expected)


@pytest.mark.parametrize("size", [(13, 21), (7, 16), (1, 30)], ids=str)
def test_odd_sizes_are_padded_with_the_mean_and_cut_back(size: tuple[int, int]) -> None:
    vse = network(parts=partial(unet, align_corners=True))
    mixed, _ = counts(vse, size)
    missing = [-n % 4 for n in size]
    (top, left), (bottom, right) = ([n // 2 for n in missing], [n - n // 2 for n in missing])
    with torch.no_grad():
        padded = functional.pad(vse.statistics.normalise_mixed(mixed), (left, right, top, bottom))
        expected = restated(vse, padded)[..., top : top + size[0], left : left + size[1]]
        torch.testing.assert_close(vse.decode(mixed, ZeroNoise()).output, expected)
