"""A wait in a thread can be interrupted, and is otherwise the call."""

import os
import signal
from threading import Event, Timer

import pytest

from denoisplit.core.patience import interruptible


def test_it_gives_what_the_call_gives() -> None:
    assert interruptible(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0)


def test_a_call_that_waits_for_ever_is_left_alone() -> None:
    never = Event()
    Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        interruptible(never.wait)
    never.set()
