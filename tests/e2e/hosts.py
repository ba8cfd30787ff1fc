"""Hosts of a Dask cluster on one machine: network namespaces, or addresses of their own."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

PORT = 8786


@attrs.frozen
class Host:
    """Where programs run.

    Attributes:
        address: by which the others reach it.
        folder: programs begin there.
        before: words that put a program there.
    """

    address: str
    folder: Path
    before: tuple[str, ...] = ()

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        """Begin a Python module."""
        return subprocess.Popen(
            [*self.before, sys.executable, "-m", *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextmanager
def loopback(folder: Path, number: int) -> Iterator[list[Host]]:
    """So many addresses of this host, each with a folder."""
    hosts = [Host(f"127.0.0.{2 + n}", folder / f"host{n}") for n in range(number)]
    for host in hosts:
        host.folder.mkdir()
    yield hosts


@contextmanager
def namespaces(folder: Path, number: int) -> Iterator[list[Host]]:
    """So many network namespaces, joined by a bridge in the first; nothing but it joins them.

    Raises:
        OSError: this machine or its user cannot make them.
    """
    if not (sys.platform == "linux" and shutil.which("ip")):
        raise OSError("no program ip")
    mark = uuid.uuid4().hex[:6]
    names = [f"ds-{mark}-{n}" for n in range(number)]
    hosts = [
        Host(f"10.203.0.{1 + n}", folder / name, ("ip", "netns", "exec", name))
        for n, name in enumerate(names)
    ]
    with ExitStack() as stack:
        for host, name in zip(hosts, names, strict=True):
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
            _ip("-n", name, "link", "set", "lo", "up")
            host.folder.mkdir()
        first = names[0]
        _ip("-n", first, "link", "add", "bridge", "type", "bridge")
        _ip("-n", first, "addr", "add", f"{hosts[0].address}/24", "dev", "bridge")
        _ip("-n", first, "link", "set", "bridge", "up")
        for n, (host, name) in enumerate(zip(hosts[1:], names[1:], strict=True)):
            pair = ("link", "add", f"to{n}", "type", "veth", "peer", "name", "eth", "netns", name)
            _ip("-n", first, *pair)
            _ip("-n", first, "link", "set", f"to{n}", "master", "bridge")
            _ip("-n", first, "link", "set", f"to{n}", "up")
            _ip("-n", name, "addr", "add", f"{host.address}/24", "dev", "eth")
            _ip("-n", name, "link", "set", "eth", "up")
        yield hosts


def _ip(*words: str) -> None:
    done = subprocess.run([shutil.which("ip") or "", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def cluster(scheduler: Host, workers: list[Host]) -> Iterator[str]:
    """A scheduler, and a worker on every other host; its address."""
    address = f"tcp://{scheduler.address}:{PORT}"
    own = ("--host", scheduler.address, "--port", str(PORT), "--no-dashboard")
    programs = [scheduler.start("distributed.cli.dask_scheduler", *own)]
    for host in workers:
        words = (address, "--host", host.address, "--nthreads", "1", "--no-dashboard", "--no-nanny")
        programs.append(host.start("distributed.cli.dask_worker", *words))
    try:
        yield address
    finally:
        for program in programs[::-1]:
            program.kill()  # a worker that is asked to end waits for its scheduler
            program.communicate()
