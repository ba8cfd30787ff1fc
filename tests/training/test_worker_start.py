"""Workers of a training at the top level of a script."""

import runpy
from pathlib import Path

import pytest

from denoisplit.core.errors import SpecError
from denoisplit.core.training.worker_start import explained, stop_in_worker

SCRIPT = """
from denoisplit import train
train("nothing.yaml", "nowhere")
"""


def test_a_worker_that_runs_the_script_again_ends_without_a_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(script), run_name="__mp_main__")
    assert end.value.code == 1
    assert capfd.readouterr() == ("", "")


def test_a_worker_may_train_in_a_function() -> None:
    stop_in_worker()


def test_the_training_that_lost_its_workers_says_what_to_do() -> None:
    lost = RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")
    with (
        pytest.raises(SpecError, match=r"training\.workers: .*__main__.*training\.workers to 0"),
        explained(2),
    ):
        raise lost
    with pytest.raises(RuntimeError, match="something else"), explained(2):
        raise RuntimeError("something else")
