"""``denoisplit check`` and what the command line makes of errors."""

import importlib.util
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import denoisplit.cli
from denoisplit.cli import COMMANDS, main
from denoisplit.core.errors import ImageError
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import load_spec, parse_spec, resolve
from tests.cli.refusals import refused

SPEC = "preset: denoisplit\nchannels: [mitochondria, actin]\ndata: {train: {use: folder, path: images}}\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    return file


def test_check_prints_a_spec_that_means_the_same(spec: Path) -> None:
    result = run("check", str(spec), "--set", "training.steps=7", "--set", "model.encoder.levels=3")
    assert result.exit_code == 0
    printed = resolve(parse_spec(result.stdout), installed_registry())
    assert printed == load_spec(spec, ["training.steps=7", "model.encoder.levels=3"])
    assert printed.training.steps == 7
    assert f"# encoder denoisplit/ladder {denoisplit.__version__}\n" in result.stdout


def test_check_prints_every_problem_on_a_line_of_its_own(spec: Path) -> None:
    spec.write_text(SPEC + "training: {stepz: 3}\n", encoding="utf-8")
    result = run("check", str(spec), "--set", "model.encoder.use=laddr")
    assert (result.exit_code, result.stdout) == (2, "")
    first, second = result.stderr.splitlines()
    assert first.startswith("--set model.encoder.use=laddr: encoder laddr: not installed.")
    assert second.startswith(f"{spec}:4:12 $.training.stepz: unknown key (allowed: steps, batch,")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "devices: 64",
            "devices: training.batch: fewer patches than processes (got 32 for 64). Every process",
        ),
        (
            "accumulate: 33",
            "accumulate: more parts than patches (got 33, and the only process has 32 of training",
        ),
        ("device: cudda", "device: not on this computer (got 'cudda'). Use one of auto, cpu"),
        (
            "schedule: {use: cosine, warmup: 40000}",
            "schedule: the warm-up has to be shorter than the training",
        ),
        (
            "schedule: {use: plateau, patience: 3}, plateau_patience: 9",
            "plateau_patience: training.schedule has another patience (got 9, and 3 there). Make both",
        ),
        (
            "schedule: {use: plateau, factor: 0.3}, plateau_factor: 0.6",
            "plateau_factor: training.schedule has another factor (got 0.6, and 0.3 there). Make both 0.6 or",
        ),
        (
            "loggers: [wandb]",
            "loggers: wandb needs the package wandb, which is not installed. Install it with",
        ),
        (
            "optimizer: [adamw]",
            "optimizer: expected a name or {use: NAME, ...} (got a list). Name an optimizer:",
        ),
    ],
)
def test_check_and_train_refuse_the_same_in_the_same_words(
    spec: Path, written: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else found(name))
    spec.write_text(f"{SPEC}training: {{{written}}}\n", encoding="utf-8")
    check = run("check", str(spec))
    refused(check, f"{spec}:4:", f"$.training.{message}")
    train = run("train", str(spec), "--out", str(spec.parent / "out"))
    assert (train.exit_code, train.stdout, train.stderr) == (2, "", check.stderr)
    assert not (spec.parent / "out").exists()


@pytest.mark.parametrize(
    "written",
    [
        "devices: 32",
        "accumulate: 32",
        "schedule: {use: plateau, patience: 3}",
        "schedule: {use: plateau, patience: 3}, plateau_patience: 3",
        "schedule: plateau, plateau_patience: 9",
    ],
)
def test_check_accepts_what_can_be_trained(spec: Path, written: str) -> None:
    spec.write_text(f"{SPEC}training: {{{written}}}\n", encoding="utf-8")
    result = run("check", str(spec))
    assert result.exit_code == 0, result.output
    spec.write_text(result.stdout, encoding="utf-8")
    assert run("check", str(spec)).stdout == result.stdout


def test_a_device_that_is_given_stands_for_that_of_the_spec(spec: Path) -> None:
    """A spec may be for another computer."""
    spec.write_text(f"{SPEC}training: {{device: cuda:7}}\n", encoding="utf-8")
    here = run("train", str(spec), "--out", str(spec.parent / "out"), "--device", "cpu")
    refused(here, "images: there is no such folder")


def test_a_missing_spec_is_a_message_and_not_a_traceback(tmp_path: Path) -> None:
    result = run("check", str(tmp_path / "nothing.yaml"))
    assert result.exit_code == 2
    assert "nothing.yaml: cannot be read (No such file or directory)" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_lists_every_command_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        denoisplit.cli,
        "COMMANDS",
        {name: ("no_such_module", "x", text) for name, (_, _, text) in COMMANDS.items()},
    )
    result = run("--help")
    assert result.exit_code == 0
    for name in ("train", "predict", "evaluate", "demo", "check", "plugins"):
        assert f"  {name} " in result.stdout


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_examples_in_the_help_can_be_typed(name: str) -> None:
    shown = run(*filter(None, [name]), "--help").stdout
    examples = [line.split()[1:] for line in shown.splitlines() if line.startswith("    denoisplit ")]
    assert examples or name not in ("", "new", "train", "predict")
    for command, *words in examples:
        found = main.get_command(click.Context(main), command)
        assert found is not None
        found.make_context(command, words)


def test_the_version_is_printed() -> None:
    assert denoisplit.__version__ in run("--version").stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    result = run("trane")
    assert result.exit_code == 2
    assert "No such command 'trane'. Did you mean train?" in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [(ImageError("a.tif: empty."), 2, "a.tif: empty.\n"), (KeyboardInterrupt(), 130, "Interrupted.\n")],
)
def test_errors_of_a_command_become_exit_codes(
    error: BaseException, code: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr("denoisplit.cli.check.check", failing)
    result = run("check")
    assert (result.exit_code, result.stderr) == (code, text)


def test_a_programming_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def failing() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("denoisplit.cli.check.check", failing)
    assert isinstance(run("check").exception, ZeroDivisionError)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_of_the_table_exists(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Usage: main {name}")


def test_check_refuses_orientations_of_a_network_with_lateral_context(spec: Path) -> None:
    asked, scales = "prediction.orientations=8", "model.encoder.input_scales=2"
    small = ["--set", "model.encoder.levels=2", "--set", "model.encoder.width=4", "--set", asked]
    refused(
        run("check", str(spec), "--set", "preset=musplit-regular", "--set", scales, *small),
        f"--set {asked}: the network does not treat turned images like others",
    )
    assert run("check", str(spec), *small).exit_code == 0
