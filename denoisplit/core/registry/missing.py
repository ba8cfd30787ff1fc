"""The components of a stored run that are no longer installed, with advice on what to install."""

import importlib.metadata
import logging
from collections.abc import Iterable
from typing import Final, NoReturn, final

import attrs

from denoisplit.core.errors import UnknownComponentError
from denoisplit.core.registry.component import KINDS, Component
from denoisplit.core.registry.manager import BUILTIN, DISABLE, canonical, disabled_plugins
from denoisplit.core.registry.registry import NOTEBOOK, RUN_THE_CELL, Registry

_LOG = logging.getLogger("denoisplit.registry")


_OF_THE_NETWORK: Final = ("encoder", "decoder", "noise_model", "kl_scheme", "calibrator")
"""Kinds without which a run cannot be opened; others are needed to train or evaluate."""


@final
@attrs.frozen(kw_only=True)
class MissingComponent(Component):
    """A component of a run that is not installed here: it keeps its options, and cannot be used.

    Attributes:
        problem: why it is missing, and what to install.
    """

    problem: str

    def load(self) -> NoReturn:
        """Raise an error.

        Raises:
            UnknownComponentError: always.
        """
        raise UnknownComponentError(self.problem)


def with_missing(
    where: str, made_with: Iterable[tuple[str, str, str]], registry: Registry, *, no_module: str = ""
) -> Registry:
    """Return the registry with stand-ins for the components of a run that are not installed.

    Logs a line for each notebook component whose class differs.

    Args:
        where: run that needs them, for messages.
        made_with: kind, ``package/name`` and version of the package, as stored in a run.
        registry: registry in which they are looked up.
        no_module: why plugin modules of the run were not imported, and what to do; empty if all were.

    Raises:
        UnknownComponentError: one of the network is missing. Names the packages and versions to install for
            all that are missing, one line each.
    """
    made_with = tuple(made_with)
    missing: dict[str, list[tuple[str, str, str]]] = {}
    for needed in made_with:
        if not _is_there(*needed[:2], registry):
            missing.setdefault(_advice(*needed[1:], registry, no_module), []).append(needed)
    lines = {
        advice: f"{where}: needs {' and '.join(f'{kind} {name}' for kind, name, _ in rows)}, {advice}"
        for advice, rows in missing.items()
    }
    if any(kind in _OF_THE_NETWORK or kind not in KINDS for rows in missing.values() for kind, _, _ in rows):
        raise UnknownComponentError("\n".join(lines.values()))
    _tell_of_others(where, [needed for needed in made_with if needed[1].startswith(f"{NOTEBOOK}/")], registry)
    return registry.with_rows(
        _stand_in(*row, lines[advice]) for advice, rows in missing.items() for row in rows
    )


def _stand_in(kind: str, qualified: str, version: str, problem: str) -> MissingComponent:
    package, _, name = qualified.partition("/")
    return MissingComponent(
        kind=kind,
        name=name,
        target=f"{__name__}:{MissingComponent.__name__}",
        package=canonical(package),
        version=version,
        summary="Not installed here.",
        problem=problem,
    )


def other_versions(made_with: Iterable[tuple[str, str, str]], registry: Registry) -> str:
    """Return which packages of a run have another version here, and how to get its own; empty if none has."""
    here = {(row.kind, row.qualified): row.version for row in registry.components()}
    other = {
        (name.partition("/")[0], version, here[kind, name])
        for kind, name, version in made_with
        if here.get((kind, name), version) != version and not name.startswith(f"{NOTEBOOK}/")
    }
    if not other:
        return ""
    said = " and ".join(f"{package} {version} (here {now})" for package, version, now in sorted(other))
    wanted = " ".join(f"{package}=={version}" for package, version, _ in sorted(other))
    return f"It was made with {said}. Run: python -m pip install {wanted}"


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


def _advice(qualified: str, version: str, registry: Registry, no_module: str) -> str:
    """Why a component is missing, and what to do."""
    package = canonical(qualified.partition("/")[0])
    install = f"Run: python -m pip install {package}=={version}"
    if package == NOTEBOOK:
        if no_module:
            return f"which a plugin module registered. {no_module}"
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
