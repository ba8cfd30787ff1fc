"""Several processes learn what one learns."""

import multiprocessing
from pathlib import Path

import attrs
import pytest
import torch
from torch import Tensor

from denoisplit.core.devices import seeded
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.network.dropout import ChannelDropout
from denoisplit.core.network.named_term import NamedTerm
from denoisplit.core.network.shared_batch_norms import shared_batch_norms
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.data.batches import Pair
from denoisplit.core.training.processes.joining import alone, joined
from denoisplit.core.training.processes.seat import Seat, seat_of
from denoisplit.core.training.starts.resuming import Identity
from denoisplit.core.training.steps.loop import Loop
from denoisplit.core.training.steps.ranks import Alone, Ranks
from denoisplit.core.training.steps.task import SplittingTask
from denoisplit.core.training.watchers.watching import Moment, Watcher
from denoisplit.plugins.kl_schemes.geco import GecoKL
from denoisplit.plugins.objectives.mixture_consistency import MixtureConsistency
from tests.network.small import counts, network

CPU = torch.device("cpu")
SIZE = (8, 8)
SPEC = TrainingSpec(steps=4, batch=5, validate_every=2, kl_warmup_steps=2)


class Losses(Watcher):
    """Keeps what is told of steps and validations."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def stepped(self, now: Moment, loss: Tensor) -> None:
        self.found.append(float(loss))

    def validated(self, now: Moment) -> None:
        self.found.extend(now.values.values())


def learn(ranks: Ranks, folder: Path) -> None:
    """A small training in float64, with batch norms and a scheme that learns from the whole batch."""
    with seeded(0):
        vse = network(kl_scheme=GecoKL(GecoKL.Options(speed=0.5))).double().train()
    for module in vse.modules():
        if isinstance(module, ChannelDropout):
            module.p = 0.3
    consistency = MixtureConsistency(MixtureConsistency.Options(), statistics=vse.statistics, mixing=Mixing())
    row = installed_registry().find("objective", "mixture_consistency")
    task = SplittingTask(vse, SPEC, [NamedTerm("mixture_consistency", consistency, row)])
    mixed, targets = counts(vse, SIZE, batch=SPEC.steps * SPEC.batch)
    batches = [
        (mixed[i : i + SPEC.batch], targets[i : i + SPEC.batch]) for i in range(0, len(mixed), SPEC.batch)
    ]
    losses = Losses()
    loop = Loop(task, SPEC, () if ranks.rank else (losses,), ranks)
    identity = Identity(spec="", data="")
    mine: list[Pair] = [] if ranks.rank else [*batches]
    loop.run(mine, mine[:1], point=folder / "point", identity=identity)
    state = {name: value.clone() for name, value in vse.state_dict().items()}
    torch.save((state, losses.found), folder / f"learnt{ranks.rank}of{ranks.number}")


def live(seat: Seat, folder: Path) -> None:
    torch.set_num_threads(1)
    with joined(seat) as ranks:
        learn(ranks, folder)


def test_processes_learn_what_one_learns(tmp_path: Path) -> None:
    """Weights, statistics and every number that is told, within 1e-10; batches of 5 are divided unevenly."""
    learn(Alone(alone(CPU)), tmp_path)
    (one, told) = torch.load(tmp_path / "learnt0of1")
    assert len(told) > SPEC.steps
    assert one["kl_scheme.log_multiplier"] != 0
    spec, number = attrs.evolve(SPEC, devices=2), 2
    seat = seat_of(spec, CPU)
    context = multiprocessing.get_context("spawn")
    other = context.Process(target=live, args=(attrs.evolve(seat, process=1), tmp_path), daemon=True)
    other.start()
    live(attrs.evolve(seat, process=0), tmp_path)
    other.join(120)
    assert other.exitcode == 0
    for rank in range(number):
        state, also_told = torch.load(tmp_path / f"learnt{rank}of{number}")
        for name, value in one.items():
            torch.testing.assert_close(state[name], value, rtol=1e-10, atol=1e-10, msg=name)
        assert also_told == ([] if rank else pytest.approx(told, rel=1e-10))


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_shared_batch_norm_of_one_process_is_that_of_torch(
    rank: int, affine: bool, momentum: float | None
) -> None:
    torch.manual_seed(0)
    kind = torch.nn.BatchNorm2d if rank == 2 else torch.nn.BatchNorm3d
    norms = [kind(3, affine=affine, momentum=momentum).double() for _ in range(2)]
    maps = torch.randn(4, 3, *(5,) * rank, dtype=torch.float64)
    inputs = [(2 * maps + 1).requires_grad_() for _ in norms]
    for _ in range(2):
        plain = norms[0](inputs[0])
        with shared_batch_norms(torch.nn.Sequential(norms[1]), lambda values: values):
            shared = norms[1](inputs[1])
        torch.testing.assert_close(shared, plain, rtol=1e-12, atol=1e-12)
        for result in (plain, shared):
            torch.autograd.backward((result**3).sum())
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad, rtol=1e-10, atol=1e-10)
    own, torchs = norms[1].state_dict(), norms[0].state_dict()
    assert own.keys() == torchs.keys()
    for name, value in torchs.items():
        torch.testing.assert_close(own[name], value, rtol=1e-12, atol=1e-12)
    for norm in norms:
        norm.eval()
    torch.testing.assert_close(norms[1](maps), norms[0](maps), rtol=1e-12, atol=1e-12)
