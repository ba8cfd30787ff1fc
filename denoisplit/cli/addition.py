"""``denoisplit plugins new`` in an existing package: adds a component to it."""

import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from denoisplit.cli.scaffold import NewComponent, check_name
from denoisplit.core.documents import read_text
from denoisplit.core.errors import PluginError
from denoisplit.core.registry.hookspecs import GROUP
from denoisplit.core.registry.manager import canonical
from denoisplit.core.registry.registry_file import COMPONENTS, read_manifest
from denoisplit.core.storage.atomic import write_text

PROJECT: Final = "pyproject.toml"


def is_package(path: Path) -> bool:
    """Whether a folder contains a package of any kind."""
    return (path / PROJECT).is_file()


def add_component(path: Path, *, kind: str, name: str) -> NewComponent:
    """Add a component to a package: its code, its tests and its row. Nothing is overwritten.

    Raises:
        PluginError: not a package of components with a manifest, a component that exists already, or a name
            that cannot be used.
        OSError: a file cannot be written.
    """
    check_name(kind, name)
    project, root = _project(path)
    new = _named(project, root, kind=kind, name=name)
    manifest = root / new.manifest
    if not manifest.is_file():
        raise PluginError(f"{manifest}: no such file. Register the component where the package does.")
    if problems := read_manifest(manifest).problems:
        raise PluginError("\n".join(problems))
    text = read_text(manifest)
    (row,) = (text for _, text in new.render({new.manifest: new.of_package[new.manifest]}))
    with_row = _with_row(text, str(manifest), new, row[row.index("  - kind:") :])
    places = [root if file.startswith(new.package) else path for file in new.of_component]
    files = [
        (place / file, text) for place, (file, text) in zip(places, new.render(new.of_component), strict=True)
    ]
    for file, _ in files:
        if file.exists() or file.is_symlink():
            raise PluginError(f"{file}: exists already. Choose another --name.")
    for file, text in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, text)
    write_text(manifest, with_row)
    return new


def _project(path: Path) -> tuple[Mapping[str, Any], Path]:
    """Return the project table of a package, with its import name added, and the folder of its code."""
    file = path / PROJECT
    try:
        project = tomllib.loads(read_text(file)).get("project", {})
        found = list(project.get("entry-points", {}).get(GROUP, {}).values())
        module = str(found[0]).partition(":")[0].partition(".")[0] if found else ""
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise PluginError(f"{file}: is not a project file ({error}). Repair it.") from error
    if not module or not isinstance(project.get("name"), str):
        raise PluginError(
            f"{file}: is not a package of components (there is no name, or no entry point {GROUP}). "
            f"Choose a new folder."
        )
    for root in (path, path / "src"):
        if (root / module).is_dir():
            return {**project, "module": module}, root
    raise PluginError(f"{file}: names the package {module}, which is not in {path}. Choose a new folder.")


def _named(project: Mapping[str, Any], root: Path, *, kind: str, name: str) -> NewComponent:
    """Choose the names of the component: its module is called after the kind, or after itself if taken."""
    package = str(project["module"])
    taken = (root / package / f"{kind}.py").exists()
    tests = (root.parent if root.name == "src" else root) / "tests"
    test = f"test_{name}.py"
    return NewComponent(
        distribution=canonical(str(project["name"])),
        package=package,
        version=str(project.get("version", "0.1.0")),
        kind=kind,
        name=name,
        module=name if taken else kind,
        test=f"test_{name}_{kind}.py" if (tests / test).exists() else test,
    )


def _with_row(text: str, where: str, new: NewComponent, row: str) -> str:
    """Return the manifest with one more row and otherwise unchanged."""
    rows = _rows(yaml.compose(text, Loader=yaml.SafeLoader))
    if rows is None or rows.flow_style or not rows.value:
        raise PluginError(f"{where}: has no list of components, one below the other. Add the row by hand.")
    known = [{key.value: value.value for key, value in entry.value} for entry in rows.value]
    if any((entry.get("kind"), entry.get("name")) == (new.kind, new.name) for entry in known):
        raise PluginError(
            f"{where}: has the {new.kind} {new.name} already. Choose another --name: names are for ever."
        )
    last = rows.value[-1].value[-1][1].end_mark
    end = last.line + (last.column > 0)
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    added = textwrap.indent(textwrap.dedent(row), " " * rows.start_mark.column)
    return "".join([*lines[:end], added.rstrip("\n") + "\n", *lines[end:]])


def _rows(root: Any) -> Any:
    """Return the node of the list of components; None where there is none."""
    if isinstance(root, yaml.MappingNode):
        root = next((value for key, value in root.value if key.value == COMPONENTS), None)
    return root if isinstance(root, yaml.SequenceNode) else None
