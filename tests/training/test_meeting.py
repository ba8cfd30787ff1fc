"""Hosts that do not fit are told so, all of them, before they train."""

import re
import signal
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import attrs
import pytest

from denoisplit.core.errors import RunError
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.spec.resolution import resolve_plain
from denoisplit.core.training.processes.meeting import met
from denoisplit.core.training.processes.seat import Seat

SECONDS = 20
"""Within which all is said."""


def spec(*, folder: str = "here", width: int = 8, seed: int = 0) -> ResolvedSpec:
    return resolve_plain(
        {
            "channels": ["a", "b"],
            "data": {"train": {"use": "folder", "path": folder}},
            "model": {
                "encoder": {"use": "ladder", "width": width},
                "decoder": {"use": "ladder"},
                "noise_model": {"use": "gaussian_mixture", "path": [f"/{folder}/a.npz"]},
                "kl_scheme": {"use": "denoisplit"},
            },
            "calibrator": {"use": "scale"},
            "training": {"seed": seed},
        }
    )


@pytest.fixture
def seat() -> Seat:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    place: dict[str, Any] = {"hosts": 2, "host": 0, "processes": 1, "process": 0}
    return Seat(**place, address="127.0.0.1", port=port, device="cpu", threads=1)


def come(*hosts: tuple[Seat, ResolvedSpec]) -> list[str]:
    """What is said on each, once all have come or gone."""

    def meet(seat: Seat, spec: ResolvedSpec) -> str:
        try:
            with met(seat, spec):
                time.sleep(1)  # of training
        except RunError as error:
            return str(error)
        return "met"

    with ThreadPoolExecutor(len(hosts)) as pool:
        calls: list[Future[str]] = []
        for host in hosts:
            calls.append(pool.submit(meet, *host))
            time.sleep(0.5)  # one comes after the other
        start = time.monotonic()
        said = [call.result(2 * SECONDS) for call in calls]
    assert time.monotonic() - start < SECONDS
    return said


def other(seat: Seat, **changes: Any) -> Seat:
    return attrs.evolve(seat, **{"host": 1, **changes})


@pytest.mark.parametrize("first", [True, False])
def test_hosts_meet_whoever_comes_first(seat: Seat, first: bool) -> None:
    """And again in the same processes; images and files may be elsewhere on each."""
    pair = [(seat, spec()), (other(seat), spec(folder="elsewhere"))]
    for _ in range(2):
        assert come(*(pair if first else reversed(pair))) == ["met", "met"]


NAME = re.escape(socket.gethostname())


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        ({"hosts": 3}, {}, rf"training\.nodes: hosts .* numbers of hosts \(got 3 on {NAME}, 2 on .* --nodes"),
        ({"processes": 2}, {}, rf"training\.devices: .* \(got 2 on {NAME}, 1 on .* same --devices on all"),
        ({}, {"width": 16}, r"training\.nodes: hosts were started with unlike specs .* same spec and --set"),
        ({}, {"seed": 1}, r"training\.nodes: hosts were started with unlike specs .* same spec and --set"),
    ],
)
def test_hosts_that_were_told_unlike_things_are_told_so(
    seat: Seat, changes: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    found = come((seat, spec()), (other(seat, **changes), spec(**options)))
    assert found[0] == found[1]
    assert re.search(said, found[0])
    assert "\n" not in found[0]


def test_two_hosts_of_one_number_are_told_so(seat: Seat) -> None:
    three = attrs.evolve(seat, hosts=3)
    found = come((three, spec()), (other(three), spec()), (other(three), spec()))
    assert len(set(found)) == 1
    assert f"two hosts have one number (got NODE_RANK=1 on {socket.gethostname()} and" in found[0]
    assert "from 0 to 2" in found[0]


def test_two_first_hosts_are_told_so(seat: Seat) -> None:
    found = come((seat, spec()), (seat, spec()))
    assert found[0] == found[1]
    assert "two hosts have one number (got NODE_RANK=0 on " in found[0]
    assert come((seat, spec()), (other(seat), spec())) == ["met", "met"], "nothing is left of it"


def test_a_late_host_of_a_number_that_is_taken_disturbs_nobody(seat: Seat) -> None:
    found = come((seat, spec()), (other(seat), spec()), (other(seat), spec()))
    assert found[:2] == ["met", "met"]
    assert "two hosts have one number" in found[2]


def test_the_others_know_when_the_first_one_is_gone(seat: Seat) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(come, (seat, spec()))
        with met(other(seat), spec()) as is_first_there:
            assert is_first_there()
            assert first.result(SECONDS) == ["met"]
            assert not is_first_there()


def test_who_waits_in_vain_says_for_whom(
    seat: Seat, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("denoisplit.core.training.processes.meeting._PATIENCE", timedelta(seconds=1))
    with pytest.raises(RunError, match=r"the first host did not come within 0:00:01 .* look at what it said"):
        come_alone(other(seat))
    assert (
        f"host 2 of 2 (NODE_RANK=1): waiting for the first host at 127.0.0.1, port {seat.port}" in caplog.text
    )
    with pytest.raises(RunError, match=r"not all hosts came within 0:00:01 \(got none with NODE_RANK 1\)"):
        come_alone(seat)
    assert "host 1 of 2 (NODE_RANK=0): waiting for the other 1 at" in caplog.text


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no timers")
def test_a_host_that_was_interrupted_may_come_again(seat: Seat) -> None:
    three = attrs.evolve(seat, hosts=3)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(come, (three, spec()))
            signal.setitimer(signal.ITIMER_REAL, 2)
            with pytest.raises(KeyboardInterrupt):
                come_alone(other(three))
            assert come((other(three), spec()), (other(three, host=2), spec())) == ["met", "met"]
            assert first.result(SECONDS) == ["met"]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_port_that_is_taken(seat: Seat) -> None:
    with socket.socket() as one:
        one.bind(("0.0.0.0", seat.port))  # noqa: S104 (so that it is taken)
        one.listen()
        with pytest.raises(RunError, match=rf"port {seat.port} of this host is taken\. Set MASTER_PORT"):
            come_alone(seat)


def come_alone(seat: Seat) -> None:
    with met(seat, spec()):
        raise AssertionError("met nobody")
