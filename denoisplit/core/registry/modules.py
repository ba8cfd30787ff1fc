"""Plugin modules: Python files that register components when imported, as notebook cells do."""

import hashlib
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path

import attrs

from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.registry.registry import PluginModule, Registry


class _PluginLoader(SourceFileLoader):
    """Marks modules that were imported from a path, whose names other files may take."""


def import_plugin_module(given: str, registry: Registry, *, folder: Path | None = None) -> str:
    """Import a plugin module, which registers its components; only once, unless its file has changed.

    Args:
        given: name of a module, or path of its file (``.py``). A name that is not installed is also looked
            for as a file.
        registry: registry that records the module's components.
        folder: folder that relative paths start from; by default the working directory.

    Returns:
        Name or absolute path by which another process finds it.

    Raises:
        BrokenPluginError: there is no such module, or it fails.
    """
    path = _file_of(given, folder or Path.cwd(), registry)
    name = given if path is None else str(path)
    digest = "" if path is None else _digest(path)
    known = registry.modules.get(name)
    if known is not None and known.digest == digest:
        return name
    before = registry.components()
    try:
        if path is None:
            importlib.import_module(name)
        else:
            _import_file(path)
    except (Exception, SystemExit) as error:
        raise BrokenPluginError(_reason(given, path, error)) from error
    new = tuple(row for row in registry.components() if row not in before)
    registry.modules[name] = PluginModule(digest=digest, components=new)
    return name


@attrs.frozen
class ModulesOfRun:
    """The plugin modules that a run names.

    Attributes:
        here: names or paths of those that are imported.
        why_not: why the others are not, and what to do; empty if all are.
    """

    here: tuple[str, ...]
    why_not: str


def import_modules_of(folder: Path, modules: Iterable[str], registry: Registry) -> ModulesOfRun:
    """Import the plugin modules of a run that are installed.

    A run cannot start the code of a file by naming it, because runs also come from other people. Such a file
    has to be imported before, with ``--plugin`` or by name.
    """
    here: list[str] = []
    waiting: list[Path] = []
    faults: list[str] = []
    for module in modules:
        try:
            path = _file_of(module, folder, registry)
            if path is not None and str(path) not in registry.modules:
                if not _is_imported(path):
                    waiting.append(path)
                    continue
                _note_imported(path, registry)
            here.append(import_plugin_module(module, registry, folder=folder))
        except BrokenPluginError as error:
            faults.append(str(error))
    if waiting:
        given = " ".join(f"--plugin {path}" for path in waiting)
        faults.append(
            f"{', '.join(map(str, waiting))}: a run does not start the code of a file by itself. If you "
            f"trust it, add {given}, or import it first."
        )
    return ModulesOfRun(tuple(here), " ".join(faults))


def imported_files(registry: Registry) -> tuple[str, ...]:
    """Paths of the plugin modules that were imported from files; other processes import them again."""
    return tuple(name for name, module in registry.modules.items() if module.digest)


def import_files(paths: Iterable[str], registry: Registry) -> None:
    """Import the files that the process which started this one has imported.

    Raises:
        BrokenPluginError: a file is missing or fails here.
    """
    for path in paths:
        import_plugin_module(path, registry)


def _is_imported(path: Path) -> bool:
    """Whether a file was imported, under its own name and otherwise than as a plugin."""
    there = getattr(sys.modules.get(path.stem), "__file__", None)
    return there is not None and Path(there).resolve() == path


def _note_imported(path: Path, registry: Registry) -> None:
    """Record the components that a file registered when it was imported otherwise."""
    rows = registry.components()
    own = tuple(row for row in rows if isinstance(row.target, type) and row.target.__module__ == path.stem)
    registry.modules[str(path)] = PluginModule(digest=_digest(path), components=own)


def _file_of(given: str, folder: Path, registry: Registry) -> Path | None:
    """The file that is meant; None for the name of an installed module.

    If the file is gone, one of the same name that was imported from elsewhere replaces it.

    Raises:
        BrokenPluginError: neither exists.
    """
    if given.endswith(".py") or len(Path(given).parts) > 1:
        try:
            path = (folder / Path(given).expanduser()).resolve()
        except RuntimeError as error:
            raise BrokenPluginError(
                f"{given}: no home folder is known for this user (got {given!r}). Give the whole path."
            ) from error
        if path.suffix == ".py" and path.is_file():
            return path
        moved = [Path(name) for name in registry.modules if Path(name).name == path.name]
        if moved and path.suffix == ".py":
            return moved[-1]
        advice = "Give the place of the .py file with --plugin"
        if path.suffix == ".ipynb":
            advice = "Save the notebook as a script (.py)"
        raise BrokenPluginError(f"{given}: no such plugin module (looked for {path}). {advice}.")
    if not re.fullmatch(r"\w+(\.\w+)*", given):
        raise BrokenPluginError(
            f"plugin module: not a name (got {given!r}). Give the name of a module or the path of a .py file."
        )
    top = given.partition(".")[0]
    ours = top in sys.modules and _is_ours(top)
    if not ours and importlib.util.find_spec(top) is not None:
        return None
    beside = [(place / f"{given.replace('.', '/')}.py").resolve() for place in (folder, Path.cwd())]
    found = next((path for path in beside if path.is_file()), None)
    if found is None and not ours:
        raise BrokenPluginError(
            f"{given}: no such plugin module (neither installed nor a file {beside[0]}). "
            f"Give the path of its .py file."
        )
    return found


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BrokenPluginError(f"{path}: cannot be read ({error.strerror}). Check permissions.") from error


def _is_ours(name: str) -> bool:
    spec = getattr(sys.modules[name], "__spec__", None)
    return isinstance(getattr(spec, "loader", None), _PluginLoader)


def _import_file(path: Path) -> None:
    """Import a file under its own name, with its folder on the path so that workers find it, too."""
    name = path.stem
    if not name.isidentifier():
        raise ImportError(f"{path.name} is not a valid module name, use letters, digits and _")
    if not (name in sys.modules and _is_ours(name)):
        there = importlib.util.find_spec(name)
        if there is not None and (there.origin is None or Path(there.origin).resolve() != path):
            raise ImportError(f"another module is called {name}, choose another name for the file")
    spec = importlib.util.spec_from_file_location(name, path, loader=_PluginLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        raise


def _reason(given: str, path: Path | None, error: BaseException) -> str:
    """Why a module failed, in one line, with the line number in its file."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    line = f", line {lines[-1]}" if lines else ""
    words = " ".join(str(error).split())
    return f"{given}: the plugin module fails ({type(error).__name__}{line}: {words}). Repair it."
