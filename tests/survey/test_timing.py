"""The time of a training step: what it costs, and what other programs make of it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from denoisplit.core.spec import load_spec
from denoisplit.core.survey import timing
from denoisplit.core.survey.proposing import _duration
from denoisplit.core.survey.timing import QUICK_FIT, StepTime, step_time
from tests.e2e.experiment import SPEC

SECONDS = 0.05


def work() -> None:
    """Keep the processor busy for a while of its own time."""
    end = time.thread_time() + SECONDS
    while time.thread_time() < end:
        pass


def wait() -> None:
    """What a step does while other programs have the processor."""
    time.sleep(3 * SECONDS)
    work()


@pytest.mark.parametrize("step", [work, wait])
def test_a_step_costs_what_it_was_worked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Callable[[], None]
) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    monkeypatch.setattr(timing, "_step", lambda *_: step())
    found = step_time(load_spec(tmp_path / "spec.yaml", QUICK_FIT))
    assert found.own == pytest.approx(SECONDS, rel=0.5)
    assert found.elapsed > 0.9 * found.own
    if step is wait:
        assert found.busy
        assert found.idle == found.own


def test_a_busy_machine_is_told() -> None:
    calm, busy = _duration(StepTime(1.0, 0.95), 7200), _duration(StepTime(5.0, 1.0), 7200)
    assert "about 2 h on this machine (" in calm
    assert "about 2 h on this machine if nothing else runs" in busy
    assert "keep it busy now, and as long as they do, it takes about 11 h" in busy
