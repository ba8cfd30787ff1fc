"""Messages and progress of a command: lines with a bar below them on a terminal, lines alone elsewhere."""

import abc
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, final

import rich.console
import rich.progress
from rich.table import Column
from rich.text import Text

from denoisplit.core.prediction.progress import Tell

QUIET_SECONDS: Final = 60.0
"""Longest time without a line, seconds."""

_COUNTABLE: Final = 10**6
"""Larger totals, such as bytes, are shown as a percentage."""

SPEED_SECONDS: Final = 600.0
"""Period from which the time left is estimated, seconds: long enough to include validations."""

FOR_A_BAR: Final = 60
"""Columns of a terminal with room for a bar beside the numbers."""


def wrapped(line: str, columns: int, *, hanging: int | None = None) -> str:
    """Wrap a line between words; further lines are indented by ``hanging``, or two more than the first.

    Words too long for a line, such as paths, are left to the terminal, so that they can be copied.
    """
    indent = len(line) - len(line.lstrip()) + 2 if hanging is None else hanging
    return "\n".join(
        textwrap.wrap(
            line,
            columns,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


class Screen(abc.ABC):
    """Where a command shows messages and progress, but no results."""

    @abc.abstractmethod
    def say(self, line: str) -> None:
        """Show a line."""

    @abc.abstractmethod
    def stage(self, what: str) -> AbstractContextManager[Tell]:
        """Show the progress of a stage while it runs."""


def screen() -> Screen:
    """Return the screen for the present stderr."""
    console = rich.console.Console(stderr=True)
    # Rich can be told that a pipe is a terminal, to get colours; a bar would still be useless there.
    drawn = console.is_interactive and not console.is_dumb_terminal and sys.stderr.isatty()
    return Terminal(console) if drawn else Lines(console.width if console.is_terminal else None)


@final
class Terminal(Screen):
    """Lines are wrapped between words; the bar stays below them and leaves no trace."""

    def __init__(self, console: rich.console.Console) -> None:
        self._console = console

    def say(self, line: str) -> None:
        """Show a line."""
        self._console.print(Text(wrapped(line, self._console.width)), soft_wrap=True)

    @contextmanager
    def stage(self, what: str) -> Iterator[Tell]:
        """Show a bar, done and total, the note and the time left."""
        columns = [
            rich.progress.TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", max_width=self._console.width // 3),
            ),
            *([rich.progress.BarColumn(bar_width=None)] if self._console.width >= FOR_A_BAR else []),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[note]}", markup=False),
            TimeLeft(),
        ]
        with rich.progress.Progress(
            *columns,
            console=self._console,
            transient=True,
            expand=True,
            refresh_per_second=4,
            speed_estimate_period=SPEED_SECONDS,
            redirect_stdout=False,
        ) as bar:
            task = bar.add_task(what, total=None, note="")

            def tell(done: int, total: int, note: str = "") -> None:
                bar.update(task, completed=done, total=total, note=note)

            yield tell


@final
class TimeLeft(rich.progress.ProgressColumn):
    """Hours, minutes and seconds to the end of the stage, once the speed is known."""

    max_refresh = 0.5

    def render(self, task: rich.progress.Task) -> Text:
        """Return the time left of one bar."""
        if task.time_remaining is None:
            return Text("")
        minutes, seconds = divmod(int(task.time_remaining), 60)
        hours, minutes = divmod(minutes, 60)
        return Text(f"{hours}:{minutes:02}:{seconds:02} left", style="cyan", no_wrap=True)


@final
class Lines(Screen):
    """Plain lines, wrapped for a simple terminal; progress only after a while without other lines."""

    def __init__(self, columns: int | None) -> None:
        self._columns, self._said = columns, time.monotonic()

    def say(self, line: str) -> None:
        """Show a line."""
        self._said = time.monotonic()
        sys.stderr.write(f"{wrapped(line, self._columns) if self._columns else line}\n")
        sys.stderr.flush()

    @contextmanager
    def stage(self, what: str) -> Iterator[Tell]:
        """Show at most a line a minute."""
        first: list[tuple[float, int]] = []

        def tell(done: int, total: int, note: str = "") -> None:
            now = time.monotonic()
            if not first:
                first.append((now, done))
            if now - self._said < QUIET_SECONDS or done >= total:
                return
            begin, before = first[0]
            rate = (now - begin) / max(1, done - before)
            left = f"about {rate * (total - done) / 60:.0f} min left"
            far = f"{done} of {total}" if total < _COUNTABLE else f"{100 * done // total} %"
            self.say(", ".join(filter(None, (f"{what}: {far}", note, left))))

        yield tell
