"""The registry: components, built-in and from plugins, by name; their classes are imported on use."""

from denoisplit.core.registry.component import KINDS, Component
from denoisplit.core.registry.manager import BrokenPlugin
from denoisplit.core.registry.missing import MissingComponent, other_versions, with_missing
from denoisplit.core.registry.registry import Registry, installed_registry, load_registry, register

__all__ = [
    "KINDS",
    "BrokenPlugin",
    "Component",
    "MissingComponent",
    "Registry",
    "installed_registry",
    "load_registry",
    "other_versions",
    "register",
    "with_missing",
]
