"""What two specs of one training have in common: what decides on its result."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any, Final

import attrs

from denoisplit.core.spec.records import PLUGINS, ResolvedSpec, TrainingSpec
from denoisplit.core.spec.yaml_text import unstructure

_DATA: Final = "data"
_TRAINING: Final = "training"

_FREE: Final = ("workers", "loggers", "checkpoint_every")
"""Settings of a training on which no number of its result depends, besides its devices."""


def without_devices(spec: ResolvedSpec) -> ResolvedSpec:
    """Return the spec with default devices: these are no part of a run, which may continue elsewhere."""
    anywhere = TrainingSpec()
    training = attrs.evolve(
        spec.training, device=anywhere.device, devices=anywhere.devices, nodes=anywhere.nodes
    )
    return attrs.evolve(spec, training=training)


def decisive(spec: ResolvedSpec) -> dict[str, Any]:
    """Return the part of a spec that decides on the result of a training, as plain values."""
    return decisive_part(unstructure(spec), spec)


def decisive_part(plain: Mapping[str, Any], spec: ResolvedSpec) -> dict[str, Any]:
    """Return the part of a stored spec that decides on the result of a training.

    A project may be moved. So images may lie anywhere, as their pixels are compared by fingerprint, and of
    other files only the names count. What plugin modules offer is named where the spec uses it.

    Args:
        plain: the stored spec.
        spec: another spec, which tells where there are paths.
    """
    marked = unstructure(spec, place=lambda path: path)
    found = {
        key: _placeless(value, marked.get(key), _anywhere if key == _DATA else _name)
        for key, value in plain.items()
        if key != PLUGINS
    }
    training = found.get(_TRAINING)
    if isinstance(training, Mapping):
        found[_TRAINING] = {key: value for key, value in training.items() if key not in _FREE}
    return found


def digest_of(plain: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _placeless(plain: Any, marked: Any, shown: Callable[[str], str]) -> Any:
    """Return plain values with other texts where the marked ones have paths."""
    if isinstance(plain, str) and isinstance(marked, Path):
        return shown(plain)
    if isinstance(plain, Mapping) and isinstance(marked, Mapping):
        return {key: _placeless(value, marked.get(key), shown) for key, value in plain.items()}
    if isinstance(plain, list) and isinstance(marked, list) and len(plain) == len(marked):
        return [_placeless(one, mark, shown) for one, mark in zip(plain, marked, strict=True)]
    return plain


def _anywhere(_path: str) -> str:
    return "anywhere"


def _name(path: str) -> str:
    """Name of a file or folder; the path may be one of another system."""
    return PureWindowsPath(path).name
