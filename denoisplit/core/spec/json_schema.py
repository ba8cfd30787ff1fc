"""JSON Schema of a spec file, with the options of every installed component, for editors.

It is written in draft 7, which editors support best. It accepts every spec that ``resolve`` accepts, except
for components or choices given by an environment variable. Dependencies between keys, and validators of which
nothing is known (see ``bounds``), are left to ``denoisplit check``.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import attrs

from denoisplit.core.documents import plain
from denoisplit.core.errors import PluginError
from denoisplit.core.registry.blame import blaming
from denoisplit.core.registry.component import KINDS, Component
from denoisplit.core.registry.declared_types import (
    bare,
    choices_of,
    is_mapping,
    is_record,
    is_sequence,
    is_union,
)
from denoisplit.core.registry.registry import Registry
from denoisplit.core.spec.bounds import JSON, constraint, merged
from denoisplit.core.spec.options import attribute_docs, default_of, type_hints
from denoisplit.core.spec.records import BASE, BY_NAME, KIND, SAID, Chosen, ResolvedSpec
from denoisplit.core.spec.tree import PRESET, USE, preset_names, preset_tree

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_DEFINITIONS: Final = "#/definitions/"
_SCALARS: Final[Mapping[Any, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    Path: "string",
    type(None): "null",
}


def spec_schema(registry: Registry) -> tuple[JSON, tuple[str, ...]]:
    """The schema of a spec, and the faults of components that had to be left out.

    Imports the code of every component.
    """
    builder = _Builder(registry)
    return builder.whole(), tuple(builder.problems)


def schema_text(schema: JSON) -> str:
    """A schema as the text of a file."""
    return json.dumps(schema, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


class _Builder:
    """Builds schemas of records, and one definition for each component and each kind."""

    def __init__(self, registry: Registry) -> None:
        self.problems: list[str] = []
        self._registry = registry
        self._definitions: dict[str, JSON] = {}
        self._bases: dict[str, tuple[str, type]] = {}
        for row in registry.components():
            try:
                with blaming([row], "its options cannot be described"):
                    definition = self._record(row.load().Options, {})
                    json.dumps(definition, allow_nan=False)
                self._definitions[_key(row)] = definition
            except PluginError as error:
                self.problems.append(str(error))
        for kind in KINDS:
            named = self._named(kind, None, ())
            names = [one["properties"][USE]["const"] for one in named if one["required"] == [USE]]
            if kind in BY_NAME:
                named = [*named, {"enum": names, "description": "by its name alone"}]
            self._definitions[kind] = {"oneOf": named} if named else {"not": {}}

    def whole(self) -> JSON:
        """The schema of a file: one for each preset, and one without preset."""
        names = preset_names()
        alone = {"if": {"not": {"required": [PRESET]}}, "then": self._record(ResolvedSpec, {})}
        return {
            "$schema": DRAFT,
            "title": "denoisplit spec",
            "type": "object",
            "properties": {
                PRESET: {"enum": list(names), "description": "preset that the spec starts from"},
                **{field.name: True for field in attrs.fields(ResolvedSpec)},
            },
            "allOf": [alone, *(self._with_preset(name) for name in names)],
            "definitions": self._definitions,
        }

    def _with_preset(self, name: str) -> JSON:
        given = plain(preset_tree(name))
        schema = self._record(ResolvedSpec, given if isinstance(given, Mapping) else {})
        schema["properties"][PRESET] = {"const": name}
        return {"if": {"properties": {PRESET: {"const": name}}, "required": [PRESET]}, "then": schema}

    def _record(self, cls: type, given: Mapping[str, Any]) -> JSON:
        """A mapping with the fields of a class; fields given by a preset are optional."""
        hints, meanings = type_hints(cls), attribute_docs(cls)
        properties: dict[str, JSON] = {}
        needed = []
        for field in attrs.fields(cls):
            if not field.init:
                continue
            key = field.alias or field.name
            schema = self._field(field, hints[field.name], given.get(key))
            if "$ref" not in schema:  # draft 7 ignores everything beside a reference
                said = {"description": meanings[field.name]} if meanings.get(field.name) else {}
                if field.default is not attrs.NOTHING:
                    said["default"] = default_of(field)
                schema = {**said, **schema}
            properties[key] = schema
            if field.default is attrs.NOTHING and key not in given:
                needed.append(key)
        return _mapping(properties, needed)

    def _field(self, field: "attrs.Attribute[Any]", hint: Any, given: Any) -> JSON:
        kind = field.metadata.get(KIND, "")
        if BASE in field.metadata:
            kind = self._narrowed(kind, field.metadata[BASE])
        declared = self._value(bare(hint), kind, given)
        said = [constraint(field.validator)] if field.validator else []
        if SAID in field.metadata:
            said.append(field.metadata[SAID])
        return merged(declared, *said) if said else declared

    def _narrowed(self, kind: str, base: type) -> str:
        """Name of a kind's definition restricted to components that derive from a class."""
        key = f"{kind}.{base.__name__}"
        self._bases[key] = (kind, base)
        if key not in self._definitions:
            named = self._named(key, None, ())
            self._definitions[key] = {"oneOf": named} if named else {"not": {}}
        return key

    def _value(self, declared: Any, kind: str, given: Any) -> JSON:
        if declared is Chosen:
            return self._slot(kind, given if isinstance(given, Mapping) else {})
        if is_union(declared):
            return {"anyOf": [self._value(bare(member), kind, given) for member in get_args(declared)]}
        if choices := choices_of(declared):
            return {"enum": list(choices)}
        if is_record(declared):
            return self._part(declared, given if isinstance(given, Mapping) else {})
        if is_sequence(declared):
            return self._sequence(declared, kind)
        if is_mapping(declared):
            member = (get_args(declared) or (str, Any))[1]
            return {"type": "object", "additionalProperties": self._value(bare(member), kind, None) or True}
        return {"type": _SCALARS[declared]} if declared in _SCALARS else {}

    def _part(self, cls: type, given: Mapping[str, Any]) -> JSON:
        """A record within a record: one definition everywhere, unless a preset changes it."""
        fields = attrs.fields(cls)
        if any(
            (field.alias or field.name) in given
            and (KIND in field.metadata or field.default is attrs.NOTHING)
            for field in fields
        ):
            return self._record(cls, given)
        key = re.sub(r"[^\w.]", "-", f"{cls.__module__}.{cls.__qualname__}")
        if key not in self._definitions:
            self._definitions[key] = self._record(cls, {})
        return {"$ref": _DEFINITIONS + key}

    def _sequence(self, declared: Any, kind: str) -> JSON:
        members = [bare(member) for member in get_args(declared)] or [Any, ...]
        if (get_origin(declared) or declared) is not tuple or members[-1] is ...:
            return {"type": "array", "items": self._value(members[0], kind, None) or True}
        items = [self._value(member, kind, None) or True for member in members]
        return {"type": "array", "items": items, "minItems": len(items), "maxItems": len(items)}

    def _slot(self, kind: str, given: Mapping[str, Any]) -> JSON:
        """The place of a component of a kind; a preset's component may be given without its name."""
        reference = {"$ref": _DEFINITIONS + kind}
        rows = [row for row in self._rows(kind) if given.get(USE) in (row.name, row.qualified)]
        if not rows:
            return reference
        own = self._definitions[_key(rows[0])]
        if set(own.get("required", ())).isdisjoint(given):
            return {"oneOf": [reference, {"$ref": _DEFINITIONS + _key(rows[0])}]}
        return {"oneOf": [*self._named(kind, rows[0], given), self._component(rows[0], None, given)]}

    def _rows(self, kind: str) -> list[Component]:
        real, base = self._bases.get(kind, (kind, object))
        rows = [row for row in self._registry.components(real) if _key(row) in self._definitions]
        return rows if base is object else [row for row in rows if issubclass(row.load(), base)]

    def _named(self, kind: str, preset: Component | None, given: Iterable[str]) -> list[JSON]:
        """One schema for every name of every component; options given by the preset are optional."""
        real, _ = self._bases.get(kind, (kind, object))
        bare_names = [row.name for row in self._registry.components(real)]
        return [
            self._component(row, name, given if row == preset else ())
            for row in self._rows(kind)
            for name in (row.name, row.qualified)
            if name == row.qualified or bare_names.count(name) == 1
        ]

    def _component(self, row: Component, name: str | None, given: Iterable[str]) -> JSON:
        """One component under one of its names, or, in a spec with a preset, without a name."""
        own = self._definitions[_key(row)]
        at = f"{_DEFINITIONS}{_key(row)}/properties/"
        properties: dict[str, JSON] = {option: {"$ref": at + option} for option in own["properties"]}
        needed = [option for option in own.get("required", ()) if option not in given]
        if name is not None:
            properties = {USE: {"const": name, "description": row.summary}, **properties}
            needed = [USE, *needed]
        about: JSON = {"title": name or row.qualified, "description": row.summary}
        if row.status == "deprecated":
            about["deprecated"] = True
        return {**about, **_mapping(properties, needed)}


def _mapping(properties: dict[str, JSON], needed: list[str]) -> JSON:
    schema: JSON = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": needed} if needed else schema


def _key(row: Component) -> str:
    """Name of a component's definition, without characters that JSON pointers escape."""
    return f"{row.kind}.{row.package}.{row.name}"
