"""Mutants with a written argument that no law can, or need, notice them."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import attrs
import yaml

from tools.mutants.operators import Mutation

ARGUED: Final = Path(__file__).with_name("argued.yaml")
PLUGINS: Final = Path(__file__).parents[2] / "denoisplit" / "plugins"


@attrs.frozen(kw_only=True)
class Argument:
    """One argument, and the mutants that it covers.

    Attributes:
        file: file in ``denoisplit/plugins``.
        function: function with its class, and with all functions in it; empty for the whole file.
        code: a statement, the head of one, or an expression, as ``ast.unparse`` writes it; everything in it
            is covered. Empty for the whole function.
        sorts: sorts of mutations; none for all.
        why: why no law can, or need, notice them.
    """

    file: str
    function: str = ""
    code: str = ""
    sorts: Sequence[str] = ()
    why: str

    def covers(self, path: Path, mutation: Mutation) -> bool:
        """Whether the argument covers a mutation of a file."""
        return (
            path == PLUGINS / self.file
            and (not self.function or f"{mutation.function}.".startswith(f"{self.function}."))
            and (not self.code or self.code in mutation.within)
            and (not self.sorts or mutation.sort in self.sorts)
        )


@cache
def arguments() -> tuple[Argument, ...]:
    """Return all arguments."""
    return tuple(Argument(**entry) for entry in yaml.safe_load(ARGUED.read_text(encoding="utf-8")))


def argument_for(path: Path, mutation: Mutation, among: Sequence[Argument] | None = None) -> Argument | None:
    """Return the argument that covers a mutation; None where a law has to notice it."""
    every = arguments() if among is None else among
    return next((one for one in every if one.covers(path, mutation)), None)
