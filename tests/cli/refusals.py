"""Commands in this process, and what a refusal looks like."""

import numpy as np
import numpy.typing as npt
from click.testing import CliRunner, Result

from denoisplit.cli import main

Stack = npt.NDArray[np.float32]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(result: Result, *parts: str) -> None:
    """The message has one line that holds all ``parts``."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    for part in parts:
        assert part in line
    assert "Traceback" not in line


def noise(*shape: int) -> Stack:
    return np.random.default_rng(0).normal(200, 40, shape).astype(np.float32)
