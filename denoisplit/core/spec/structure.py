"""Conversion of located values to attrs records: checks every value's type and collects every problem."""

import contextlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import attrs

from denoisplit.core.documents import Node, plain, problem_at, show
from denoisplit.core.errors import DenoisplitError, PluginError, did_you_mean
from denoisplit.core.registry import MissingComponent, Registry
from denoisplit.core.registry.declared_types import (
    bare,
    choices_of,
    is_mapping,
    is_record,
    is_sequence,
    is_union,
)
from denoisplit.core.spec.options import FACTORY, type_hints
from denoisplit.core.spec.records import BY_NAME, KIND, Chosen
from denoisplit.core.spec.tree import USE
from denoisplit.core.spec.types import describe, fits, scalar

INVALID: Final = object()
"""Replaces a value that has a problem; no record is built from it."""


class Structurer:
    """Builds records and collects problems, each as ``spec.yaml:9:5 $.model.kl_scheme.freebits: ...``.

    Args:
        registry: registry in which components are looked up.
        folder: base of relative paths.

    Attributes:
        problems: problems found so far, in the order of the document.
    """

    def __init__(self, registry: Registry, folder: Path) -> None:
        self.problems: list[str] = []
        self._registry, self._folder = registry, folder

    def value(self, node: Node, declared: Any, path: str, kind: str = "") -> Any:
        """Convert a value to the declared type, or ``INVALID``; ``kind`` is the kind of components in it."""
        declared = bare(declared)
        if declared is Any:
            return plain(node)
        if not fits(node, declared, kind):
            return self._fail(node, path, self._unfit(node, declared, kind))
        if is_union(declared):
            return self._union(node, declared, path, kind)
        if declared is Chosen:
            return self._component(node, path, kind)
        if is_record(declared):
            return self.record(node, declared, path)
        if is_sequence(declared):
            return self._sequence(node, declared, path, kind)
        if is_mapping(declared):
            return self._mapping(node, declared, path, kind)
        return self._scalar(node, declared, path)

    def record(self, node: Node, cls: type, path: str, *, skip: Collection[str] = ()) -> Any:
        """Convert a mapping to an attrs record, or ``INVALID``.

        Raises:
            BrokenPluginError: the annotations of the class cannot be evaluated.
        """
        if not isinstance(node.value, Mapping):
            return self._fail(node, path, f"expected a mapping (got {show(node.value)})")
        hints = type_hints(cls)
        fields = {field.alias: field for field in attrs.fields(cls) if field.init}
        before = len(self.problems)
        values: dict[str, Any] = {}
        for key, child in node.value.items():
            if key in skip:
                continue
            where = f"{path}.{key}"
            if key in fields:
                field = fields[key]
                values[key] = self.value(child, hints[field.name], where, field.metadata.get(KIND, ""))
            else:
                allowed = f"allowed: {', '.join(fields)}" if fields else "it has no options"
                close = _further_in(key, fields, hints) or did_you_mean(key, list(fields))
                self.problems.append(problem_at(child.begin, where, f"unknown key ({allowed}).{close}"))
        for key, field in fields.items():
            if field.default is attrs.NOTHING and key not in node.value:
                needed = describe(hints[field.name])
                self.problems.append(problem_at(node.begin, f"{path}.{key}", f"missing. Add it: {needed}."))
        self._validate(cls, fields, {k: v for k, v in values.items() if v is not INVALID}, node, path)
        if len(self.problems) > before:
            return INVALID
        try:
            return cls(**values)
        except (ValueError, TypeError, DenoisplitError) as error:
            return self._fail(node, path, _message(error, ""))

    def fail(self, node: Node, path: str, what: str) -> None:
        """Record a problem of a value."""
        self.problems.append(problem_at(node.where, path, what))

    def _fail(self, node: Node, path: str, what: str) -> Any:
        self.fail(node, path, what)
        return INVALID

    def _unfit(self, node: Node, declared: Any, kind: str) -> str:
        """Describe how a value fails to have the shape of a type."""
        one = Chosen in (get_args(declared) if is_union(declared) else (declared,))
        expected = "a name or {use: NAME, ...}" if one and kind in BY_NAME else describe(declared)
        what = f"expected {expected} (got {show(node.value)})"
        return f"{what}. {self._name_one(kind)}" if one else what

    def _name_one(self, kind: str) -> str:
        """Advice to name one of the components of a kind."""
        names = ", ".join(dict.fromkeys(row.name for row in self._registry.components(kind)))
        return f"Name {'an' if kind.startswith(tuple('aeiou')) else 'a'} {kind}: {names}."

    def _scalar(self, node: Node, declared: Any, path: str) -> Any:
        if declared is Path:
            return self._path(node, path)
        try:
            return scalar(node.value, declared)
        except ValueError as error:
            close = did_you_mean(str(node.value), [str(choice) for choice in choices_of(declared)])
            return self._fail(node, path, f"expected {error} (got {show(node.value)}).{close}")

    def _path(self, node: Node, path: str) -> Any:
        """Convert a text to a path; ``~`` at its beginning is a home folder."""
        text = str(node.value)
        try:
            return self._folder / (Path(text).expanduser() if text.startswith("~") else text)
        except RuntimeError:
            what = f"no home folder is known for {text.partition('/')[0]} (got {show(text)})"
            return self._fail(node, path, f"{what}. Write the whole path, or ./{text} for that name.")

    def _union(self, node: Node, declared: Any, path: str, kind: str) -> Any:
        """Choose the type that has the shape of the value; if several have, the first that accepts it.

        If this is the last one and a component, it reports its own problems.
        """
        members = [member for member in get_args(declared) if fits(node, member, kind)]
        for member in members[:-1]:
            trial = Structurer(self._registry, self._folder)
            value = trial.value(node, member, path, kind)
            if not trial.problems:
                return value
        if len(members) > 1 and members[-1] is not Chosen:
            trial = Structurer(self._registry, self._folder)
            value = trial.value(node, members[-1], path, kind)
            what = f"expected {describe(declared)} (got {show(node.value)})"
            return self._fail(node, path, what) if trial.problems else value
        return self.value(node, members[-1], path, kind)

    def _component(self, node: Node, path: str, kind: str) -> Any:
        if isinstance(node.value, str):
            node = attrs.evolve(node, value={USE: node})
        if not isinstance(node.value, Mapping) or USE not in node.value:
            return self._fail(node, path, f"use is missing. {self._name_one(kind)}")
        use = node.value[USE]
        if not isinstance(use.value, str):
            return self._fail(use, f"{path}.{USE}", f"expected text (got {show(use.value)})")
        try:
            component = self._registry.find(kind, use.value)
            if isinstance(component, MissingComponent):
                kept = {key: plain(child) for key, child in node.value.items() if key != USE}
                return Chosen(component=component, options=kept)
            options = self.record(node, component.load().Options, path, skip=(USE,))
        except PluginError as error:
            return self._fail(use, f"{path}.{USE}", str(error))
        return INVALID if options is INVALID else Chosen(component=component, options=options)

    def _sequence(self, node: Node, declared: Any, path: str, kind: str) -> Any:
        items = node.value if isinstance(node.value, tuple) else ()
        origin = get_origin(declared) or declared
        members = list(get_args(declared)) or [Any, ...]
        if origin is not tuple or members[-1] is ...:
            members = [members[0]] * len(items)
        if len(members) != len(items):
            return self._fail(node, path, f"expected {len(members)} values (got {len(items)})")
        pairs = enumerate(zip(items, members, strict=True))
        values = [self.value(item, member, f"{path}[{index}]", kind) for index, (item, member) in pairs]
        if INVALID in values:
            return INVALID
        return values if origin is list else tuple(values)

    def _mapping(self, node: Node, declared: Any, path: str, kind: str) -> Any:
        entries = node.value if isinstance(node.value, Mapping) else {}
        member = (get_args(declared) or (str, Any))[1]
        values = {key: self.value(child, member, f"{path}.{key}", kind) for key, child in entries.items()}
        return INVALID if INVALID in values.values() else values

    def _validate(
        self,
        cls: type,
        fields: Mapping[str, "attrs.Attribute[Any]"],
        values: Mapping[str, Any],
        node: Node,
        path: str,
    ) -> None:
        """Run the validator of every given field, so that one bad value does not hide another."""
        draft = _draft(cls, fields, values)
        entries = node.value if isinstance(node.value, Mapping) else {}
        for key in values:
            field = fields[key]
            if field.validator is None:
                continue
            try:
                field.validator(draft, field, getattr(draft, field.name, values[key]))
            except (ValueError, TypeError, DenoisplitError) as error:
                self.fail(entries[key], f"{path}.{key}", _message(error, field.name))
            except AttributeError:
                # A validator that depends on another field, which is the one with the problem.
                if len(values) == len(fields):
                    raise


def _draft(cls: type, fields: Mapping[str, "attrs.Attribute[Any]"], values: Mapping[str, Any]) -> Any:
    """An instance with the given values and the defaults, made without any validator."""
    draft: Any = object.__new__(cls)
    for key, field in fields.items():
        default: Any = field.default
        if key in values:
            value = _converted(field.converter, values[key])
        elif default is attrs.NOTHING:
            continue
        elif isinstance(default, FACTORY):
            value = default.factory(draft) if default.takes_self else default.factory()
        else:
            value = default
        object.__setattr__(draft, field.name, value)
    return draft


def _converted(converter: Any, value: Any) -> Any:
    """Result of a simple converter; its errors are raised again when the record is built."""
    if converter is None or isinstance(converter, attrs.Converter):
        return value
    with contextlib.suppress(ValueError, TypeError):
        return converter(value)
    return value


def _further_in(key: str, fields: Mapping[str, Any], hints: Mapping[str, Any]) -> str:
    """`` Did you mean X.key?`` where a field has such a key, or nothing."""
    records = {name: hints[field.name] for name, field in fields.items() if is_record(hints[field.name])}
    found = [
        f"{name}.{key}"
        for name, cls in records.items()
        if any(field.init and field.alias == key for field in attrs.fields(cls))
    ]
    return f" Did you mean {' or '.join(found)}?" if found else ""


def _message(error: Exception, field: str) -> str:
    """A validator's message in the project's form: ``must be >= 1 (got 0)``."""
    text = str(error.args[0]) if error.args else type(error).__name__
    text = re.sub(rf"^'{re.escape(field)}' ", "", text)
    text = re.sub(
        r"^None of .* satisfied for value (.*)$", r"not an accepted value (got \1)", text, flags=re.DOTALL
    )
    return re.sub(r"(must be [<>]=? \S+|Length of .* must be .*): (.*)$", r"\1 (got \2)", text)
