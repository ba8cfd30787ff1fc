"""Resolution of a spec: components looked up, options checked, defaults filled in."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from denoisplit.core.documents import Node, node_of, show
from denoisplit.core.errors import BrokenPluginError, SpecError
from denoisplit.core.images.channel_names import MIXED, name_fault, new_name_fault, same_name
from denoisplit.core.registry.registry import Registry, installed_registry
from denoisplit.core.spec.records import PLUGINS, Plain, ResolvedSpec, components
from denoisplit.core.spec.structure import Structurer
from denoisplit.core.spec.tree import PRESET, SpecTree, read_spec

_VARIABLE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")


def load_spec(path: Path, overrides: Sequence[str] = ()) -> ResolvedSpec:
    """Read a spec file and resolve it with all installed components.

    Args:
        path: the file.
        overrides: changes ``a.b=c``, as after ``--set``.

    Raises:
        SpecError: every problem, one line each.
    """
    return resolve_new(read_spec(path, overrides), installed_registry())


def resolve_new(tree: SpecTree, registry: Registry) -> ResolvedSpec:
    """Resolve a newly written spec, whose channel names must not be paths or look alike.

    Raises:
        SpecError: every problem, one line each.
    """
    structurer = Structurer(registry, tree.folder)
    for path, names in (("channels", ("channels",)), ("data.recorded", ("data", "recorded"))):
        node: Node | None = tree.root
        for key in names:
            node = _child(node, key)
        _check_new_names(node, path, structurer)
    try:
        spec = resolve(tree, registry)
    except SpecError as error:
        raise SpecError(sorted({*error.problems, *structurer.problems}, key=_place)) from error
    if structurer.problems:
        raise SpecError(structurer.problems)
    return spec


def _check_new_names(names: Node | None, path: str, structurer: Structurer) -> None:
    seen: dict[str, Node] = {}
    for index, node in enumerate(names.value if names is not None and isinstance(names.value, tuple) else ()):
        if not isinstance(node.value, str):
            continue
        where, name = f"$.{path}[{index}]", same_name(node.value)
        first = seen.setdefault(name, node)
        if fault := new_name_fault(node.value):
            structurer.fail(node, where, f"{fault} (got {show(node.value)}). Name the structure.")
        elif first.value != node.value:
            got = f"got {node.value!a}, first {first.value!a} at {first.where}"
            structurer.fail(node, where, f"looks like another name ({got}). Rename one.")


def resolve_plain(plain: Plain, *, source: str = "spec", registry: Registry | None = None) -> ResolvedSpec:
    """Resolve a spec made of dictionaries and lists, such as those from ``unstructure``.

    Args:
        plain: the spec; its paths are absolute or relative to the working directory.
        source: name of the spec in messages.
        registry: registry in which components are looked up; by default all that are installed.

    Raises:
        SpecError: every problem, one line each.
    """
    return resolve(SpecTree(node_of(plain, source), Path.cwd()), registry or installed_registry())


def resolve(tree: SpecTree, registry: Registry) -> ResolvedSpec:
    """Look up every component and check every option.

    ``${NAME}`` in a text becomes the environment variable of that name (``$${NAME}`` gives ``${NAME}``);
    relative paths are relative to the folder of the spec.

    Raises:
        SpecError: every problem, one line each.
    """
    structurer = Structurer(registry, tree.folder)
    root = _expand(tree.root, "$", structurer)
    root = _import_plugins(root, tree.folder, registry, structurer)
    spec = structurer.record(root, ResolvedSpec, "$", skip=(PRESET,))
    _check_channels(root, structurer)
    if structurer.problems:
        raise SpecError(sorted(structurer.problems, key=_place))
    if not isinstance(spec, ResolvedSpec):
        raise TypeError(f"resolve: expected a ResolvedSpec (got {spec!r}).")
    return _with_used_modules(spec, registry)


def _import_plugins(root: Node, folder: Path, registry: Registry, structurer: Structurer) -> Node:
    """Import the plugin modules of a spec; modules given with ``--plugin`` count, too, if it uses them.

    Returns:
        The spec with their names and absolute paths.
    """
    given = _child(root, PLUGINS)
    if given is None or not isinstance(given.value, tuple):
        return root
    from denoisplit.core.registry.modules import import_plugin_module  # few specs need it

    found = []
    for index, node in enumerate(given.value):
        if isinstance(node.value, str):
            try:
                node = attrs.evolve(node, value=import_plugin_module(node.value, registry, folder=folder))
            except BrokenPluginError as error:
                structurer.fail(node, f"$.{PLUGINS}[{index}]", str(error))
        found.append(node)
    entries = root.value if isinstance(root.value, Mapping) else {}
    return attrs.evolve(root, value={**entries, PLUGINS: attrs.evolve(given, value=tuple(found))})


def _with_used_modules(spec: ResolvedSpec, registry: Registry) -> ResolvedSpec:
    """The spec with all plugin modules of the session that registered components it uses."""
    used = set(components(spec))
    names = [
        name
        for name, module in registry.modules.items()
        if name not in spec.plugins and not used.isdisjoint(module.components)
    ]
    return attrs.evolve(spec, plugins=(*spec.plugins, *names)) if names else spec


def _place(problem: str) -> tuple[str, int, int]:
    """Sort key of problems by file, line and column; those from the command line keep their order."""
    found = re.match(r"(.*?):(\d+):(\d+) \$", problem)
    return (found[1], int(found[2]), int(found[3])) if found else ("--set", 0, 0)


def _expand(node: Node, path: str, structurer: Structurer) -> Node:
    """The node with environment variables expanded in its texts."""
    value = node.value
    if isinstance(value, Mapping):
        entries = {key: _expand(child, f"{path}.{key}", structurer) for key, child in value.items()}
        return attrs.evolve(node, value=entries)
    if isinstance(value, tuple):
        items = tuple(_expand(child, f"{path}[{i}]", structurer) for i, child in enumerate(value))
        return attrs.evolve(node, value=items)
    if not isinstance(value, str):
        return node

    def variable(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return f"${{{name}}}"
        if name not in os.environ:
            structurer.fail(
                node, path, f"environment variable {name} is not set. Set it, or write $${{{name}}}."
            )
        return os.environ.get(name, match.group())

    return attrs.evolve(node, value=_VARIABLE.sub(variable, value))


def escape(text: str) -> str:
    """The text with every ``${NAME}`` escaped, so that it is not expanded."""
    return re.sub(r"\$(?=\{[A-Za-z_][A-Za-z0-9_]*\})", "$$", text)


def _check_selection(root: Node, channels: Node, structurer: Structurer) -> None:
    """Check that the network takes one of the recorded channels, or their mixture."""
    recorded = _child(_child(root, "data"), "recorded")
    if recorded is None or not isinstance(recorded.value, tuple) or not recorded.value:
        return
    names = [node.value for node in recorded.value]
    chosen = [node.value for node in channels.value] if isinstance(channels.value, tuple) else []
    allowed = [*names, MIXED]
    if MIXED in names or len(set(names)) < len(names):
        what = f"expected different names, none of them '{MIXED}' (got {names}). Rename one."
        structurer.fail(recorded, "$.data.recorded", what)
    elif len(chosen) != 1 or chosen[0] not in allowed:
        shown = ", ".join(map(str, allowed))
        what = f"expected one of {shown}, because data.recorded is given (got {chosen}). Name one of them."
        structurer.fail(channels, "$.channels", what)


def _child(node: Node | None, key: str) -> Node | None:
    return node.value.get(key) if node is not None and isinstance(node.value, Mapping) else None


def _check_channels(root: Node, structurer: Structurer) -> None:
    """Check everything in the spec that has to agree with the channels."""
    channels = _child(root, "channels")
    if channels is None or not isinstance(channels.value, tuple):
        return
    seen: dict[object, Node] = {}
    for index, node in enumerate(channels.value):
        path = f"$.channels[{index}]"
        if isinstance(node.value, str) and (fault := name_fault(node.value)):
            structurer.fail(node, path, f"{fault} (got {show(node.value)}). Name the structure.")
        elif isinstance(node.value, str) and node.value in seen:
            first = seen[node.value].where
            structurer.fail(
                node, path, f"duplicate name (got {show(node.value)}, first at {first}). Rename one."
            )
        if isinstance(node.value, str):
            seen.setdefault(node.value, node)
    _check_selection(root, channels, structurer)
    count = len(channels.value)
    noise_model = _child(_child(root, "model"), "noise_model")
    weights = _child(_child(root, "training"), "channel_weights")
    alpha = _child(_child(_child(root, "data"), "mixing"), "alpha")
    for entry, path, spare in (
        (noise_model, "$.model.noise_model", "one mapping for all channels"),
        (weights, "$.training.channel_weights", "an empty list for equal weights"),
        (alpha, "$.data.mixing.alpha", "an empty list for equal weights"),
    ):
        given = entry.value if entry is not None else None
        if entry is None or not isinstance(given, tuple) or len(given) == count:
            continue
        if entry is noise_model or given:
            what = f"expected {count} entries, one per channel (got {len(given)}). Or write {spare}."
            structurer.fail(entry, path, what)
