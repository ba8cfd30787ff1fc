"""The exam of calibrators that see the mean, or give intervals only: those of the documentation pass."""

import runpy
from pathlib import Path
from typing import Any, ClassVar

import pytest

import denoisplit
from denoisplit.core.network.calibrating import gives_std
from denoisplit.core.network.interfaces import IntervalCalibrator
from denoisplit.testing import CalibratorTests

PAGE = Path(denoisplit.__file__).parents[1] / "docs" / "extending.md"


def block(name: str) -> str:
    """The block of the page that has the class."""
    (found,) = [part for part in PAGE.read_text(encoding="utf-8").split("```") if f"class {name}(" in part]
    return found.removeprefix("python")


@pytest.fixture(scope="module", autouse=True)
def _documented(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The classes that the page shows."""
    folder = tmp_path_factory.mktemp("page")
    for suite, name in ((TestSeesTheMean, "DarkAndBright"), (TestIntervalsOnly, "Skewed")):
        module = folder / f"{name}.py"
        module.write_text(block(name), encoding="utf-8")
        found: type[IntervalCalibrator] = runpy.run_path(str(module))[name]
        suite.component = found


class TestSeesTheMean(CalibratorTests):
    """The example of the documentation."""

    component: ClassVar[type[Any] | str]


class TestIntervalsOnly(CalibratorTests):
    """The example of the documentation."""

    component: ClassVar[type[Any] | str]


def test_the_examples_are_what_they_say() -> None:
    sorts = [gives_std(suite().target()(None)) for suite in (TestSeesTheMean, TestIntervalsOnly)]
    assert sorts == [True, False]
