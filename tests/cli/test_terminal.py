"""Every command on a terminal, wide or narrow, with colours or without, and one that can do nothing."""

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from denoisplit.cli import COMMANDS
from denoisplit.cli.watch import Lines
from tests.cli.terminal import COLOUR, Shown, run
from tests.e2e.experiment import Experiment

TERMINALS = [
    pytest.param({"COLUMNS": "80"}, id="80 columns"),
    pytest.param({"COLUMNS": "40"}, id="40 columns"),
    pytest.param({"COLUMNS": "80", "NO_COLOR": "1"}, id="no colours"),
    pytest.param({"COLUMNS": "80", "TERM": "dumb"}, id="dumb"),
]
GROUPS = {
    "data": ("check",),
    "plugins": ("list", "show", "check", "new"),
}
FOR_MACHINES = ("check", "cite")
"""Commands that write YAML and BibTeX, whose lines are not to be broken."""

HELP_COLUMNS = 52
"""That click uses at least."""

TEXT_ATTRIBUTES = {"0", "1", "2", "3", "22", "23", ""}
"""Of control codes that choose no colour: bold, dim, italic, and none."""


def on(terminal: dict[str, str], *arguments: object, code: int = 0) -> Shown:
    """Run a command on a terminal: it does what it should, without a traceback, in the columns there are."""
    columns = int(terminal["COLUMNS"])
    environment = {name: value for name, value in terminal.items() if name != "COLUMNS"}
    shown = run(*map(str, arguments), columns=columns, **environment)
    assert shown.code == code, shown.text
    assert "Traceback" not in shown.text
    if not code and arguments[0] not in FOR_MACHINES:  # and an error is one line
        room = max(columns, HELP_COLUMNS) if "--help" in arguments else columns
        for line in shown.lines:
            # Paths, names and commands that are to be copied are left to the terminal to break.
            copied = re.search(r"[/\\]|^(Next|Then): |^Usage: |^ *\S*$", line)
            assert len(line) <= room or copied, line
    if "NO_COLOR" in environment:
        attributes = {part for codes in COLOUR.findall(shown.raw) for part in codes[2:-1].split(";")}
        assert attributes <= TEXT_ATTRIBUTES
    if environment.get("TERM") == "dumb":
        assert "\x1b" not in shown.raw
    return shown


def bars(shown: Shown, stage: str) -> list[str]:
    """What was seen of the bar of a stage; its name may have been cut."""
    return [line for line in shown.lines if line.startswith(stage[:12]) and re.search(r"\d+/\d+", line)]


@pytest.mark.parametrize("terminal", TERMINALS)
def test_commands_that_look(experiment: Experiment, tmp_path: Path, terminal: dict[str, str]) -> None:
    on(terminal, "--help")
    for name in COMMANDS:
        on(terminal, name, "--help")
        for command in GROUPS.get(name, ()):
            on(terminal, name, command, "--help")
    on(terminal, "new", tmp_path / "new.yaml", "--data", experiment.images, "--quick", "--mixing", "mean")
    assert "encoder" in on(terminal, "check", experiment.spec).text
    assert "@software" in on(terminal, "cite", experiment.spec).text
    on(terminal, "data", "check", experiment.spec)
    assert "ladder" in on(terminal, "plugins", "list", "--kind", "encoder").text
    on(terminal, "plugins", "show", "scale")
    on(terminal, "plugins", "new", tmp_path / "denoisplit-mine", "--kind", "kl_scheme", "--name", "mine")
    on(terminal, "schema", "--out", tmp_path / "schema.json")
    missing = on(terminal, "import-checkpoint", "no.ckpt", "--config", "no.json", "--out", "x", code=2)
    assert "there is no such file" in missing.text
    on(terminal, "trane", code=2)
    on(terminal, "check", "nothing.yaml", code=2)


@pytest.mark.parametrize("terminal", TERMINALS)
def test_prediction_and_evaluation_show_how_far_they_are(
    experiment: Experiment, tmp_path: Path, terminal: dict[str, str]
) -> None:
    image = tmp_path / "[bold]cells.tif"  # is no mark-up
    tifffile.imwrite(image, np.random.default_rng(0).integers(90, 180, (24, 24)).astype(np.uint16))
    shown = on(terminal, "predict", experiment.run, image, "--out", tmp_path / "split.ome.tif")
    assert "Verdict: " in shown.text
    drawn = terminal.get("TERM") != "dumb"
    assert bool(bars(shown, "Splitting [b")) == drawn
    shown = on(terminal, "evaluate", experiment.run)
    assert bool(bars(shown, "Evaluating")) == drawn
    for word in ("filaments", "mitochondria", "RI-PSNR", "as predicted", "calibrated", "within"):
        assert word in shown.text
    assert "…" not in shown.text


@pytest.mark.parametrize("terminal", TERMINALS[1::2])
def test_training_shows_every_stage(experiment: Experiment, tmp_path: Path, terminal: dict[str, str]) -> None:
    shown = on(terminal, "train", experiment.spec, "--out", tmp_path / "run")
    drawn = terminal.get("TERM") != "dumb"
    for stage in ("Training", "Calibrating", "Looking at the images"):
        assert bool(bars(shown, stage)) == drawn, shown.text
    words = " ".join(shown.text.split())
    for line in ("step 4 of 4: loss", "calibrating: 2 samples of each of 1 held-out fields"):
        assert line in words


def test_a_training_whose_messages_nobody_reads_any_more_ends(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(_self: Lines, _line: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(Lines, "say", say)
    shown = run("train", str(experiment.spec), "--out", str(tmp_path / "run"), TERM="dumb")
    assert (shown.code, shown.raw) == (1, "")
