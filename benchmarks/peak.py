"""Run a module and write the largest resident memory of the process to a file, MiB.

python -m benchmarks.peak FILE MODULE ...
"""

import resource
import runpy
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak() -> float:
    """Return the largest resident memory of this process until now, MiB."""
    if _STATUS.is_file():
        return resident(_STATUS)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)  # bytes on macOS


def resident(status: Path) -> float:
    """Return the largest resident memory of a process until now, MiB, from its file in /proc.

    Raises:
        OSError, StopIteration: it has ended.
    """
    lines = status.read_text(encoding="ascii", errors="ignore").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def main() -> None:
    """Run the module as a script."""
    file, module, *words = sys.argv[1:]
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        Path(file).write_text(f"{peak():.1f}", encoding="ascii")


if __name__ == "__main__":
    main()
