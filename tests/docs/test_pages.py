"""The pages of the documentation say what the code does."""

from pathlib import Path

import attrs
import pytest

import denoisplit
from denoisplit.core.spec.options import attribute_docs
from denoisplit.core.spec.records import DataSpec, ModelSpec, PredictionSpec, ResolvedSpec, TrainingSpec
from tools.components_page import page

DOCS = Path(denoisplit.__file__).parents[1] / "docs"


def test_the_page_of_the_components_is_fresh() -> None:
    assert (DOCS / "components.md").read_text(encoding="utf-8") == page(), "run: make docs"


def test_attributes_with_a_shared_line_and_several_lines_are_all_found() -> None:
    class Documented:
        """Title.

        Attributes:
            first: of two
                lines with ``code``.
            second, third: None for none: a colon inside.
        """

    assert attribute_docs(Documented) == {
        "first": "of two lines with `code`.",
        "second": "`null` for none: a colon inside.",
        "third": "`null` for none: a colon inside.",
    }


@pytest.mark.parametrize("record", [ResolvedSpec, DataSpec, ModelSpec, TrainingSpec, PredictionSpec])
def test_the_page_of_the_spec_has_every_key_with_its_default(record: type) -> None:
    text = (DOCS / "spec.md").read_text(encoding="utf-8")
    for field in attrs.fields(record):
        row = f"| `{field.name}` |"
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            row += f" `{field.default}` |"
        assert row in text


def test_every_decision_is_short_and_has_its_three_parts() -> None:
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    assert [path.name[:4] for path in decisions] == [f"{n:04}" for n in range(1, len(decisions) + 1)]
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 60
        assert all(f"\n## {part}\n" in text for part in ("Context", "Decision", "Consequences"))
