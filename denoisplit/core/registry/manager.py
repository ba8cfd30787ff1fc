"""Search for plugins. A broken one is reported with its traceback and never stops the others."""

import importlib.metadata
import importlib.util
import logging
import os
import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import pluggy

from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.registry import hookspecs
from denoisplit.core.registry.api_version import check_plugin_api
from denoisplit.core.registry.component import ROW, Component
from denoisplit.core.registry.hookspecs import GROUP
from denoisplit.core.registry.registry_file import FILE_NAME, HOOKS, Manifest, builtin_manifest, read_manifest
from denoisplit.core.version import VERSION

BUILTIN: Final = "denoisplit"
DISABLE: Final = "DENOISPLIT_DISABLE_PLUGINS"

logger = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class BrokenPlugin:
    """A package whose components are unavailable, or a row that is left out.

    Attributes:
        package: name of the package.
        version: version of the package.
        error: what is wrong, for the user.
        traceback: where it went wrong, for the author; empty for a row, whose message begins with its place.
        component: whether a single component is broken and the others of the package work.
    """

    package: str
    version: str
    error: str
    traceback: str = ""
    component: bool = False

    @classmethod
    def of(cls, package: str, version: str, error: BaseException) -> "BrokenPlugin":
        """Record an exception."""
        trace = "".join(traceback.format_exception(error))
        return cls(
            package=package, version=version, error=f"{type(error).__name__}: {error}", traceback=trace
        )


@attrs.define
class Offer:
    """The components of one package, and the ``register`` callback with which it adds them."""

    package: str
    version: str
    components: list[Component] = attrs.field(factory=list)
    broken: list[BrokenPlugin] = attrs.field(factory=list)

    def __call__(self, kind: str, name: str, target: str | type, *, where: str = "", **fields: str) -> None:
        """Check and keep one component."""
        own = {"package": self.package, "version": self.version}
        try:
            self.components.append(Component(kind=kind, name=name, target=target, **own, **fields))
        except BrokenPluginError as error:
            self.leave_out(f"{where or _caller()}: {error}")
        except TypeError as error:
            reason = str(error).removeprefix("Component.__init__() ")
            fault = f"{kind} {self.package}/{name}: {reason}. The fields of a row are {', '.join(ROW)}."
            self.leave_out(f"{where or _caller()}: {fault}")

    def leave_out(self, *faults: str) -> None:
        """Record faults of components that are left out."""
        for fault in faults:
            self.broken.append(
                BrokenPlugin(package=self.package, version=self.version, error=fault, component=True)
            )


def _caller() -> str:
    """File and line from which a component is registered."""
    frame = traceback.extract_stack(limit=3)[0]
    return f"{frame.filename}:{frame.lineno}"


def canonical(package: str) -> str:
    """The canonical spelling of a distribution's name, as package indexes use it."""
    return re.sub(r"[-_.]+", "-", package).lower()


@attrs.frozen(eq=False)
class Plugins:
    """All installed plugins, behind one hook manager.

    Attributes:
        manager: manager of the plugins by ``package:entry``.
        later: modules with hooks, under the same names, that are imported when a hook is called.
    """

    manager: pluggy.PluginManager
    later: dict[str, str] = attrs.field(factory=dict)

    @classmethod
    def none(cls) -> "Plugins":
        """Begin without plugins."""
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        return cls(manager)

    def offers(self) -> Iterator[Offer | BrokenPlugin]:
        """Yield the components of every package: built-ins first, then installed plugins by name.

        Packages named in ``DENOISPLIT_DISABLE_PLUGINS`` (comma-separated) are left out.

        Raises:
            BrokenPluginError: the built-in manifest itself cannot be read.
        """
        yield self._ask(read_manifest(builtin_manifest()), BUILTIN, Offer(BUILTIN, VERSION))
        disabled = disabled_plugins()
        found = [(*_distribution(entry), entry) for entry in importlib.metadata.entry_points(group=GROUP)]
        for package, version, entry in sorted(found, key=lambda item: (item[0], item[2].name)):
            if disabled & {package, canonical(entry.name)}:
                continue
            try:
                if package == BUILTIN:
                    raise BrokenPluginError(
                        f"{entry.value}: the package name {package} is taken. Choose another name."
                    )
                plugin = _plugin(entry, package)
                yield self._ask(plugin, f"{package}:{entry.name}", Offer(package, version))
            except (Exception, SystemExit) as error:
                logger.debug("plugin %s is broken", package, exc_info=True)
                yield BrokenPlugin.of(package, version, error)

    def call(self, hook: str, **known: object) -> Iterator[tuple[str, Any]]:
        """Yield every plugin's answer to a hook, by package. A failing plugin is reported and left out."""
        waiting = dict(self.later)
        self.later.clear()
        for name, module in waiting.items():
            try:
                self._register(importlib.import_module(module), f"{name}:{HOOKS}")
            except (Exception, SystemExit) as error:
                logger.debug("hooks of %s", name, exc_info=True)
                _tell(name, f"its hooks {module} cannot be imported", error)
        for name, plugin in self.manager.list_name_plugin():
            try:
                answers = self._call_one(plugin, hook, known)
            except (Exception, SystemExit) as error:
                logger.debug("hooks of %s", name, exc_info=True)
                _tell(name, f"{hook} fails", error)
                continue
            yield from ((name.partition(":")[0], answer) for answer in answers)

    def _call_one(self, plugin: object, hook: str, known: Mapping[str, object]) -> list[Any]:
        """Ask a single plugin, so that its failure affects no other."""
        others = [other for _, other in self.manager.list_name_plugin() if other is not plugin]
        answers: list[Any] = self.manager.subset_hook_caller(hook, others)(**known)
        return answers

    def _register(self, plugin: object, name: str) -> None:
        try:
            self.manager.register(plugin, name)
            self.manager.check_pending()
        except pluggy.PluginValidationError:
            self.manager.unregister(plugin)
            raise

    def _ask(self, plugin: object, name: str, offer: Offer) -> Offer:
        self._register(plugin, name)
        if not self.manager.get_hookcallers(plugin):
            raise BrokenPluginError(
                f"{offer.package}: offers neither a {FILE_NAME} nor the hook denoisplit_register. Add one."
            )
        spec = self.manager.hook.denoisplit_register.spec
        # A former name of the argument, kept for older plugins, gives the same callback.
        self._call_one(plugin, "denoisplit_register", dict.fromkeys(spec.argnames if spec else (), offer))
        if isinstance(plugin, Manifest):
            offer.leave_out(*plugin.problems)
            if plugin.hooks:
                self.later[name] = plugin.hooks
        return offer


def _tell(name: str, what: str, error: BaseException) -> None:
    reason = " ".join(str(error).split())
    logger.warning("package %s: %s (%s: %s)", name.partition(":")[0], what, type(error).__name__, reason)


def disabled_plugins() -> frozenset[str]:
    """Canonical names of the packages that ``DENOISPLIT_DISABLE_PLUGINS`` leaves out."""
    return frozenset(
        canonical(name.strip()) for name in os.environ.get(DISABLE, "").split(",") if name.strip()
    )


def _distribution(entry: importlib.metadata.EntryPoint) -> tuple[str, str]:
    """Canonical name and version of the distribution with this entry point."""
    try:
        name, version = (entry.dist.name, entry.dist.version) if entry.dist else (None, None)
    except (KeyError, OSError, TypeError, ValueError):
        name, version = None, None  # its metadata was partly removed
    return canonical(name or entry.name), version or "unknown"


def _plugin(entry: importlib.metadata.EntryPoint, package: str) -> object:
    """The manifest that the package ships, or else the imported module with its hook implementations."""
    try:
        module = entry.module
    except AttributeError as error:
        raise BrokenPluginError(
            f"{package}: its entry point is no module (got {entry.name} = {entry.value!r}). Write "
            f'{entry.name} = "package" under [project.entry-points.denoisplit].'
        ) from error
    path = beside_package(module, FILE_NAME)
    if path is None:
        return entry.load()
    manifest = read_manifest(path)
    check_plugin_api(package, manifest.plugin_api)
    return entry.load() if manifest.rows is None else manifest


def beside_package(module: str, file_name: str) -> Path | None:
    """Find a file beside the ``__init__.py`` of a module's package, without importing it.

    Raises:
        BrokenPluginError: the package does not exist.
    """
    top = module.partition(".")[0]
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise BrokenPluginError(f"{module}: there is no package {top}. Reinstall the plugin.")
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    return next((folder / file_name for folder in folders if (folder / file_name).is_file()), None)
