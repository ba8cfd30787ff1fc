"""The type of all arguments and options that name a file or a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _Base = click.ParamType[Path, str | os.PathLike[str]]
else:
    _Base = click.ParamType  # which takes no parameters in older versions


@final
class GivenPath(_Base):
    """A path; an empty one is refused, for Python takes it for the current folder."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path that was given."""
        if not os.fspath(value):
            self.fail("is empty. Name a file or folder; . is the current folder.", param, ctx)
        return Path(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names of files, which the shell knows."""
        from click.shell_completion import CompletionItem  # which no other command needs

        del ctx, param
        return [CompletionItem(incomplete, type="file")]


PATH: Final = GivenPath()
