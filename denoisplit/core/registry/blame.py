"""Attribution of an exception to the component that caused it, in one line."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, TypeVar

from denoisplit.core.errors import BrokenPluginError, DenoisplitError, uncoloured

_LONGEST: Final = 300


class Blamed(Protocol):
    """The part of ``Component`` that errors name, as ``Component`` imports this module."""

    @property
    def kind(self) -> str:
        """Its kind."""

    @property
    def qualified(self) -> str:
        """Its package and name."""

    @property
    def target_text(self) -> str:
        """Its module and class, as text."""

    def load(self) -> Any:
        """Import its class."""


Row = TypeVar("Row", bound=Blamed)


@contextmanager
def blaming(
    components: Sequence[Blamed], doing: str, *, unless: Callable[[Exception], bool] | None = None
) -> Iterator[None]:
    """Turn an exception of foreign code into one line that names the component.

    Args:
        components: possible causes; the first one is blamed if the traceback passes through none of them.
        doing: what failed, such as ``does not decode a patch``.
        unless: whether an exception is nobody's fault, and stays as it is.

    Raises:
        BrokenPluginError: an exception other than a deliberate error was raised.
    """
    try:
        yield
    except (DenoisplitError, MemoryError, OSError):
        raise
    except Exception as error:
        if unless is not None and unless(error):
            raise
        row = culprit(error.__traceback__, components) or components[0]
        reason = " ".join(uncoloured(error).split())
        reason = f"{reason[:_LONGEST]}..." if len(reason) > _LONGEST else reason
        raise broken(row, f"{doing} ({type(error).__name__}: {reason}, at {_place(error)})") from error


def broken(row: Blamed, problem: str) -> BrokenPluginError:
    """Return the error of a component that breaks its contract, as ``problem`` says without the full stop."""
    return BrokenPluginError(
        f"{row.kind} {row.qualified}: {problem}. Fix it ({row.target_text}), or use another {row.kind}."
    )


def culprit(traceback: TracebackType | None, components: Sequence[Row]) -> Row | None:
    """The last component whose code the traceback passes through, if any."""
    classes = {row.load(): row for row in components}
    files = {inspect.getsourcefile(cls): row for cls, row in classes.items() if _has_file(cls)}
    found = None
    while traceback is not None:
        frame = traceback.tb_frame
        found = classes.get(type(frame.f_locals.get("self"))) or files.get(frame.f_code.co_filename) or found
        traceback = traceback.tb_next
    return found


def _has_file(cls: type) -> bool:
    try:
        return inspect.getsourcefile(cls) is not None
    except (OSError, TypeError):  # typed at a prompt
        return False


def _place(error: Exception) -> str:
    """File and line of the innermost frame."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "an unknown place"
    return f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"
