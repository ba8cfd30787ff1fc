"""The simulated device refuses what a GPU refuses, computes what the processor computes, and counts."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from denoisplit.testing.simulated_device import (
    MixedDevicesError,
    Transfers,
    counted_transfers,
    simulated_device,
)

DEVICE = simulated_device()


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ELU(), nn.ConvTranspose2d(4, 2, 2, stride=2)
    )


@pytest.mark.parametrize(
    "mixed",
    [
        lambda here, there: there + here,
        lambda here, there: here * there,
        lambda here, there: torch.cat([here, there]),
        lambda here, there: there.add_(here),
        lambda here, there: here.add_(there),
        lambda here, there: torch.where(here > 0, there, there),
        lambda here, there: nn.functional.conv2d(there[None], here[None]),
    ],
)
@pytest.mark.parametrize("inference", [True, False])
def test_tensors_of_the_processor_do_not_meet_those_of_the_device(
    mixed: Callable[[Tensor, Tensor], Tensor], inference: bool
) -> None:
    here = torch.ones(1, 3, 3)
    with torch.inference_mode(inference), pytest.raises(MixedDevicesError, match="of the processor"):
        mixed(here, here.to(DEVICE))


def test_neither_arrays_nor_generators_of_the_processor_meet_it() -> None:
    there = torch.ones(3, device=DEVICE)
    with pytest.raises(TypeError, match=r"Use Tensor\.cpu\(\) first"):
        there.numpy()
    with pytest.raises(TypeError, match=r"Use Tensor\.cpu\(\) first"):
        np.asarray(there)
    with pytest.raises(MixedDevicesError, match="generator"):
        torch.randn(3, generator=torch.Generator(), device=DEVICE)


def test_single_numbers_and_indices_may_be_of_the_processor() -> None:
    there = torch.arange(4.0).to(DEVICE)
    assert (there * torch.tensor(2.0)).tolist() == [0, 2, 4, 6]
    assert there[torch.tensor([3, 1])].tolist() == [3, 1]


@pytest.mark.parametrize("bounds", [(4,), (-1, 3), (1, 9, 2)])
def test_numbers_in_a_row_are_made_there(bounds: tuple[int, ...]) -> None:
    with counted_transfers() as found:
        there = torch.arange(*bounds, device=DEVICE)
    assert found == Transfers()
    assert list(there.shape) == [len(range(*bounds))]
    assert there.tolist() == list(range(*bounds))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (lambda there: there * 2, Transfers()),
        (lambda there: there.new_zeros(3), Transfers()),
        (lambda there: torch.zeros(3).to(there), Transfers(there=1)),
        (lambda there: torch.tensor([1.0, 2.0], device=there.device), Transfers(there=1)),
        (lambda there: there.copy_(torch.zeros(2, 2)), Transfers(there=1)),
        (lambda there: there.cpu(), Transfers(back=1)),
        (lambda there: there.tolist(), Transfers(back=1)),
        (lambda there: torch.zeros(2, 2).copy_(there), Transfers(back=1)),
        (lambda there: float(there.sum()), Transfers(waits=1)),
        (lambda there: bool((there > 0).all()), Transfers(waits=1)),
        (lambda there: there[there > 0], Transfers(waits=1)),
        (lambda there: there.nonzero(), Transfers(waits=1)),
    ],
)
def test_copies_and_waits_are_counted(run: Callable[[Tensor], object], expected: Transfers) -> None:
    there = torch.ones(2, 2).to(DEVICE)
    with counted_transfers() as found:
        run(there)
    assert found == expected
    run(there)
    assert found == expected  # it is over


def test_a_network_learns_there_what_it_learns_here() -> None:
    """The optimiser that was made before the network moved updates the network that moved."""
    image, states = torch.randn(2, 1, 8, 8), []
    for device in (torch.device("cpu"), DEVICE):
        network = small_network()
        optimizer = torch.optim.Adamax(network.parameters(), lr=0.1, foreach=True)
        network.to(device)
        for _ in range(3):
            optimizer.zero_grad()
            torch.autograd.backward(network(image.to(device)).square().mean())
            optimizer.step()
        assert {one.device for one in network.state_dict().values()} == {torch.zeros(0, device=device).device}
        states.append([one.cpu() for one in network.state_dict().values()])
    torch.testing.assert_close(states[1], states[0], rtol=1e-6, atol=1e-6)
    assert not torch.equal(states[0][0], small_network().state_dict()["0.weight"])


@pytest.mark.parametrize("inference", [True, False])
def test_views_and_changes_in_place_are_of_the_same_numbers(inference: bool) -> None:
    there = torch.zeros(2, 2, device=DEVICE)
    with torch.inference_mode(inference):
        there[0].add_(1)
        there.chunk(2, dim=1)[0].mul_(3)
    assert there.tolist() == [[3, 1], [0, 0]]
