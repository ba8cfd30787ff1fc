"""Client of `benchmarks.rival`: starts it in its environment and asks it for steps."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import torch

from benchmarks.inputs import STATISTICS, Architecture, Batch

SCRIPT: Final = Path(__file__).with_name("rival.py")
STUBS: Final = "stubs"
"""Folder of the environment with the stub of torchvision."""


@attrs.frozen
class Rival:
    """A running process that has a network and a batch."""

    process: "subprocess.Popen[str]"
    parameters: int

    def step(self) -> float:
        """Take one training step, and return its seconds by the rival's own clock."""
        return float(_ask(self.process, {"do": "step"})["seconds"])


def _ask(process: "subprocess.Popen[str]", question: dict[str, Any]) -> dict[str, Any]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the rival has no pipes")
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the rival ended; what it said is above")
    answer: dict[str, Any] = json.loads(line)
    return answer


@contextlib.contextmanager
def rival(
    environment: Path,
    architecture: Architecture,
    batch: Batch,
    noise: tuple[Path, ...],
    folder: Path,
    *,
    clock: str,
) -> Iterator[Rival]:
    """Run CAREamics with a network and a batch, until the end of the block.

    Args:
        environment: environment made by `benchmarks.rival_environment`.
        architecture: architecture of the network.
        batch: training patches in counts.
        noise: files of the noise models.
        folder: folder for the file of the batch.
        clock: name in `timing.CLOCKS`.
    """
    patches = batch.normalised()
    file = folder / f"batch_{batch.mixed.shape[-1]}.npz"
    np.savez(file, mixed=patches.mixed, targets=patches.targets)
    # The program is our own; the caller chose its environment.
    process = subprocess.Popen(  # noqa: S603
        [str(environment / "bin" / "python"), str(SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        answer = _ask(
            process,
            {
                "do": "prepare",
                "stubs": str(environment / STUBS),
                "threads": torch.get_num_threads(),
                "clock": clock,
                "patch": batch.mixed.shape[-1],
                "levels": architecture.levels,
                "width": architecture.width,
                "latent": architecture.latent,
                "noise": [str(path) for path in noise],
                "target_mean": STATISTICS.target_mean,
                "target_std": STATISTICS.target_std,
                "batch": str(file),
            },
        )
        yield Rival(process, int(answer["parameters"]))
    finally:
        process.kill()
        process.communicate()
