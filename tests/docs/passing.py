"""The files of the package that calls pass on their way."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import denoisplit

PACKAGE = Path(denoisplit.__file__).parent


def passed_files(
    monkeypatch: pytest.MonkeyPatch, ends: Iterable[tuple[type, str]], aside: str = ""
) -> dict[str, None]:
    """The files between a command and these methods, in their order, as they are called from now on.

    Args:
        monkeypatch: takes them back.
        ends: class and name of a method.
        aside: name of a file; what is called by way of it does not count.
    """
    passed: dict[str, None] = {}

    def watched(owner: type, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def see(*args: Any, **how: Any) -> Any:
            frame, above = sys._getframe(), []
            while frame.f_back is not None:
                frame = frame.f_back
                above.append(Path(frame.f_code.co_filename))
            if not any(path.name == aside for path in above):
                inside = [path for path in reversed(above) if path.is_relative_to(PACKAGE)]
                passed.update(dict.fromkeys(str(path.relative_to(PACKAGE)) for path in inside))
            return real(*args, **how)

        monkeypatch.setattr(owner, name, see)

    for owner, name in ends:
        watched(owner, name)
    return passed
