"""The spec: from a YAML file to checked records, and back."""

from denoisplit.core.spec.json_schema import schema_text, spec_schema
from denoisplit.core.spec.records import ResolvedSpec, components
from denoisplit.core.spec.resolution import load_spec, resolve, resolve_plain
from denoisplit.core.spec.tree import SpecTree, parse_spec, preset_names, preset_text, read_spec
from denoisplit.core.spec.yaml_text import component_versions, to_yaml, unstructure

__all__ = [
    "ResolvedSpec",
    "SpecTree",
    "component_versions",
    "components",
    "load_spec",
    "parse_spec",
    "preset_names",
    "preset_text",
    "read_spec",
    "resolve",
    "resolve_plain",
    "schema_text",
    "spec_schema",
    "to_yaml",
    "unstructure",
]
