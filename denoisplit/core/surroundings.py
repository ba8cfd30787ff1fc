"""What a computation of denoisplit meets here: versions, devices, threads, plugins and folders."""

import importlib.metadata
import os
import platform
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Final

import attrs
import torch
from packaging.requirements import Requirement

from denoisplit.core.devices import choose_device, devices_here, has_bf16_units, name_of, processor
from denoisplit.core.precision import kept
from denoisplit.core.registry.manager import BUILTIN, BrokenPlugin
from denoisplit.core.registry.registry import Registry
from denoisplit.core.version import VERSION

SETTINGS: Final = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "DENOISPLIT_DISABLE_PLUGINS",
    "DENOISPLIT_PRECISION",
    "GOMP_SPINCOUNT",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "PYTORCH_ENABLE_MPS_FALLBACK",
)
"""Environment variables that change the speed, the devices or the components."""


@attrs.frozen(kw_only=True)
class Device:
    """A device that the network can run on.

    Attributes:
        name: for ``--device``.
        model: what the system calls it; empty if it has no name for it.
        memory: bytes of a CUDA GPU; None elsewhere, where the memory is that of the computer.
        capability: compute capability of a CUDA GPU; empty elsewhere.
        bf16: whether it has units for bf16.
    """

    name: str
    model: str
    memory: int | None
    capability: str
    bf16: bool


@attrs.frozen(kw_only=True)
class Library:
    """A library that denoisplit, or one of its extras, needs.

    Attributes:
        name: name of the package.
        needed: versions that serve, ``>=2.0``.
        version: the installed one; None if there is none.
        extras: extras that need it; empty if denoisplit itself does.
    """

    name: str
    needed: str
    version: str | None
    extras: tuple[str, ...]

    @property
    def serves(self) -> bool:
        """Whether it is installed in a version that serves."""
        if self.version is None:
            return False
        return Requirement(f"{self.name}{self.needed}").specifier.contains(self.version, prereleases=True)


@attrs.frozen(kw_only=True)
class Plugin:
    """A package with components."""

    package: str
    version: str
    components: int


@attrs.frozen(kw_only=True)
class Surroundings:
    """What a computation meets here.

    Attributes:
        denoisplit, python, torch: versions.
        environment: folder of the Python environment.
        system: operating system and type of the processor.
        gpu_build: what torch was built for besides the processor, ``CUDA 13.0``; empty for nothing else.
        devices: those that the network can run on.
        auto: the one that ``--device auto`` takes.
        cores: of the processor, as the system counts them.
        threads: with which torch computes.
        settings: environment variables of ``SETTINGS`` that are set, denoisplit's own included.
        libraries: what denoisplit and its extras need; empty where it is not installed as a package.
        plugins: packages with components, denoisplit included.
        broken: plugins whose components are unavailable.
        cache: folder of what may be deleted at any time; empty without a home folder.
        temporary: folder of temporary files.
        warnings: what torch complained about when it looked for devices.
    """

    denoisplit: str
    python: str
    torch: str
    environment: str
    system: str
    gpu_build: str
    devices: tuple[Device, ...]
    auto: str
    cores: int | None
    threads: int
    settings: dict[str, str]
    libraries: tuple[Library, ...]
    plugins: tuple[Plugin, ...]
    broken: tuple[BrokenPlugin, ...]
    cache: str
    temporary: str
    warnings: tuple[str, ...]


def surroundings(registry: Registry) -> Surroundings:
    """Look at versions, devices, threads, plugins and folders; nothing is computed or written."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        devices = tuple(map(_device, devices_here()))
        auto = choose_device().type
    offered = Counter((row.package, row.version) for row in registry.components())
    return Surroundings(
        denoisplit=VERSION,
        python=platform.python_version(),
        torch=torch.__version__,
        environment=sys.prefix,
        system=platform.platform(),
        gpu_build=_gpu_build(),
        devices=devices,
        auto=auto,
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        settings={name: os.environ[name] for name in SETTINGS if name in os.environ},
        libraries=tuple(_libraries()),
        plugins=tuple(Plugin(package=p, version=v, components=n) for (p, v), n in sorted(offered.items())),
        broken=registry.broken,
        cache=_cache(),
        temporary=tempfile.gettempdir(),
        warnings=tuple(dict.fromkeys(str(one.message) for one in heard)),
    )


def _device(name: str) -> Device:
    device = torch.device(name)
    memory, capability, model = None, "", name_of(device)
    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        memory, capability = int(found.total_memory), f"{found.major}.{found.minor}"
    elif device.type == "cpu":
        model = _model_of_the_processor()
    return Device(name=name, model=model, memory=memory, capability=capability, bf16=has_bf16_units(device))


def _model_of_the_processor() -> str:
    for line in processor().splitlines():
        what, _, value = line.partition(":")
        if what.strip().lower() == "model name":
            return value.strip()
    return platform.processor()


def _gpu_build() -> str:
    if torch.version.cuda is not None:
        return f"CUDA {torch.version.cuda}"
    if torch.version.hip is not None:
        return f"ROCm {torch.version.hip}"
    return "MPS" if torch.backends.mps.is_built() else ""


def _libraries() -> Iterator[Library]:
    """Yield what the metadata of denoisplit name, one row per library."""
    try:
        lines = importlib.metadata.requires(BUILTIN) or []
        extras = importlib.metadata.metadata(BUILTIN).get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        return
    asked: dict[tuple[str, str], list[str]] = {}
    for needed in map(Requirement, lines):
        marker = needed.marker
        if marker is None or marker.evaluate({"extra": ""}):
            asked.setdefault((needed.name, str(needed.specifier)), [])
            continue
        for extra in extras:
            if marker.evaluate({"extra": extra}):
                asked.setdefault((needed.name, str(needed.specifier)), []).append(extra)
    for (name, versions), by in asked.items():
        yield Library(name=name, needed=versions, version=_version(name), extras=tuple(by))


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cache() -> str:
    try:
        return str(kept.folder().parent)
    except RuntimeError:
        return ""
