"""A wait in a thread can be interrupted, and is otherwise the call."""

import signal
import subprocess
import sys

import pytest

from denoisplit.core.patience import interruptible

WAITING = """
import signal
from threading import Event
from denoisplit.core.patience import interruptible
signal.signal(signal.SIGINT, signal.default_int_handler)  # processes in the background begin without
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
        try:
            _, said = waiting.communicate(timeout=60)
        finally:
            waiting.kill()
    assert said.endswith("KeyboardInterrupt\n")
