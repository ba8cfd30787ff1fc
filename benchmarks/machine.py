"""Circumstances of a measurement: processor, memory, versions, commit, and load."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.records import Machine

_UNITS: Final = ("amx_bf16", "amx_int8", "avx512_bf16", "avx512f", "avx2")
"""Processor flags in Linux, the fastest units first."""

ROOT: Final = Path(__file__).resolve().parents[1]


def this_machine() -> Machine:
    """Describe this machine."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8", errors="ignore").splitlines() if cpu.is_file() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    return Machine(
        processor=facts.get("model name") or platform.processor() or platform.machine(),
        features=tuple(unit for unit in _UNITS if unit in flags),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        system=f"{platform.system()} {platform.machine()}",
    )


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that affect speed."""
    packages = ("torch", "numpy", "lightning-fabric")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def commit() -> str:
    """Return the short hash of the code, with ``+`` if files were changed; ``unknown`` outside of git."""
    git = shutil.which("git")
    if git is None:
        return "unknown"

    def ask(*words: str) -> str:
        # All words are from this module.
        return subprocess.run(  # noqa: S603
            [git, "-C", str(ROOT), *words], capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = ask("status", "--porcelain", "--untracked-files=no", "--", "denoisplit", "registry.yaml")
    return (ask("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def load() -> float:
    """Return the mean number of runnable processes in the last minute."""
    return round(os.getloadavg()[0], 2)
