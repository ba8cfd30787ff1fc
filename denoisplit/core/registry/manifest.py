"""``registry.yaml``: the list of components that a package ships, read without importing the package.

A list of rows with the keys ``kind``, ``name``, ``target``, ``summary`` and optionally ``source``, ``since``,
``status``, ``replaced_by``. Or a mapping: ``plugin_api`` is the range of plugin APIs that the package was
made for, and ``components`` that list. Without ``components`` they come from a hook implementation.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from denoisplit.core.documents import Node, read_document, read_text, show
from denoisplit.core.errors import BrokenPluginError, SpecError
from denoisplit.core.registry.contract import did_you_mean
from denoisplit.core.registry.hookspecs import Register, hookimpl

FILE_NAME: Final = "registry.yaml"
REQUIRED: Final = ("kind", "name", "target", "summary")
OPTIONAL: Final = ("source", "since", "status", "replaced_by")
PLUGIN_API_KEY: Final = "plugin_api"
COMPONENTS: Final = "components"

Row = Mapping[str, str]


@attrs.frozen
class Manifest:
    """A manifest as a plugin like any other: it answers the same hook as a third-party hook implementation.

    Attributes:
        rows: one per component; None when the file leaves them to a hook implementation.
        plugin_api: range of plugin APIs that the package was made for, empty for any.
    """

    rows: tuple[Row, ...] | None
    plugin_api: str = ""

    @hookimpl
    def denoisplit_register(self, register: Register) -> None:
        """Register every row of the file.

        Raises:
            BrokenPluginError: a row breaks a rule.
        """
        for row in self.rows or ():
            register(
                row["kind"],
                row["name"],
                row["target"],
                summary=row["summary"],
                source=row.get("source", ""),
                since=row.get("since", ""),
                status=row.get("status", "stable"),
                replaced_by=row.get("replaced_by", ""),
            )


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        BrokenPluginError: the file cannot be read, or has an unknown, missing or non-text value: every
            problem, one line each.
    """
    try:
        root = read_document(read_text(path), str(path))
    except SpecError as error:
        raise BrokenPluginError(str(error)) from error
    problems: list[str] = []
    # A single row that was written without its dash is no head of a manifest.
    if isinstance(root.value, Mapping) and "kind" not in root.value:
        manifest = _whole(root.value, problems)
    else:
        manifest = Manifest(_rows(root, problems))
    if problems:
        raise BrokenPluginError("\n".join(problems))
    return manifest


def _whole(entries: Mapping[str, Node], problems: list[str]) -> Manifest:
    """The form with a range of plugin APIs."""
    allowed = (PLUGIN_API_KEY, COMPONENTS)
    _check_keys(entries, allowed, problems)
    api, rows = entries.get(PLUGIN_API_KEY), entries.get(COMPONENTS)
    if api is not None and not isinstance(api.value, str):
        problems.append(
            f"{api.where}: {PLUGIN_API_KEY} must be text (got {show(api.value)}). Write for example '>=1,<2'."
        )
    return Manifest(
        None if rows is None else _rows(rows, problems),
        api.value if api is not None and isinstance(api.value, str) else "",
    )


def _rows(node: Node, problems: list[str]) -> tuple[Row, ...]:
    if not isinstance(node.value, tuple):
        problems.append(
            f"{node.where}: expected a list of components (got {show(node.value)}). Begin each with a dash."
        )
        return ()
    return tuple(_row(child, problems) for child in node.value)


def _row(node: Node, problems: list[str]) -> Row:
    if not isinstance(node.value, Mapping):
        problems.append(
            f"{node.where}: expected a component (got {show(node.value)}). Write kind, name, target, ..."
        )
        return {}
    row: dict[str, str] = {}
    allowed = (*REQUIRED, *OPTIONAL)
    _check_keys(node.value, allowed, problems)
    for key, child in node.value.items():
        if isinstance(child.value, str):
            row[key] = child.value
        elif key in allowed:
            problems.append(f"{child.where}: {key} must be text (got {show(child.value)}). Put it in quotes.")
    problems.extend(f"{node.where}: {key} is missing. Add it." for key in REQUIRED if key not in node.value)
    return row


def _check_keys(entries: Mapping[str, Node], allowed: tuple[str, ...], problems: list[str]) -> None:
    problems.extend(
        f"{child.begin}: unknown key {key} (allowed: {', '.join(allowed)}).{did_you_mean(key, allowed)}"
        for key, child in entries.items()
        if key not in allowed
    )


def builtin_manifest() -> Path:
    """The file of the built-in components: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[2]
    inside = package / FILE_NAME
    return inside if inside.is_file() else package.parent / FILE_NAME
