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
from denoisplit.core.training.watchers.watching import Moment, Watcher
from tests.e2e.hosts import loopback, namespaces
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
        calls = [
            host.start(
                "denoisplit",
                *words(spec, out),
                MASTER_ADDR=hosts[0].address,
                NODE_RANK=str(n),
                GLOO_SOCKET_IFNAME=network,
            )
            for n, (host, network, out) in enumerate(zip(hosts, ("bridge", "eth"), OUTS, strict=True))
        ]
        first, second = (call.communicate(timeout=300)[0] for call in calls)
        assert [call.returncode for call in calls] == [0, 0], first + second
    assert f"Trained: {spec.parent / OUTS[0]}\n" in first
    assert second.endswith(
        f"Took part in the training. The first host has the run: {spec.parent / OUTS[1]}\n"
    )
    assert "Next:" not in second
    assert not (spec.parent / OUTS[1]).exists()
    assert_alike(RunFolder(spec.parent / OUTS[0]), one)


OUTS = ("hosts", "elsewhere")
"""As a folder is called on hosts that do not see the same disk."""


def words(spec: Path, out: str, *more: str) -> list[str]:
    """Of the command on each of two hosts."""
    options = [word for override in OVERRIDES for word in ("--set", override)]
    return [
        "train",
        str(spec),
        "--out",
        str(spec.parent / out),
        "--nodes",
        "2",
        "--device",
        "cpu",
        *options,
        *more,
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_hosts_of_unlike_specs_are_told_so_at_once(spec: Path) -> None:
    with loopback(spec.parent, 2) as hosts:
        place = {"MASTER_ADDR": hosts[0].address, "MASTER_PORT": "29611"}
        calls = [
            host.start(
                "denoisplit", *words(spec, out, "--set", f"training.seed={n}"), **place, NODE_RANK=str(n)
            )
            for n, (host, out) in enumerate(zip(hosts, OUTS, strict=True))
        ]
        said = [call.communicate(timeout=120)[0].splitlines()[-1] for call in calls]
    assert [call.returncode for call in calls] == [2, 2]
    assert said[0] == said[1]
    assert said[0].startswith("training.nodes: hosts were started with unlike specs (got ")
    assert not any((spec.parent / out).exists() for out in OUTS)
