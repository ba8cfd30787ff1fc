"""Run the notebooks of examples/notebooks and store what they show.

    python -m tools.notebooks FOLDER [NAME ...]

Each runs in a temporary folder of its own, in a fresh process, and is written into FOLDER with its outputs
and without what differs from run to run and shows nothing: numbers of executions, times, progress.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import nbformat
from nbclient import NotebookClient

NOTEBOOKS: Final = Path(__file__).parents[1] / "examples" / "notebooks"
_read: Final[Any] = nbformat.read  # nbformat has no types
_write: Final[Any] = nbformat.write
_SECONDS: Final = 900
"""Longest time of a cell."""


def executed(path: Path) -> Any:
    """Return a notebook after all its cells have run.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = _read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=_SECONDS,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        # Commands in cells are those of this environment.
        here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        client.execute(env={**os.environ, "PATH": here})
        for cell in notebook.cells:
            _tidy(cell, folder)
    return notebook


def _tidy(cell: Any, folder: str) -> None:
    """Remove what is of one execution only."""
    if cell.cell_type != "code":
        return
    cell.execution_count = None
    cell.outputs = _joined([output for output in cell.outputs if not _is_empty(output)])
    for output in cell.outputs:
        if "execution_count" in output:
            output.execution_count = None
        if len(output.get("data", {})) > 1:
            output.data.pop("text/plain", None)  # the same in words, with addresses in memory
        for kind, text in output.get("data", {}).items():
            if isinstance(text, str):
                output.data[kind] = text.replace(f"{folder}/", "")
        if "text" in output:
            output.text = output.text.replace(f"{folder}/", "")


def _joined(outputs: list[Any]) -> list[Any]:
    """Outputs whose neighbouring pieces of one stream are one piece: how they were cut is chance."""
    found: list[Any] = []
    for output in outputs:
        if (
            found
            and output.output_type == found[-1].output_type == "stream"
            and output.name == found[-1].name
        ):
            found[-1].text += output.text
        else:
            found.append(output)
    return found


def _is_empty(output: Any) -> bool:
    """Whether an output is that of a progress bar that has gone."""
    return output.output_type == "display_data" and not output.data.get("text/html", "shown")


def main(arguments: list[str]) -> None:
    """Run all notebooks, or the named ones, and write them."""
    folder, *names = arguments
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if not names or path.stem in names:
            _write(executed(path), Path(folder) / path.name)


if __name__ == "__main__":
    main(sys.argv[1:])
