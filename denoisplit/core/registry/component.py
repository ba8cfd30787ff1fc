"""One row of the registry."""

from typing import Any

import attrs

from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.registry.contract import BASES, checked_class, imported

KINDS = tuple(BASES)
"""The kinds of components; a new kind needs a decision record and a shipped user of it."""


@attrs.frozen(kw_only=True)
class Component:
    """A component that some package offers. Its code is imported by ``load`` only.

    Attributes:
        kind: one of ``KINDS``.
        name: name within its kind, as written after ``use:``.
        target: ``package.module:Class``, or the class itself when registered in a notebook.
        package: distribution that offers it.
        version: version of that distribution.
        summary: one sentence.
        source: paper or reference to cite, may be empty.
        since: version of the package that introduced it, may be empty.
        status: ``stable``, ``experimental`` or ``deprecated``.
        replaced_by: of a deprecated component, the name to use instead; may be empty.
    """

    kind: str
    name: str
    target: str | type
    package: str
    version: str
    summary: str
    source: str = ""
    since: str = ""
    status: str = "stable"
    replaced_by: str = ""

    @property
    def qualified(self) -> str:
        """``package/name``, which always works after ``use:`` and is what a run stores."""
        return f"{self.package}/{self.name}"

    @property
    def target_text(self) -> str:
        """The target as text."""
        return (
            self.target
            if isinstance(self.target, str)
            else f"{self.target.__module__}:{self.target.__qualname__}"
        )

    def load(self) -> Any:
        """The component's class.

        Raises:
            BrokenPluginError: the target cannot be imported, or breaks the contract of its kind.
        """
        where = f"{self.kind} {self.qualified}: {self.target_text}"
        try:
            loaded = imported(self.target) if isinstance(self.target, str) else self.target
        except (Exception, SystemExit) as error:
            raise BrokenPluginError(
                f"{where} cannot be imported ({type(error).__name__}: {error}). "
                f"Update or remove the package {self.package} {self.version}."
            ) from error
        return checked_class(loaded, kind=self.kind, where=where)
