"""Progress in a notebook: one line that is replaced, and that goes when the stage ends."""

import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, Final

from denoisplit.core.prediction.progress import Tell, silent

_PERIOD: Final = 0.25
"""Shortest time between two updates, seconds: each is a message to the browser."""


@contextmanager
def notebook_bar(what: str) -> Iterator[Tell]:
    """A stage with a bar in a Jupyter notebook, and a silent one elsewhere."""
    if not _in_notebook():
        with silent(what) as tell:
            yield tell
        return
    # There wherever a notebook runs, and nowhere else needed; it has no types.
    ipython: Any = importlib.import_module("IPython.display")
    shown = ipython.display(ipython.HTML(_bar(what, 0, 0, "")), display_id=True)
    last = time.monotonic()

    def show(done: int, total: int, note: str = "") -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _PERIOD or done == total:
            last = now
            shown.update(ipython.HTML(_bar(what, done, total, note)))

    try:
        yield show
    finally:
        shown.update(ipython.HTML(""))


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process. A terminal with IPython has no kernel."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def _bar(what: str, done: int, total: int, note: str) -> str:
    value = f' value="{done}" max="{total}"' if total else ""
    count = f"{done:,} of {total:,}" if total else ""
    words = escape(" ".join(part for part in (count, note) if part))
    return f'<div>{escape(what)} <progress{value} aria-label="{escape(what)}"></progress> {words}</div>'
