"""Commands say on a terminal what they do, and how far they have come."""

from pathlib import Path

from tests.cli.terminal import run
from tests.e2e.experiment import Experiment


def test_a_training_shows_every_stage_on_a_terminal(experiment: Experiment, tmp_path: Path) -> None:
    shown = run("train", str(experiment.spec), "--out", str(tmp_path / "run"))
    assert shown.code == 0, shown.text
    for stage in ("Training", "Calibrating", "Looking at the images"):
        assert any(line.startswith(stage) and "/" in line for line in shown.lines), (stage, shown.text)
    # The lines are those of the log, and the bar does not tear them.
    assert "step 4 of 4: loss" in shown.text
    assert f"Trained: {tmp_path / 'run'}" in shown.lines
