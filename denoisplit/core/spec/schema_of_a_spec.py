"""The JSON Schema stored beside the spec of a run."""

import functools
from collections.abc import Collection

from denoisplit.core.registry import Registry, installed_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.core.spec.json_schema import schema_text, spec_schema
from denoisplit.core.spec.records import ResolvedSpec, components


def schema_of(spec: ResolvedSpec) -> str:
    """JSON Schema with the built-ins and the packages in the spec; imports no other plugin."""
    used = {BUILTIN, *(component.package for component in components(spec))}
    return _of_builtins() if used == {BUILTIN} else _of_packages(used)


@functools.cache
def _of_builtins() -> str:
    """The schema of the built-ins, the same for every run; other components may change between runs."""
    return _of_packages({BUILTIN})


def _of_packages(packages: Collection[str]) -> str:
    rows = [row for row in installed_registry().components() if row.package in packages]
    return schema_text(spec_schema(Registry(rows))[0])
