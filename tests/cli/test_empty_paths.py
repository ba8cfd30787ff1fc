"""An empty path is a mistake, such as a shell variable that is not set, and never the current folder."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from denoisplit.cli import main

Words = tuple[str, ...]


def _taking_paths(group: click.Group, before: Words = ()) -> Iterator[tuple[Words, click.Parameter]]:
    """Words up to an empty path, for every parameter that takes one."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _taking_paths(command, (*before, name))
            continue
        arguments = [one for one in command.params if isinstance(one, click.Argument)]
        for parameter in command.params:
            if parameter.type.name not in ("path", "file", "directory", "filename"):
                continue
            if isinstance(parameter, click.Argument):
                yield (*before, name, *("x" for _ in arguments[: arguments.index(parameter)])), parameter
            else:
                yield (*before, name, parameter.opts[0]), parameter


PLACES = [(*words, "") for words, _ in _taking_paths(main)]


@pytest.mark.parametrize("words", PLACES, ids=" ".join)
def test_an_empty_path_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Words
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("is empty. Name a file or folder") == 1
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_all_commands_were_looked_at() -> None:
    """A walk that finds nothing would say nothing."""
    assert len(PLACES) >= 28
    assert ("predict", "--out", "") in PLACES
    assert ("predict", "x", "") in PLACES


def test_other_paths_are_as_they_are_given() -> None:
    from denoisplit.cli.paths import PATH

    for given in (".", "a b", " ", "-", Path("run")):
        assert PATH.convert(given, None, None) == Path(given)
    (offered,) = PATH.shell_complete(click.Context(main), click.Option(["--out"]), "ru")
    assert (offered.value, offered.type) == ("ru", "file")
