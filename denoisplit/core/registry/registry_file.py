"""``registry.yaml``: the list of a package's components, read without importing the package.

Either a list of rows, whose keys are the fields of ``Component`` that ``ROW`` names, or a mapping:
``plugin_api`` is the range of plugin APIs that the package supports, and ``components`` is that list. Without
``components``, a hook implementation registers them. ``hooks`` names a module that implements the other
hooks.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from denoisplit.core.documents import Node, read_document, read_text, show
from denoisplit.core.errors import BrokenPluginError, SpecError, did_you_mean
from denoisplit.core.registry.component import ROW
from denoisplit.core.registry.hookspecs import Register, hookimpl

FILE_NAME: Final = "registry.yaml"
PLUGIN_API_KEY: Final = "plugin_api"
COMPONENTS: Final = "components"
HOOKS: Final = "hooks"


@attrs.frozen
class Row:
    """One component in a file, and its place as ``file:line:column``."""

    fields: Mapping[str, str]
    where: str


@attrs.frozen(eq=False)
class Manifest:
    """A manifest that acts as a plugin: it answers the same hook as the hook implementation of a plugin.

    Attributes:
        rows: one per component; None if the file leaves them to a hook implementation.
        plugin_api: range of plugin APIs that the package supports; empty for any.
        problems: problems of rows that were left out, one line each.
        hooks: module that implements other hooks; empty for none.
    """

    rows: tuple[Row, ...] | None
    plugin_api: str = ""
    problems: tuple[str, ...] = ()
    hooks: str = ""

    @hookimpl
    def denoisplit_register(self, register: Register) -> None:
        """Register every row of the file."""
        for row in self.rows or ():
            register(**row.fields, where=row.where)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. A row with an unknown, missing or non-text value is left out and reported.

    Raises:
        BrokenPluginError: the file cannot be read, or is not a list of rows; one line per problem.
    """
    try:
        root = read_document(read_text(path), str(path))
    except SpecError as error:
        raise BrokenPluginError(str(error)) from error
    # A mapping with the keys of a row is a row without its dash, not the head of a manifest.
    if not isinstance(root.value, Mapping) or "kind" in root.value:
        return _with_rows(root)
    problems = _unknown_keys(root.value, (PLUGIN_API_KEY, COMPONENTS, HOOKS))
    texts = {PLUGIN_API_KEY: "'>=1,<2'", HOOKS: "my_package.hooks"}
    problems += [
        f"{node.where}: {_not_text(key, node)} Write for example {texts[key]}."
        for key, node in root.value.items()
        if key in texts and not isinstance(node.value, str)
    ]
    if problems:
        raise BrokenPluginError("\n".join(problems))
    head = {key: str(root.value[key].value) if key in root.value else "" for key in texts}
    rows = root.value.get(COMPONENTS)
    manifest = Manifest(None) if rows is None else _with_rows(rows)
    return attrs.evolve(manifest, plugin_api=head[PLUGIN_API_KEY], hooks=head[HOOKS])


def _with_rows(node: Node) -> Manifest:
    if not isinstance(node.value, tuple):
        raise BrokenPluginError(
            f"{node.where}: expected a list of components (got {show(node.value)}). Begin each with a dash."
        )
    rows: list[Row] = []
    problems: list[str] = []
    for child in node.value:
        wrong = _problems(child)
        if wrong:
            problems.append("\n".join(wrong))
        elif isinstance(child.value, Mapping):
            rows.append(Row({key: str(field.value) for key, field in child.value.items()}, child.where))
    return Manifest(tuple(rows), problems=tuple(problems))


def _problems(node: Node) -> list[str]:
    """Problems with the form of a row; ``Component`` checks its values."""
    if not isinstance(node.value, Mapping):
        return [f"{node.where}: expected a component (got {show(node.value)}). Write kind, name, target, ..."]
    missing = [key for key, needed in ROW.items() if needed and key not in node.value]
    return [
        *_unknown_keys(node.value, tuple(ROW)),
        *(
            f"{child.where}: {_not_text(key, child)} Put it in quotes."
            for key, child in node.value.items()
            if key in ROW and not isinstance(child.value, str)
        ),
        *(f"{node.where}: {key} is missing. Add it." for key in missing),
    ]


def _not_text(key: str, node: Node) -> str:
    return f"{key} must be text (got {show(node.value)})."


def _unknown_keys(entries: Mapping[str, Node], allowed: tuple[str, ...]) -> list[str]:
    return [
        f"{child.begin}: unknown key {key} (allowed: {', '.join(allowed)}).{did_you_mean(key, allowed)}"
        for key, child in entries.items()
        if key not in allowed
    ]


def builtin_manifest() -> Path:
    """The file of the built-in components: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[2]
    inside = package / FILE_NAME
    return inside if inside.is_file() else package.parent / FILE_NAME
