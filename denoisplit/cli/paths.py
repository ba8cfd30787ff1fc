"""The parameter type of files and folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _Base = click.ParamType[Path, str | os.PathLike[str]]
else:
    _Base = click.ParamType  # not generic in older versions


@final
class GivenPath(_Base):
    """A path; an empty one is refused, as Python takes it for the current folder."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Convert a given value to a path."""
        if not os.fspath(value):
            self.fail("is empty. Name a file or folder; . is the current folder.", param, ctx)
        return Path(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete file names."""
        from click.shell_completion import CompletionItem  # needed here only

        del ctx, param
        return [CompletionItem(incomplete, type="file")]


PATH: Final = GivenPath()
