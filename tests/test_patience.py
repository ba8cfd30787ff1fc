"""A wait in a thread can be interrupted, and is otherwise the call."""

import signal
import subprocess
import sys

import pytest

from denoisplit.core.patience import interruptible

WAITING = """
from threading import Event
from denoisplit.core.patience import interruptible
print("waiting", flush=True)
interruptible(Event().wait)
"""


def test_it_gives_what_the_call_gives() -> None:
    assert interruptible(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0)


def test_a_call_that_waits_for_ever_is_left_alone() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=pipe, stderr=pipe, text=True) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "waiting\n"
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=60)
    assert said.endswith("KeyboardInterrupt\n")
