"""Somebody who has only the page on extending, and pip, makes a component of their own."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import denoisplit
from tests.packaging.environment import Environment

pytestmark = pytest.mark.slow

PAGE = Path(denoisplit.__file__).parents[1] / "docs" / "extending.md"
BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_HERE = "python -m twine"
"""Publishing needs an account."""


@attrs.frozen
class Step:
    """A block of the page: the text of a file, or commands.

    Attributes:
        file: path of the file, empty for commands.
        language: of the block.
        text: of the block.
    """

    file: str
    language: str
    text: str


def steps() -> Iterator[Step]:
    """What a reader does; the page goes on with other components, to read."""
    numbered, _, _ = PAGE.read_text(encoding="utf-8").partition("\n## Components around the network\n")
    for file, language, text in BLOCK.findall(numbered):
        yield Step(file, language, text)


def test_every_block_is_a_file_or_a_command() -> None:
    for step in steps():
        assert step.file or step.language in ("bash", "text"), step.text


def test_the_page_leads_from_an_empty_folder_to_a_wheel(environment: Environment, tmp_path: Path) -> None:
    ran = []
    for step in steps():
        if step.file:
            file = tmp_path / step.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(step.text, encoding="utf-8")
        elif step.language == "bash":
            for line in step.text.splitlines():
                ran += _run(environment, shlex.split(line, comments=True), tmp_path)
    assert any("0 fail" in output for output in ran), "no check of the component"
    assert any(re.search(r"\d+ passed", output) for output in ran), "no tests of the package"
    assert list(tmp_path.rglob("run*/model.safetensors")), "nothing was trained with it"
    assert list(tmp_path.rglob("dist/*.whl")), "no wheel was built"


def _run(environment: Environment, words: list[str], cwd: Path) -> list[str]:
    """What the command of a line said; installing does without an index."""
    if not words or " ".join(words).startswith(NOT_HERE):
        return []
    if words[:4] == ["python", "-m", "pip", "install"]:
        return [environment.pip_install(*words[4:], cwd=cwd).stdout]
    if words[:3] == ["python", "-m", "build"]:
        words.append("--no-isolation")
    return [environment.run(words[0], *words[1:], cwd=cwd).stdout]
