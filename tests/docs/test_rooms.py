"""What the pages say of the rooms of the house is true."""

import re
import tomllib
from pathlib import Path

import pytest

from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.network.vse import VSE
from denoisplit.core.training.starts.resuming import ResumePoint
from denoisplit.core.training.steps.keeping import KeptWeights
from denoisplit.plugins.calibrators.scale import Scale
from tests.cli.refusals import run as command
from tests.docs.passing import PACKAGE, passed_files
from tests.docs.test_pages import DOCS
from tests.training.test_fit import SPEC

PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")
MOST_FILES = 45


def test_every_room_is_on_the_page() -> None:
    table = PAGE[PAGE.index("## The rooms") :]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name.removeprefix("denoisplit/") for row in rows for name in re.findall(r"`(.*?)`", row)}
    named = {name if (PACKAGE / name).exists() else f"core/{name}" for name in named}
    rooms = {
        str(path.relative_to(PACKAGE))
        for folder in (PACKAGE, PACKAGE / "core")
        for path in folder.iterdir()
        if (path / "__init__.py").is_file() and path.name != "core"
    }
    assert rooms <= named
    assert all((PACKAGE / name).exists() for name in named)


def test_the_layers_are_those_of_the_decision() -> None:
    """From the bottom; the contract knows smaller parts besides."""
    text = (DOCS / "decisions/0001-layers.md").read_text(encoding="utf-8")
    (chain,) = re.findall(r"^From the bottom: (.*?)\.\n\n", text, re.DOTALL | re.MULTILINE)
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = [one["layers"] for one in contracts if one["type"] == "layers" and "containers" not in one]
    place = {
        module.strip().removeprefix("denoisplit.").removeprefix("core."): number
        for number, line in enumerate(reversed(layers))
        for module in line.split("|")
    }
    before = -1
    for group in chain.split("<"):
        (prefix,) = re.findall(r"`(.*?)\.\{", group) or [""]
        names = re.findall(r"[a-z_]+", group.split("{")[1]) if prefix else re.findall(r"`(.*?)`", group)
        here = [place[f"{prefix}.{name}" if prefix else name] for name in names]
        assert min(here) > before, group
        before = max(here)


def test_the_files_of_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    ends = (
        (PatchSampler, "batch"),
        (VSE, "loss"),
        (KeptWeights, "validated"),
        (ResumePoint, "save"),
        (Scale, "fit"),
    )
    passed = passed_files(monkeypatch, ends, aside="rehearsal.py")  # which does the same before
    result = command("train", tmp_path / "spec.yaml", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    (listed,) = re.findall(r"^A training passes (.*?)\.\n", PAGE, re.DOTALL | re.MULTILINE)
    assert re.findall(r"`(.*?)`", listed) == list(passed)
    assert len(passed) <= MOST_FILES
