"""Conversion of a resolved spec to plain values and YAML; resolving those gives an equal spec."""

import enum
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import yaml
import yamlcore

from denoisplit.core.spec.records import Chosen, ResolvedSpec, components
from denoisplit.core.spec.resolution import escape
from denoisplit.core.spec.tree import USE
from denoisplit.core.validators import QUIET

SCHEMA_FILE: Final = "spec.schema.json"
"""Name of the JSON Schema beside a spec, where editors find it; see ``denoisplit schema``."""

_NONE: Final = "nothing"
"""Stands for a value that a spec does not have."""

EDITOR_HEADER: Final = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
"""First line of every written spec, which tells editors where the schema is."""


def _written(path: Path) -> Any:
    return escape(str(path))


def unstructure(spec: ResolvedSpec, place: Callable[[Path], Any] = _written) -> dict[str, Any]:
    """The spec as plain dictionaries and lists, with every default and each component as ``package/name``.

    Args:
        spec: the spec.
        place: gives what stands for a path.
    """
    plain = _plain(spec, place)
    return {"spec_version": plain.pop("spec_version"), **plain}


def to_yaml(spec: ResolvedSpec) -> str:
    """The spec as a YAML 1.2 document with the header for editors."""
    text: str = yaml.dump(unstructure(spec), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return EDITOR_HEADER + text


def plain_of(text: str) -> Mapping[str, Any] | None:
    """Return a stored spec as plain dictionaries and lists; None if the text is none: its file is damaged."""
    try:
        found = yaml.load(text, yamlcore.CoreLoader)  # noqa: S506 (has no objects)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    return found if isinstance(found, Mapping) else None


def differences(stored: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return where a stored plain spec differs from another one, each as ``key: stored, not other``."""
    one, other = dict(_leaves(stored)), dict(_leaves(given))
    keys = [key for key in {**one, **other} if one.get(key, _NONE) != other.get(key, _NONE)]
    return tuple(f"{key}: {one.get(key, _NONE)}, not {other.get(key, _NONE)}" for key in keys)


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value of a tree that is no mapping, with its keys."""
    if not isinstance(value, Mapping):
        yield path, value
        return
    for key, below in value.items():
        yield from _leaves(below, f"{path}.{key}" if path else str(key))


class _Dumper(yamlcore.CoreDumper):
    """Writes texts with line breaks in double quotes; other styles turn some line breaks into spaces."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None if "".join(text.splitlines()) == text else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def component_versions(spec: ResolvedSpec) -> tuple[tuple[str, str, str], ...]:
    """Kind, ``package/name`` and package version of every component that the spec uses."""
    return tuple((component.kind, component.qualified, component.version) for component in components(spec))


def _plain(value: Any, place: Callable[[Path], Any]) -> Any:
    if isinstance(value, Chosen):
        return {USE: value.component.qualified, **_plain(value.options, place)}
    if attrs.has(type(value)):
        fields = [
            field
            for field in attrs.fields(type(value))
            if field.init and not (QUIET in field.metadata and getattr(value, field.name) == field.default)
        ]
        return {field.alias: _plain(getattr(value, field.name), place) for field in fields}
    if isinstance(value, enum.Enum):
        return _plain(value.value, place)
    if isinstance(value, Mapping):
        return {key: _plain(item, place) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item, place) for item in value]
    if isinstance(value, Path):
        return place(value)
    return escape(value) if isinstance(value, str) else value
