"""The place of a process among those that train together."""

import socket

import attrs
import pytest
import torch

from denoisplit.core.errors import RunError, SpecError
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.processes.seat import host_of, require_seats, seat_of

CPU = torch.device("cpu")
SPEC = TrainingSpec(batch=5)
HOSTS = {"MASTER_ADDR": "127.0.0.2", "NODE_RANK": "1"}


def test_hosts_are_told_apart_by_their_environment() -> None:
    spec = attrs.evolve(SPEC, devices=2, nodes=2)
    seat = seat_of(spec, CPU, HOSTS)
    assert (seat.hosts, seat.host, seat.processes, seat.address) == (2, 1, 2, "127.0.0.2")
    assert seat_of(spec, CPU, {**HOSTS, "MASTER_PORT": "4000"}).port == 4000
    assert seat_of(spec, CPU, {"MASTER_ADDR": "localhost", "SLURM_NODEID": "1"}).host == 1
    assert seat_of(attrs.evolve(SPEC, devices=2), CPU, HOSTS).host == 0, "one host needs no environment"


@pytest.mark.parametrize("environment", [{}, {"NODE_RANK": "0"}, {"MASTER_ADDR": "127.0.0.2"}])
def test_hosts_that_are_not_told_apart_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(RunError, match="which of 2 hosts"):
        host_of(attrs.evolve(SPEC, nodes=2), environment)


@pytest.mark.parametrize("number", ["2", "-1", "1.0", "first"])
def test_a_number_that_no_host_has_is_refused(number: str) -> None:
    problem = rf"none of 2 hosts has such a number \(got NODE_RANK='{number}'\)\. Set .* from 0 to 1, another"
    with pytest.raises(RunError, match=problem):
        seat_of(attrs.evolve(SPEC, nodes=2), CPU, {**HOSTS, "NODE_RANK": number})


@pytest.mark.parametrize("port", ["tcp", "0", "65536", "99999", "-1", ""])
def test_a_port_is_a_number_of_16_bits(port: str) -> None:
    with pytest.raises(RunError, match=rf"MASTER_PORT must be .* from 1 to 65535 \(got '{port}'\)"):
        seat_of(attrs.evolve(SPEC, nodes=2), CPU, {**HOSTS, "MASTER_PORT": port})


def test_a_network_that_a_host_does_not_have_is_refused() -> None:
    networks = [name for _, name in socket.if_nameindex()]
    spec = attrs.evolve(SPEC, nodes=2)
    with pytest.raises(
        RunError, match=r"no such network \(got GLOO_SOCKET_IFNAME='eth77'\)\. Use one of "
    ) as caught:
        seat_of(spec, CPU, {**HOSTS, "GLOO_SOCKET_IFNAME": f"{networks[0]},eth77"})
    assert networks[0] in str(caught.value).partition("Use one of")[2]
    for known in (networks[0], ",".join(networks), ""):
        assert seat_of(spec, CPU, {**HOSTS, "GLOO_SOCKET_IFNAME": known}).host == 1


@pytest.mark.parametrize("name", ["nowhere.invalid", "a..b", "x" * 70])
def test_a_host_that_nobody_finds_is_refused(name: str) -> None:
    with pytest.raises(RunError) as caught:
        seat_of(attrs.evolve(SPEC, nodes=2), CPU, {**HOSTS, "MASTER_ADDR": name})
    said = str(caught.value)
    assert said.startswith(f"training.nodes: no host of this name can be found (got MASTER_ADDR='{name}': ")
    assert said.endswith("Set MASTER_ADDR to the name or the address of the first host.")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("spec", "device", "problem"),
    [
        (attrs.evolve(SPEC, devices=6), "cpu", "fewer patches than processes"),
        (attrs.evolve(SPEC, devices=2), "cuda:0", "not so many here"),
        (attrs.evolve(SPEC, devices=2), "mps", "not so many here"),
        (attrs.evolve(SPEC, accumulate=6), "cpu", r"\(got 6, and .* has 5 of training\.batch\)\. Use 5"),
        # Two and three patches: with three parts, one process would wait for the other without end.
        (attrs.evolve(SPEC, devices=2, accumulate=3), "cpu", r"each of 2 processes has 2 of .*\. Use 2 or"),
    ],
)
def test_more_processes_or_parts_than_there_can_be_are_refused(
    spec: TrainingSpec, device: str, problem: str
) -> None:
    with pytest.raises(SpecError, match=problem):
        require_seats(spec, torch.device(device))


def test_as_many_parts_as_patches_are_not() -> None:
    require_seats(attrs.evolve(SPEC, accumulate=5), CPU)
    require_seats(attrs.evolve(SPEC, devices=2, accumulate=2), CPU)
