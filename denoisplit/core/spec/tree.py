"""Combination of a spec file, its preset and command-line overrides to one tree of located values."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import attrs

from denoisplit.core.documents import Node, read_document, read_text, show
from denoisplit.core.errors import SpecError, did_you_mean
from denoisplit.core.given import path_of, texts_of

PRESET = "preset"
USE = "use"
_SHOWN = 100


@attrs.frozen
class SpecTree:
    """A spec before its components are looked up.

    Attributes:
        root: the values, each with its place.
        folder: base of relative paths: the folder of the spec file.
    """

    root: Node
    folder: Path


def read_spec(path: Path, overrides: Sequence[str] = ()) -> SpecTree:
    """Read a spec file.

    Args:
        path: the file.
        overrides: changes ``a.b=c`` with YAML values; they win over the file, and the file over its preset.

    Raises:
        SpecError: the file is missing, empty or not YAML, or an override has another form.
    """
    path = path_of(path, "spec")
    return parse_spec(read_text(path), overrides, name=str(path), folder=path.parent)


def parse_spec(
    text: str, overrides: Sequence[str] = (), *, name: str = "spec", folder: Path = Path()
) -> SpecTree:
    """Parse the text of a spec; see ``read_spec``.

    Args:
        text: the spec.
        overrides: changes ``a.b=c``.
        name: name of the text in messages.
        folder: base of relative paths.
    """
    root = read_document(text, name)
    if root.value is None:
        raise SpecError(f"{name}: the spec is empty. Write channels, data and model, or start from a preset.")
    if not isinstance(root.value, Mapping):
        raise SpecError(f"{root.where}: expected a mapping (got {show(root.value)}). Write key: value lines.")
    over = _read_overrides(overrides, root)
    chosen = merge(root, over)
    preset = chosen.value.get(PRESET) if isinstance(chosen.value, Mapping) else None
    if preset is not None:
        # Overrides come last: one that names another component replaces the options of preset and file.
        root = merge(_read_preset(preset), root)
    return SpecTree(merge(root, over), folder.resolve())


def merge(base: Node, over: Node) -> Node:
    """Put the values of ``over`` on top of ``base``; another component replaces all former options."""
    if not (isinstance(base.value, Mapping) and isinstance(over.value, Mapping)):
        return over
    if USE in base.value and USE in over.value and _component(base) != _component(over):
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        merged[key] = merge(merged[key], child) if key in merged else child
    return attrs.evolve(over, value=merged)


def _component(node: Node) -> object:
    """The name after ``use:``, without the package of built-ins, which is implied."""
    use = node.value[USE].value if isinstance(node.value, Mapping) else None
    return use.removeprefix("denoisplit/") if isinstance(use, str) else use


def preset_names() -> tuple[str, ...]:
    """Names of the presets."""
    files = resources.files("denoisplit.core.spec.presets").iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def preset_text(name: str) -> str:
    """The text of a preset, a spec file without ``data``."""
    return (
        resources.files("denoisplit.core.spec.presets").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    )


def _read_preset(chosen: Node) -> Node:
    known = preset_names()
    if not isinstance(chosen.value, str) or chosen.value not in known:
        close = did_you_mean(str(chosen.value), known)
        what = f"{chosen.where} $.preset: no such preset (got {show(chosen.value)})."
        raise SpecError(f"{what}{close} Use one of {', '.join(known)}.")
    return preset_tree(chosen.value)


@cache
def preset_tree(name: str) -> Node:
    """The values of a preset."""
    return read_document(preset_text(name), f"preset {name}")


def _read_overrides(overrides: Sequence[str], root: Node) -> Node:
    """All overrides as one tree, so that their order matters only if two set the same key."""
    tree = Node({}, root.where)
    problems: list[str] = []
    for override in texts_of(overrides, "overrides"):
        where = f"--set {override if len(override) <= _SHOWN else f'{override[:_SHOWN]}...'}"
        path, equals, text = override.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            problems.append(f"{where}: not of the form a.b=c. Write the path of a key, =, and its value.")
            continue
        try:
            node = _relocated(read_document(text, where), where)
        except SpecError as error:
            place = re.compile(re.escape(where) + r":\d+:\d+")
            problems.extend(where.join(place.split(problem)) for problem in error.problems)
            continue
        for key in reversed(keys):
            node = Node({key: node}, where, where)
        tree = merge(tree, node)
    if problems:
        raise SpecError(problems)
    return attrs.evolve(tree, where=root.where)


def _relocated(node: Node, where: str) -> Node:
    """The same value with one place for all its parts: line numbers mean nothing on the command line."""
    value = node.value
    if isinstance(value, Mapping):
        value = {key: _relocated(child, where) for key, child in value.items()}
    elif isinstance(value, tuple):
        value = tuple(_relocated(child, where) for child in value)
    return Node(value, where, where)
