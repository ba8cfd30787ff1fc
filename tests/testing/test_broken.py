"""Every deliberately broken component is caught by name."""

import inspect

import pytest

from denoisplit.core.arrays import AnyArray
from denoisplit.plugins.metrics.pixelwise import Psnr
from denoisplit.testing import Verdict, suite_for
from denoisplit.testing.examination import laws, verdict
from tests.testing.broken import BROKEN
from tests.testing.broken_beside import BESIDE, ChosenChannel, SuiteOfArrays
from tests.testing.broken_quietly import QUIETLY


def of_law(suite: type, name: str) -> list[Verdict]:
    return [verdict(law) for law in laws(suite) if law.name == name]


@pytest.mark.parametrize(
    ("kind", "component", "law", "reason"),
    [*BROKEN, *QUIETLY, *BESIDE],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_it_breaks_the_law_that_it_is_made_to_break(
    kind: str, component: type, law: str, reason: str
) -> None:
    verdicts = of_law(suite_for(kind, component), law)
    failing = [one for one in verdicts if one.outcome == "fails"]
    assert failing, f"not caught: {verdicts}"
    assert all(one.reason.startswith(reason) for one in failing), failing
    assert all("\n" not in one.reason for one in failing)


def test_a_folder_of_another_layout_is_spoilt_as_well() -> None:
    (one,) = of_law(SuiteOfArrays, "pixels_that_are_not_finite_are_no_pixels_of_a_field")
    assert one.reason.startswith("cell_0.npy holds a pixel of nan, and so does the observed image of cell_0:")


def test_an_objective_may_have_an_option_that_chooses_a_channel() -> None:
    verdicts = of_law(suite_for("objective", ChosenChannel), "every_channel_matters")
    assert [one.outcome for one in verdicts] == ["holds", "holds"], verdicts


class Fails(Psnr):
    """Takes the wrong index."""

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        return super().score(truth[99], prediction)


def test_an_error_names_the_line_of_the_component() -> None:
    line = inspect.getsourcelines(Fails.score)[1] + 1
    (one,) = of_law(suite_for("metric", Fails), "a_constant_prediction_has_a_score_or_is_refused")
    assert one.reason.startswith("IndexError: index 99 is out of bounds")
    assert one.reason.endswith(f" (test_broken.py:{line})")
