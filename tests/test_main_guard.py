"""Scripts that start processes at their top level."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from denoisplit.core.main_guard import stop_in_worker

TRAINS = """
from denoisplit import train
train("nothing.yaml", "nowhere")
"""

LOOKS = """
import sys
from denoisplit.core.main_guard import can_start, guard, stop_in_worker
if %s:
    stop_in_worker()
    sys.stdout.write("It starts." if can_start() else guard())
"""


def test_a_worker_that_runs_the_script_again_ends_without_a_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.py"
    script.write_text(TRAINS, encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(script), run_name="__mp_main__")
    assert end.value.code == 1
    assert capfd.readouterr() == ("", "")


def test_a_worker_may_train_in_a_function() -> None:
    stop_in_worker()


@pytest.mark.parametrize(
    ("condition", "advice"),
    [("True", "'if __name__ == \"__main__\":'"), ('__name__ == "__main__"', "It starts.")],
)
def test_the_guard_is_advised_where_the_script_lacks_it(condition: str, advice: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(LOOKS % condition, encoding="utf-8")
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.endswith(advice)
    assert done.stderr == ""


def test_a_script_that_is_no_file_has_to_be_one_first(tmp_path: Path) -> None:
    command = [sys.executable, "-"]
    script = LOOKS % '__name__ == "__main__"'
    done = subprocess.run(
        command, cwd=tmp_path, input=script, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.endswith("too: save it to a file (got <stdin>)")
