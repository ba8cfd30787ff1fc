"""One row of the registry. Only this class defines the fields of a row and their rules."""

import re
from typing import Any, Final

import attrs

from denoisplit.core.errors import BrokenPluginError, did_you_mean
from denoisplit.core.registry.contract import BASES, imported

KINDS = tuple(BASES)
"""The kinds of components; a new kind needs a decision record and a built-in component that uses it."""

STATUSES: Final = ("stable", "experimental", "deprecated")

_NAME: Final = r"[a-z][a-z0-9_]*"


def _refuse(row: "Component", what: str, got: object, advice: str) -> None:
    raise BrokenPluginError(f"{row.kind} {row.qualified}: {what} (got {got!r}). {advice}")


def _text(row: "Component", field: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, str):
        _refuse(row, f"{field.name} must be text", value, "Put it in quotes.")


def _kind(row: "Component", field: "attrs.Attribute[str]", value: str) -> None:
    if value not in BASES:
        close = did_you_mean(value, BASES)
        _refuse(row, f"unknown {field.name}", value, f"Use one of {', '.join(BASES)}.{close}")


def _name(row: "Component", field: "attrs.Attribute[str]", value: str) -> None:
    if not re.fullmatch(_NAME, value):
        _refuse(row, f"not a valid {field.name}", value, "Use lower-case letters, digits and _.")


def _target(row: "Component", field: "attrs.Attribute[str | type]", value: str | type) -> None:
    named = isinstance(value, str) and re.fullmatch(r"\w+(\.\w+)*:\w+", value)
    if not (named or isinstance(value, type)):
        _refuse(row, f"not a valid {field.name}", value, "Write package.module:Class.")


def _summary(row: "Component", field: "attrs.Attribute[str]", value: str) -> None:
    if not value.strip():
        _refuse(row, f"the {field.name} is empty", value, "Write one sentence.")


def _status(row: "Component", field: "attrs.Attribute[str]", value: str) -> None:
    if value not in STATUSES:
        _refuse(row, f"unknown {field.name}", value, f"Use one of {', '.join(STATUSES)}.")


def _replacement(row: "Component", field: "attrs.Attribute[str]", value: str) -> None:
    if value and row.status != "deprecated":
        _refuse(row, f"{field.name} is for deprecated components", row.status, "Write status: deprecated.")
    if value and not re.fullmatch(rf"([\w.-]+/)?{_NAME}", value):
        _refuse(row, f"{field.name} is not a valid name", value, "Write NAME or package/NAME.")
    if value in (row.name, row.qualified):
        _refuse(row, "replaced by itself", value, "Name the component to use instead.")


@attrs.frozen(kw_only=True)
class Component:
    """A component that some package offers. Only ``load`` imports its code.

    Attributes:
        kind: one of ``KINDS``.
        name: name within its kind, in lower case, as written after ``use:``; never changes.
        target: ``package.module:Class``, or the class itself.
        package: distribution that offers it.
        version: version of that distribution.
        summary: one sentence.
        source: paper or reference to cite; may be empty.
        since: version of the package that introduced it; may be empty.
        status: ``stable``, ``experimental`` or ``deprecated``.
        replaced_by: name to use instead of a deprecated component; may be empty.

    Raises:
        BrokenPluginError: a field breaks its rule.
    """

    kind: str = attrs.field(validator=[_text, _kind])
    name: str = attrs.field(validator=[_text, _name])
    target: str | type = attrs.field(validator=_target)
    package: str
    version: str
    summary: str = attrs.field(validator=[_text, _summary])
    source: str = attrs.field(default="", validator=_text)
    since: str = attrs.field(default="", validator=_text)
    status: str = attrs.field(default="stable", validator=[_text, _status])
    replaced_by: str = attrs.field(default="", validator=[_text, _replacement])

    @property
    def qualified(self) -> str:
        """``package/name``, which always works after ``use:`` and is stored in runs."""
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
        """Import the component's class.

        Raises:
            BrokenPluginError: the target cannot be imported, or breaks the contract of its kind.
        """
        from denoisplit.core.registry.class_checks import checked_class  # lists of components do not need it

        where = self._where
        try:
            loaded = imported(self.target) if isinstance(self.target, str) else self.target
        except (Exception, SystemExit) as error:
            raise BrokenPluginError(
                f"{where} cannot be imported ({type(error).__name__}: {error}). "
                f"Update or remove the package {self.package} {self.version}."
            ) from error
        return checked_class(loaded, kind=self.kind, where=where)

    def build(self, options: Any, **known: Any) -> Any:
        """Build an instance with these options, and with facts known where it is used.

        Raises:
            BrokenPluginError: see ``load``; or the constructor does not accept the arguments, or fails; or
                the instance breaks the contract of its kind.
        """
        from denoisplit.core.registry.blame import blaming  # nor this
        from denoisplit.core.registry.class_checks import check_call, checked_instance

        cls = self.load()
        check_call(cls, options, known, self._where)
        with blaming([self], "cannot be built"):
            return checked_instance(cls(options, **known), kind=self.kind, where=self._where)

    @property
    def _where(self) -> str:
        return f"{self.kind} {self.qualified}: {self.target_text}"


_OF_THE_PACKAGE: Final = ("package", "version")
ROW: Final = {
    field.name: field.default is attrs.NOTHING
    for field in attrs.fields(Component)
    if field.name not in _OF_THE_PACKAGE
}
"""The fields that a package gives for a component, and whether they are required."""
