"""A report in a real browser: it asks for nothing, complains of nothing, and keys move its slider."""

from pathlib import Path

import pytest

import denoisplit
from tests.browser import browser, installed
from tests.e2e.experiment import CHANNELS, Experiment

CHROMIUM = installed()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

SHOWN = "[...document.querySelectorAll('#samples1 img[data-step]')].filter(one => !one.hidden)"
SLIDER = "document.querySelector('#samples1-slider')"


@pytest.mark.parametrize("dark", [False, True])
def test_a_report_in_a_browser(experiment: Experiment, tmp_path: Path, *, dark: bool) -> None:
    run = denoisplit.load(experiment.run)
    file = run.report(tmp_path / "report.html", samples=2)
    assert CHROMIUM is not None
    with browser(CHROMIUM, tmp_path / "profile") as page:
        page.open(file, dark=dark)
        assert page.requests == {file.as_uri()}
        assert page.value("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
        dim = page.value(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0] < 128"
        )
        assert dim is dark
        assert page.value("document.documentElement.scrollWidth <= innerWidth")

        page.press("Tab")
        assert page.value("document.activeElement.className") == "skip"
        page.value(f"{SLIDER}.focus()")
        assert page.value(f"{SHOWN}.map(one => one.dataset.step)") == ["1"] * len(CHANNELS)
        page.press("ArrowRight")
        assert page.value(f"{SHOWN}.map(one => one.dataset.step)") == ["2"] * len(CHANNELS)
        assert page.value("document.querySelector('#samples1 output').textContent") == "2 of 2"
        assert page.value(f"{SLIDER}.getAttribute('aria-valuetext')") == "2 of 2"
        page.press("Home")
        assert page.value(f"{SHOWN}.map(one => one.dataset.step)") == ["1"] * len(CHANNELS)

        page.value("document.querySelector('#samples1 button').focus()")
        page.press("Enter")
        assert page.value("document.querySelector('#samples1 button').textContent") == "Stop"
        page.press("Enter")
        assert page.value("document.querySelector('#samples1 button').textContent") == "Play"

        assert page.complaints == []
