"""Whether something is refused, with an error whose message is one line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

_Result = TypeVar("_Result")


def _one_line(error: BaseException) -> bool:
    """Whether an error message is one line that says what is wrong and what to do."""
    return bool(str(error).strip()) and "\n" not in str(error)


def is_refused(action: Callable[[], object], error: type[Exception], what: str) -> bool:
    """Whether an action raises this error, which must be of one line; ``what`` the message is about."""
    try:
        action()
    except error as refusal:
        short = _one_line(refusal)
    else:
        return False
    assert short, f"the message on {what} has several lines or none"
    return True


def unless_refused(action: Callable[[], _Result], error: type[Exception]) -> _Result | None:
    """Return the result of an action, None where it raises this error, which must be of one line."""
    try:
        return action()
    except error as refusal:
        short = _one_line(refusal)
    assert short, "the message has several lines or none"
    return None


@contextmanager
def refusing(error: type[Exception]) -> Iterator[None]:
    """Check that this error is raised, with a message of one line."""
    with pytest.raises(error) as caught:
        yield
    assert _one_line(caught.value), f"the message has several lines or none: {caught.value}"
