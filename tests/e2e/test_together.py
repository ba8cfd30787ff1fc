"""A run that several processes have trained is that of one."""

import csv
import os
import signal
from contextlib import ExitStack
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch
from torch import Tensor

import denoisplit
from denoisplit.core.errors import RunError
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.states import load_weights
from denoisplit.core.training.watching import Moment, Watcher
from tests.e2e.hosts import namespaces
from tests.training.test_fit import SPEC, Interrupt

OVERRIDES = ("training.batch=5", "training.steps=6")
LOSSES = {"train_loss": 1e-5, "train_distortion": 1e-5, "train_rate": 1e-4, "val_loss": 1e-3}
"""How much they may differ. Batch norms take away what biases before them do: these have no gradient but
rounding, which Adamax makes steps of, and validations see them."""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def train(spec: Path, out: str, devices: int, *watchers: Watcher, resume: bool = False) -> RunFolder:
    folder = spec.parent / out
    overrides = [*OVERRIDES, f"training.devices={devices}"]
    denoisplit.train(spec, folder, overrides=overrides, watchers=watchers, resume=resume, device="cpu")
    return RunFolder(folder)


def assert_alike(run: RunFolder, other: RunFolder) -> None:
    rows, others = (list(csv.DictReader(one.metrics.read_text().splitlines())) for one in (run, other))
    assert len(rows) == len(others) == 3
    for row, expected in zip(rows, others, strict=True):
        for name, tolerance in LOSSES.items():
            assert float(row[name]) == pytest.approx(float(expected[name]), rel=tolerance), name
    assert run.spec.read_text(encoding="utf-8") == other.spec.read_text(encoding="utf-8")


def weights(run: RunFolder) -> dict[str, Tensor]:
    return dict(load_weights(run.weights))


@pytest.mark.slow
def test_two_processes_train_the_run_of_one(spec: Path) -> None:
    before = torch.get_num_threads()
    assert_alike(train(spec, "two", 2), train(spec, "one", 1))
    assert not active_children()
    assert torch.get_num_threads() == before


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 1), (1, 2)])
def test_an_interrupted_training_goes_on_with_another_number_of_processes(
    spec: Path, before: int, after: int
) -> None:
    whole = train(spec, "whole", before)
    with pytest.raises(KeyboardInterrupt):
        train(spec, "cut", before, Interrupt(3))
    assert not active_children()
    cut = train(spec, "cut", after, resume=True)
    assert_alike(cut, whole)
    if after == before:
        for name, value in weights(whole).items():
            assert torch.equal(weights(cut)[name], value), name


class Killing(Watcher):
    """Kills another process at the end of a step."""

    def stepped(self, now: Moment, loss: Tensor) -> None:
        if now.step == 4:
            (other,) = active_children()
            assert other.pid is not None
            os.kill(other.pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_process_that_was_killed_is_told_and_the_training_goes_on_without_it(spec: Path) -> None:
    whole = train(spec, "whole", 1)
    with pytest.raises(RunError, match=r"has ended \(exit code -9\)\. Continue with --resume"):
        train(spec, "cut", 2, Killing())
    assert_alike(train(spec, "cut", 1, resume=True), whole)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hosts_train_the_run_of_one(spec: Path) -> None:
    one = train(spec, "one", 1)
    with ExitStack() as stack:
        try:
            hosts = stack.enter_context(namespaces(spec.parent, 2))
        except OSError as error:
            pytest.skip(f"no namespaces of the network here: {error}")
        words = f"train {spec} --out {spec.parent / 'hosts'} --nodes 2 --device cpu --set"
        words = " ".join([words, " --set ".join(OVERRIDES)])
        calls = [
            host.start(
                "denoisplit",
                *words.split(),
                MASTER_ADDR=hosts[0].address,
                NODE_RANK=str(n),
                GLOO_SOCKET_IFNAME=network,
            )
            for n, (host, network) in enumerate(zip(hosts, ("bridge", "eth"), strict=True))
        ]
        for call in calls:
            said, _ = call.communicate(timeout=300)
            assert call.returncode == 0, said
    assert_alike(RunFolder(spec.parent / "hosts"), one)
