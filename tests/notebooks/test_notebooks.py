"""The notebooks run, and are stored with what they show."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.notebooks import NOTEBOOKS, executed

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
LARGEST = 500_000
"""Bytes of a notebook with its pictures."""

every = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def test_there_are_notebooks() -> None:
    assert len(PATHS) >= 4


@every
def test_a_notebook_is_stored_with_small_outputs_and_without_errors(path: Path) -> None:
    assert path.stat().st_size < LARGEST
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    outputs = [output for cell in code for output in cell["outputs"]]
    assert len(outputs) >= len(code) // 2
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert all(cell["execution_count"] is None for cell in code)


@every
def test_a_notebook_names_no_folder_of_the_machine_that_ran_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not [name for name in ("/tmp/", "/home/", "/root/", "/work/") if name in text]  # noqa: S108


@pytest.mark.slow
@pytest.mark.timeout(900)
@every
def test_a_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DENOISPLIT_PRECISION", raising=False)
    notebook = executed(path)
    assert len(notebook.cells) == len(cells(path))
