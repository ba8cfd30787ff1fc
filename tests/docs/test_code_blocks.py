"""Every block of code in the documentation works."""

import inspect
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

import denoisplit
from denoisplit.cli import main
from denoisplit.core.registry import hookspecs
from denoisplit.core.registry.hookspecs import GROUP
from denoisplit.core.registry.manager import Offer
from denoisplit.core.registry.registry_file import read_manifest
from denoisplit.core.spec import load_spec
from tests.docs.walk import blocks as written
from tests.docs.walk import commands
from tests.docs.walked import IMAGES

ROOT = Path(denoisplit.__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHERS = {"docs/export.md", "docs/extending.md"}
"""Pages with tests of their own."""
ADVICE = "nothing runs this. Walk the page (tests/docs/walk.py), or say <!-- not run: WHY --> above it"
pages = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def _assert_known(words: list[str], command: click.Command) -> None:
    """The words are sub-commands and options that exist."""
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"no command {words[0]}"
        command, words = found, words[1:]
    # A parse without running it: unknown options, missing arguments and wrong types raise.
    command.make_context(command.name, words)


@pages
def test_commands_exist_and_take_these_options(path: Path) -> None:
    for block in blocks(path, "bash"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["denoisplit"]:
                _assert_known(words[1:], main)
            elif words[:1] == ["make"]:
                assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pages
def test_specs_resolve_and_manifests_register(path: Path, tmp_path: Path) -> None:
    for block in blocks(path, "yaml"):
        file = tmp_path / "block.yaml"
        file.write_text(block, encoding="utf-8")
        if "spec_version" in block:
            if path.name != "extending.md":  # whose component is made on the page: see tests/packaging
                load_spec(file)
        else:
            offer = Offer("my-package", "1")
            read_manifest(file).denoisplit_register(offer)
            assert offer.components


@pages
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_entry_points_are_in_the_group_that_is_read() -> None:
    (block,) = blocks(ROOT / "docs/how-to/camera.md", "toml")
    assert tomllib.loads(block)["project"]["entry-points"].keys() == {GROUP}


@pages
def test_commands_and_code_are_run_or_say_why_not(path: Path) -> None:
    """Pages that are walked run theirs; of others, tests of their own do."""
    page = path.relative_to(ROOT).as_posix()
    for block in written(path.read_text(encoding="utf-8")):
        made = block.language == "bash" and all(words[0] == "make" for words in commands(block.text))
        if block.language in ("bash", "python", "py") and not block.why and not made:
            assert page in {*IMAGES, *OTHERS}, f"{page}: {ADVICE}\n{block.text}"


def test_the_hooks_of_the_page_are_hooks_that_there_are() -> None:
    first, *_ = blocks(ROOT / "docs/plugins.md", "python")
    found: dict[str, Any] = {}
    exec(first, found)  # noqa: S102 - what the page says
    for name in ("denoisplit_commands", "denoisplit_watchers"):
        assert getattr(hookspecs, name).__name__ == found[name].__name__
        given = inspect.signature(found[name]).parameters
        assert given.keys() <= inspect.signature(getattr(hookspecs, name)).parameters.keys()


def test_the_readme_is_two_screens() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 90
    assert (ROOT / "docs/images/demo.png").stat().st_size < 300_000
