"""Mutants of which it is argued, one by one, that no law can or need notice them."""

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
    """One argument, and what it is about.

    Attributes:
        file: in ``denoisplit/plugins``.
        function: with its class; with all functions in it. Empty for all of the file.
        code: a statement, the head of one, or an expression, as ``ast.unparse`` writes it: what is within
            it is argued. Empty for all of the function.
        sorts: of the mutations; none for all.
        why: no law can notice them, or none needs to.
    """

    file: str
    function: str = ""
    code: str = ""
    sorts: Sequence[str] = ()
    why: str

    def covers(self, path: Path, mutation: Mutation) -> bool:
        """Whether a mutation of a file is the one, or one of those, that it is about."""
        return (
            path == PLUGINS / self.file
            and (not self.function or f"{mutation.function}.".startswith(f"{self.function}."))
            and (not self.code or self.code in mutation.within)
            and (not self.sorts or mutation.sort in self.sorts)
        )


@cache
def arguments() -> tuple[Argument, ...]:
    """All of them."""
    return tuple(Argument(**entry) for entry in yaml.safe_load(ARGUED.read_text(encoding="utf-8")))


def argument_for(path: Path, mutation: Mutation, among: Sequence[Argument] | None = None) -> Argument | None:
    """The argument about a mutation; None where a law has to notice it."""
    every = arguments() if among is None else among
    return next((one for one in every if one.covers(path, mutation)), None)
