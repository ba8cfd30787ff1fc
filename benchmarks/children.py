"""Processes that are measured from outside."""

import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = "benchmarks.child"


def run(*words: str) -> None:
    """Run Python with these arguments and wait.

    Raises:
        RuntimeError: it failed; quotes the end of its output.
    """
    # Our own interpreter and our own code.
    done = subprocess.run(  # noqa: S603
        [sys.executable, *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {(done.stdout + done.stderr)[-2000:]}")


def peak(module: str, *words: str) -> float:
    """Run a module and return its largest resident memory, MiB; raises as ``run``.

    The process reads it itself, as the system's figure for a child includes the memory of its parent at the
    time of the fork.
    """
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "peak"
        run("-m", "benchmarks.peak", str(file), module, *words)
        return float(file.read_text(encoding="ascii"))
