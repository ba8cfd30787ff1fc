"""Whether everything that a stored run was made with is still there, and what to install if it is not."""

import importlib.metadata
from collections.abc import Iterable

from denoisplit.core.errors import UnknownComponentError
from denoisplit.core.registry.component import KINDS
from denoisplit.core.registry.manager import BUILTIN, DISABLE, canonical, disabled_plugins
from denoisplit.core.registry.registry import NOTEBOOK, Registry


def require_components(where: str, made_with: Iterable[tuple[str, str, str]], registry: Registry) -> None:
    """Check that components are installed.

    Args:
        where: what needs them, for messages.
        made_with: kind, ``package/name`` and version of the package, as a run stores them.
        registry: where they are looked up.

    Raises:
        UnknownComponentError: says which packages and versions to install, one line each.
    """
    missing: dict[str, list[str]] = {}
    for kind, qualified, version in made_with:
        if not _is_there(kind, qualified, registry):
            missing.setdefault(_advice(qualified, version, registry), []).append(f"{kind} {qualified}")
    if missing:
        lines = [f"{where}: needs {' and '.join(names)}, {advice}" for advice, names in missing.items()]
        raise UnknownComponentError("\n".join(lines))


def _is_there(kind: str, qualified: str, registry: Registry) -> bool:
    if kind not in KINDS:
        return False
    return any(row.qualified == qualified for row in registry.components(kind))


def _advice(qualified: str, version: str, registry: Registry) -> str:
    """Why a component is not there and what to do."""
    package = canonical(qualified.partition("/")[0])
    install = f"Run: python -m pip install {package}=={version}"
    if package == NOTEBOOK:
        return "which was registered in a notebook. Run the cell that registers it first."
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
    except importlib.metadata.PackageNotFoundError:
        return None
