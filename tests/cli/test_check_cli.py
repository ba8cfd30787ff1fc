"""``denoisplit check`` and what the command line makes of errors."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import denoisplit.cli
from denoisplit.cli import COMMANDS, main
from denoisplit.core.errors import ImageError
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import load_spec, parse_spec, resolve

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
    spec.write_text(SPEC + "training: {stepz: 3}\n")
    result = run("check", str(spec), "--set", "model.encoder.use=laddr")
    assert (result.exit_code, result.stdout) == (2, "")
    first, second = result.stderr.splitlines()
    assert first.startswith(
        "--set model.encoder.use=laddr $.model.encoder.use: encoder laddr: not installed."
    )
    assert second.startswith(f"{spec}:4:12 $.training.stepz: unknown key (allowed: steps, batch,")


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


def test_the_version_is_printed() -> None:
    assert denoisplit.__version__ in run("--version").stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    result = run("trane")
    assert result.exit_code == 2
    assert "No such command 'trane'" in result.stderr


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
