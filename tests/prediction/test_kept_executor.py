"""Workers that are kept are started once, and anew where something failed with them."""

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager

import pytest

from denoisplit.core.errors import RunError
from denoisplit.core.prediction.executor import AtOnce, Executor
from denoisplit.core.prediction.kept_executor import Kept


class Counted(Executor):
    """Notes its beginnings and ends, and turns what breaks into an error of its own."""

    elsewhere = True

    def __init__(self) -> None:
        super().__init__("options")
        self.notes: list[str] = []

    @contextmanager
    def start(self, workers: int) -> Iterator[AtOnce]:
        self.notes.append(f"start {workers}")
        try:
            yield AtOnce()
        except BrokenExecutor as error:
            raise RunError("told") from error
        finally:
            self.notes.append("end")


def test_it_is_started_once_until_something_fails() -> None:
    counted = Counted()
    with Kept(counted) as kept:
        assert (kept.elsewhere, kept.options) == (True, "options")
        for _ in range(2):
            with kept.start(3) as pool:
                assert pool.submit(max, 1, 2).result() == 2
        assert counted.notes == ["start 3"]
        with pytest.raises(RunError, match="told"), kept.start(3):
            raise BrokenExecutor
        assert counted.notes == ["start 3", "end"]
        with kept.start(3):
            pass
        assert counted.notes == ["start 3", "end", "start 3"]
    assert counted.notes == ["start 3", "end"] * 2


def test_nothing_ends_that_was_not_started() -> None:
    counted = Counted()
    with Kept(counted):
        pass
    assert not counted.notes
