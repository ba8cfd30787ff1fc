"""Descriptions of a component's options, from its ``Options`` class, validators and docstring."""

import enum
import inspect
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from denoisplit.core.registry.class_checks import type_hints as type_hints
from denoisplit.core.registry.declared_types import choices_of
from denoisplit.core.spec.bounds import bounds
from denoisplit.core.spec.types import describe

FACTORY: Final[Any] = type(attrs.Factory(list))

_UNITS: Final = (
    r"counts squared|counts per photon|counts|photons per pixel|photons|pixels|nats per latent scalar|nats"
    r"|ln of normalised units squared|normalised units squared|normalised units|micrometres|nanometres"
    r"|milliseconds|seconds|steps|degrees"
)
_UNIT: Final = re.compile(rf"(?:^|, )({_UNITS})\b")
"""A meaning begins with its unit (``counts without light``) or names it after a comma (``side, pixels``)."""


@attrs.frozen(kw_only=True)
class Option:
    """An option of a component, or a key of a part of the spec.

    Attributes:
        name: the key in a spec.
        type: accepted type, in words.
        bounds: bounds from its validator, in words.
        needed: whether a spec has to give it.
        default: default value, plain; None if it is needed.
        unit: unit of its value; empty for counts of things and values without unit.
        meaning: meaning, one line of Markdown.
    """

    name: str
    type: str
    bounds: tuple[str, ...]
    needed: bool
    default: Any
    unit: str
    meaning: str

    @property
    def accepts(self) -> str:
        """Type and bounds in one text."""
        return ", ".join([self.type, *self.bounds])

    @property
    def default_text(self) -> str:
        """The default as written in a spec."""
        words = {None: "null", True: "true", False: "false", "": '""'}
        if isinstance(self.default, bool | str | None) and self.default in words:
            return words[self.default]
        return str(self.default)


def options_of(cls: type) -> tuple[Option, ...]:
    """The options of an attrs class, in order.

    Raises:
        BrokenPluginError: the annotations of the class cannot be evaluated.
    """
    hints, meanings = type_hints(cls), attribute_docs(cls)
    return tuple(
        _option(field, hints[field.name], meanings.get(field.name, ""))
        for field in attrs.fields(cls)
        if field.init
    )


def _option(field: "attrs.Attribute[Any]", hint: Any, meaning: str) -> Option:
    accepts = describe(hint)
    unit = _UNIT.search(meaning) if "number" in accepts else None
    needed = field.default is attrs.NOTHING
    # The words for a closed list already state its bounds.
    said = () if choices_of(hint) else bounds(field.validator)
    return Option(
        name=field.alias or field.name,
        type=accepts,
        bounds=said,
        needed=needed,
        default=None if needed else default_of(field),
        unit=unit[1] if unit else "",
        meaning=meaning,
    )


def default_of(field: "attrs.Attribute[Any]") -> Any:
    """The default of a field, plain; ``{}`` for options within options, each with its own default."""
    default: Any = field.default
    if isinstance(default, FACTORY):
        default = None if default.takes_self else default.factory()
    return _plain(default)


def _plain(value: Any) -> Any:
    if attrs.has(type(value)):
        return {}
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def attribute_docs(cls: type) -> dict[str, str]:
    """Descriptions in the ``Attributes:`` section of a class, one line of Markdown for each attribute.

    Inherited attributes are described where they are defined, unless the class describes them itself.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        _, _, section = inspect.cleandoc(vars(base).get("__doc__") or "").partition("Attributes:\n")
        for entry in re.split(r"\n(?=\S)", textwrap.dedent(section)) if section else ():
            name, _, text = entry.partition(":")
            found |= {part.strip(): _markdown(text) for part in name.split(",")}
    return found


def _markdown(text: str) -> str:
    return re.sub(r"\bNone\b", "`null`", " ".join(text.replace("``", "`").split()))


def code_of(cls: type) -> tuple[Path | None, int]:
    """File and line at which a class begins; None and 0 for one typed at a prompt."""
    try:
        file, (_, line) = inspect.getsourcefile(cls), inspect.getsourcelines(cls)
    except (OSError, TypeError):
        return None, 0
    return (Path(file), line) if file else (None, 0)
