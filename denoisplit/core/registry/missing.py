"""Check that the components of a stored run are still installed, with advice on what to install."""

import importlib.metadata
import logging
from collections.abc import Iterable

from denoisplit.core.errors import UnknownComponentError
from denoisplit.core.registry.component import KINDS
from denoisplit.core.registry.manager import BUILTIN, DISABLE, canonical, disabled_plugins
from denoisplit.core.registry.registry import NOTEBOOK, RUN_THE_CELL, Registry

_LOG = logging.getLogger("denoisplit.registry")


def require_components(where: str, made_with: Iterable[tuple[str, str, str]], registry: Registry) -> None:
    """Check that components are installed. Log a line for each notebook component whose class differs.

    Args:
        where: run that needs them, for messages.
        made_with: kind, ``package/name`` and version of the package, as stored in a run.
        registry: registry in which they are looked up.

    Raises:
        UnknownComponentError: names the packages and versions to install, one line each.
    """
    made_with = tuple(made_with)
    missing: dict[str, list[str]] = {}
    for kind, qualified, version in made_with:
        if not _is_there(kind, qualified, registry):
            missing.setdefault(_advice(qualified, version, registry), []).append(f"{kind} {qualified}")
    if missing:
        lines = [f"{where}: needs {' and '.join(names)}, {advice}" for advice, names in missing.items()]
        raise UnknownComponentError("\n".join(lines))
    _tell_of_others(where, [needed for needed in made_with if needed[1].startswith(f"{NOTEBOOK}/")], registry)


def _tell_of_others(where: str, made_with: Iterable[tuple[str, str, str]], registry: Registry) -> None:
    """Log a line for every notebook component whose class differs from the stored one."""
    from denoisplit.core.registry.source_version import (
        is_another,  # few runs need it, and every list imports this module
    )

    for kind, qualified, version in made_with:
        for row in registry.components(kind):
            if row.qualified == qualified and is_another(version, row.version):
                _LOG.warning(
                    "%s: %s %s is another class than the one that the run was made with (got %s, made with "
                    "%s). Register that one, or train again.",
                    *(where, kind, qualified, row.version, version),
                )


def _is_there(kind: str, qualified: str, registry: Registry) -> bool:
    if kind not in KINDS:
        return False
    return any(row.qualified == qualified for row in registry.components(kind))


def _advice(qualified: str, version: str, registry: Registry) -> str:
    """Why a component is missing, and what to do."""
    package = canonical(qualified.partition("/")[0])
    install = f"Run: python -m pip install {package}=={version}"
    if package == NOTEBOOK:
        return f"which was registered in a notebook. {RUN_THE_CELL}"
    if package == BUILTIN:
        return f"which this denoisplit does not have. {install}, or newer."
    if package in disabled_plugins():
        return f"but {DISABLE} names the package {package}. Remove it from there."
    for plugin in registry.broken:
        if plugin.package == package:
            return (
                f"but the package {package} {plugin.version} is broken ({plugin.error.splitlines()[0]}). "
                f"Repair it, or install the version of the run. {install}"
            )
    installed = _installed_version(package)
    if installed is None:
        return f"but the package {package} is not installed (the run was made with {version}). {install}"
    return (
        f"which the package {package} {installed} does not offer (the run was made with {version}). {install}"
    )


def _installed_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except (importlib.metadata.PackageNotFoundError, ValueError):  # not a package name at all
        return None
