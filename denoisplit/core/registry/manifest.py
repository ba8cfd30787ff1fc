"""``registry.yaml``: the list of components that a package ships, read without importing the package.

A list of rows with the keys ``kind``, ``name``, ``target``, ``summary`` and optionally ``source``, ``since``,
``status``.
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
OPTIONAL: Final = ("source", "since", "status")


@attrs.frozen
class Manifest:
    """A manifest as a plugin like any other: it answers the same hook as a third-party hook implementation.

    Attributes:
        path: the file.
    """

    path: Path

    @hookimpl
    def denoisplit_register(self, register: Register) -> None:
        """Register every row of the file.

        Raises:
            BrokenPluginError: the file cannot be read, or a row has an unknown, missing or non-text value.
        """
        for row in read_rows(self.path):
            register(
                row["kind"],
                row["name"],
                row["target"],
                summary=row["summary"],
                source=row.get("source", ""),
                since=row.get("since", ""),
                status=row.get("status", "stable"),
            )


def read_rows(path: Path) -> tuple[Mapping[str, str], ...]:
    """The rows of a manifest.

    Raises:
        BrokenPluginError: every problem of the file, one line each.
    """
    try:
        root = read_document(read_text(path), str(path))
    except SpecError as error:
        raise BrokenPluginError(str(error)) from error
    if not isinstance(root.value, tuple):
        raise BrokenPluginError(f"{root.where}: expected a list of components (got {show(root.value)}).")
    problems: list[str] = []
    rows = tuple(_row(node, problems) for node in root.value)
    if problems:
        raise BrokenPluginError("\n".join(problems))
    return rows


def _row(node: Node, problems: list[str]) -> Mapping[str, str]:
    if not isinstance(node.value, Mapping):
        problems.append(
            f"{node.where}: expected a component (got {show(node.value)}). Write kind, name, target, ..."
        )
        return {}
    row: dict[str, str] = {}
    allowed = (*REQUIRED, *OPTIONAL)
    for key, child in node.value.items():
        if key not in allowed:
            known = ", ".join(allowed)
            problems.append(
                f"{child.begin}: unknown key {key} (allowed: {known}).{did_you_mean(key, allowed)}"
            )
        elif not isinstance(child.value, str):
            problems.append(f"{child.where}: {key} must be text (got {show(child.value)}). Put it in quotes.")
        else:
            row[key] = child.value
    problems.extend(f"{node.where}: {key} is missing. Add it." for key in REQUIRED if key not in node.value)
    return row


def builtin_manifest() -> Path:
    """The file of the built-in components: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[2]
    inside = package / FILE_NAME
    return inside if inside.is_file() else package.parent / FILE_NAME
