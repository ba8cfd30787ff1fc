"""Dropout of channels belongs to a patch, a step and a layer."""

import math

import pytest
import torch
from torch import nn

from denoisplit.core.network.dropout import ChannelDropout, dropping
from denoisplit.core.network.normals import words
from denoisplit.core.network.philox import Purpose, Streams
from denoisplit.testing.simulated_device import Transfers, counted_transfers, simulated_device

DEVICE = simulated_device()
CPU = torch.device("cpu")


def dropped(
    rows: range, *, step: int = 0, p: float = 0.3, channels: tuple[int, ...] = (5, 7)
) -> torch.Tensor:
    """What layers make of ones [b c]."""
    layers = [ChannelDropout(number, p) for number in channels]
    with dropping(nn.ModuleList(layers), seed=2, step=step, rows=rows, device=CPU):
        return torch.cat([layer(torch.ones(len(rows), layer.channels, 2, 3)) for layer in layers], 1)[
            ..., 0, 0
        ]


def test_a_part_of_a_batch_loses_what_it_loses_in_the_whole() -> None:
    whole = dropped(range(9))
    assert torch.equal(dropped(range(3, 7)), whole[3:7])
    assert not torch.equal(dropped(range(9), step=1), whole)


def test_as_often_as_was_asked_for_and_nobody_knows_of_the_others() -> None:
    """Patches, layers and channels are independent; the mean stays."""
    p, rows = 0.3, 4000
    kept = dropped(range(rows), p=p)
    assert sorted(set(kept.flatten().tolist())) == pytest.approx([0.0, 1 / (1 - p)])
    share = (kept == 0).double()
    assert float(share.mean()) == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / share.numel()))
    off_diagonal = torch.corrcoef(share.T) - torch.eye(share.shape[1])
    assert float(off_diagonal.abs().max()) < 5 / math.sqrt(rows)


def test_what_is_dropped_never_changes() -> None:
    """Layers share the words of a row, which are not those of latent noise."""
    streams = Streams(seed=2, purpose=Purpose.DROPOUT, numbers=range(4, 5), y=range(3, 8))
    drawn = words(streams, 2, CPU)[0, 0, :, 0, : 5 + 7].long() + 2**31
    expected = drawn < int(0.3 * 2**32)
    assert torch.equal(dropped(range(3, 8), step=4, p=0.3) == 0, expected)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("rank", [2, 3])
def test_without_a_step_it_is_the_dropout_of_torch(rank: int, inplace: bool) -> None:
    x = torch.rand(3, 4, *(2,) * rank, dtype=torch.float64)
    theirs = {2: nn.Dropout2d, 3: nn.Dropout3d}[rank](0.4)
    found = []
    for layer in (ChannelDropout(4, 0.4, inplace=inplace), theirs):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found.append(layer(x.clone()))
    assert torch.equal(*found)
    assert torch.equal(ChannelDropout(4, 0.4, inplace=inplace).eval()(x), x)
    assert torch.equal(ChannelDropout(4, 0.0, inplace=inplace)(x), x)


@pytest.mark.parametrize("inplace", [False, True])
def test_gradients_go_where_values_go(inplace: bool) -> None:
    layer, x = ChannelDropout(3, 0.5, inplace=inplace), torch.rand(2, 3, 2, 2, requires_grad=True)
    with dropping(layer, seed=0, step=0, rows=range(2), device=CPU):
        found = layer(x * 1)
    found.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.where(found == 0, 0.0, 2.0))


def test_a_device_draws_the_same_without_a_copy() -> None:
    layer, there = ChannelDropout(20, 0.5), torch.ones(3, 20, 2, 2).to(DEVICE)
    with counted_transfers() as found, dropping(layer, seed=0, step=1, rows=range(3), device=DEVICE):
        result = layer(there)
    assert found == Transfers()
    with dropping(layer, seed=0, step=1, rows=range(3), device=CPU):
        assert torch.equal(result.cpu(), layer(torch.ones(3, 20, 2, 2)))


def test_afterwards_layers_are_as_they_were() -> None:
    layer = ChannelDropout(2, 0.5)
    with (
        pytest.raises(RuntimeError, match="on purpose"),
        dropping(layer, seed=0, step=0, rows=range(1), device=CPU),
    ):
        raise RuntimeError("on purpose")
    assert layer.words is None
    assert not layer.state_dict()
