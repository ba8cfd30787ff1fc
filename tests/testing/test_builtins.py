"""Every row of the registry obeys the laws of its kind, and is described."""

from pathlib import Path

import pytest

import denoisplit
from denoisplit.core.registry import KINDS, Component, load_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.testing import suite_for
from denoisplit.testing.examination import SUITES

ROWS = [row for row in load_registry().components() if row.package == BUILTIN]
COMPONENTS = Path(denoisplit.__file__).parents[1] / "docs" / "components.md"

# One class per row for pytest to collect, so that a new component is examined without a line here.
globals().update(
    {f"Test_{row.kind}_{row.name}": suite_for(row.kind, f"{row.package}/{row.name}") for row in ROWS}
)


def test_every_kind_has_a_suite_and_a_component() -> None:
    assert set(SUITES) == set(KINDS) == {row.kind for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}-{row.name}")
def test_a_row_has_a_summary_a_source_and_documentation(row: Component) -> None:
    assert row.summary.endswith("."), "summary: write one sentence"
    assert row.source, "source: name the paper or the software to cite"
    assert row.since, "since: name the version that introduced it"
    assert f"\n### {row.kind} `{row.name}`\n" in COMPONENTS.read_text(encoding="utf-8"), "run: make docs"
    assert (row.load().__doc__ or "").strip(), "the class has no docstring"
