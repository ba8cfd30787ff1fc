"""Finds the plugins. One that is broken is reported with its traceback and never stops the others."""

import importlib.metadata
import importlib.util
import logging
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pluggy

from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.registry import hookspecs
from denoisplit.core.registry.component import Component
from denoisplit.core.registry.contract import check_row
from denoisplit.core.registry.hookspecs import GROUP
from denoisplit.core.registry.manifest import FILE_NAME, Manifest, builtin_manifest
from denoisplit.core.version import VERSION

BUILTIN: Final = "denoisplit"
DISABLE: Final = "DENOISPLIT_DISABLE_PLUGINS"

logger = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Offer:
    """The components of one package."""

    package: str
    version: str
    components: tuple[Component, ...]


@attrs.frozen(kw_only=True)
class BrokenPlugin:
    """A package whose components cannot be had.

    Attributes:
        package: its name.
        version: its version.
        error: what is wrong, for the installer.
        traceback: where it went wrong, for the author.
    """

    package: str
    version: str
    error: str
    traceback: str

    @classmethod
    def of(cls, package: str, version: str, error: BaseException) -> "BrokenPlugin":
        """The record of an exception."""
        trace = "".join(traceback.format_exception(error))
        return cls(
            package=package, version=version, error=f"{type(error).__name__}: {error}", traceback=trace
        )


@attrs.define
class Collector:
    """The ``register`` callback of one package."""

    package: str
    version: str
    components: list[Component] = attrs.field(factory=list)

    def __call__(
        self,
        kind: str,
        name: str,
        target: str | type,
        *,
        summary: str,
        source: str = "",
        since: str = "",
        status: str = "stable",
    ) -> None:
        """Check and keep one component."""
        check_row(package=self.package, kind=kind, name=name, target=target, summary=summary, status=status)
        self.components.append(
            Component(
                kind=kind,
                name=name,
                target=target,
                package=self.package,
                version=self.version,
                summary=summary,
                source=source,
                since=since,
                status=status,
            )
        )


def canonical(package: str) -> str:
    """One spelling for a distribution's name, as package indexes use it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def offers() -> Iterator[Offer | BrokenPlugin]:
    """What every package offers: the built-ins first, the installed plugins in the order of their names.

    Packages named in ``DENOISPLIT_DISABLE_PLUGINS`` (comma-separated) are left out.

    Raises:
        BrokenPluginError: the built-in manifest itself cannot be read.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    yield _ask(manager, Manifest(builtin_manifest()), BUILTIN, VERSION)
    disabled = {canonical(name.strip()) for name in os.environ.get(DISABLE, "").split(",")}
    found = [(*_distribution(entry), entry) for entry in importlib.metadata.entry_points(group=GROUP)]
    for package, version, entry in sorted(found, key=lambda item: (item[0], item[2].name)):
        if disabled & {package, canonical(entry.name)}:
            continue
        try:
            if package == BUILTIN:
                raise BrokenPluginError(
                    f"{entry.value}: the package name {package} is taken. Choose another name."
                )
            yield _ask(manager, _plugin(entry), package, version)
        except (Exception, SystemExit) as error:
            logger.debug("plugin %s is broken", package, exc_info=True)
            yield BrokenPlugin.of(package, version, error)


def _distribution(entry: importlib.metadata.EntryPoint) -> tuple[str, str]:
    """Canonical name and version of the distribution that has the entry point."""
    if entry.dist is None:
        return canonical(entry.name), "unknown"
    return canonical(entry.dist.name), entry.dist.version


def _plugin(entry: importlib.metadata.EntryPoint) -> object:
    """The manifest that the package ships, or else the module with its hook implementations, imported."""
    top = entry.module.partition(".")[0]
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise BrokenPluginError(f"{entry.value}: there is no package {top}. Reinstall the plugin.")
    for folder in spec.submodule_search_locations or ():
        manifest = Path(folder) / FILE_NAME
        if manifest.is_file():
            return Manifest(manifest)
    return entry.load()


def _ask(manager: pluggy.PluginManager, plugin: object, package: str, version: str) -> Offer:
    """Let one plugin, and no other, answer the hook."""
    manager.register(plugin)
    try:
        manager.check_pending()
        if not manager.get_hookcallers(plugin):
            raise BrokenPluginError(
                f"{package}: offers neither a {FILE_NAME} nor the hook denoisplit_register. Add one."
            )
        collector = Collector(package, version)
        manager.hook.denoisplit_register(register=collector)
        return Offer(package=package, version=version, components=tuple(collector.components))
    finally:
        manager.unregister(plugin)
