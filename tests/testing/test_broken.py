"""Every deliberately broken component is caught by name."""

import pytest

from denoisplit.testing import Verdict, suite_for
from denoisplit.testing.examination import laws, verdict
from tests.testing.broken import BROKEN


def of_law(suite: type, name: str) -> list[Verdict]:
    return [verdict(law) for law in laws(suite) if law.name == name]


@pytest.mark.parametrize(
    ("kind", "component", "law", "reason"), BROKEN, ids=lambda x: getattr(x, "__name__", "")
)
def test_it_breaks_the_law_that_it_is_made_to_break(
    kind: str, component: type, law: str, reason: str
) -> None:
    verdicts = of_law(suite_for(kind, component), law)
    failing = [one for one in verdicts if one.outcome == "fails"]
    assert failing, f"not caught: {verdicts}"
    assert all(one.reason.startswith(reason) for one in failing), failing
    assert all("\n" not in one.reason for one in failing)
