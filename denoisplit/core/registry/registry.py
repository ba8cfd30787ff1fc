"""All components by kind and name."""

import copy
import functools
import warnings
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import attrs

from denoisplit.core.errors import DuplicateNameError, UnknownComponentError, did_you_mean
from denoisplit.core.registry.component import KINDS, Component
from denoisplit.core.registry.manager import BUILTIN, BrokenPlugin, Plugins, canonical

NOTEBOOK: Final = "notebook"
"""The package name of components registered in a notebook or session."""

RUN_THE_CELL: Final = (
    "Run the cell that registers it first. On the command line, give its module with --plugin."
)

_LONGEST: Final = 80
"""Most characters of a name shown in a message."""

_Class = TypeVar("_Class", bound=type)


@attrs.frozen(kw_only=True)
class PluginModule:
    """A module that was imported to register components.

    Attributes:
        digest: digest of its file; empty for a module imported by name.
        components: components that it registered.
    """

    digest: str
    components: tuple[Component, ...]


class Registry:
    """Components by kind, package and name.

    A bare name finds the built-in of that name, or else the component of the only plugin that offers it;
    ``package/name`` always works.

    Args:
        components: see ``extend``.
        broken: plugins whose components are unavailable.
        plugins: plugins whose hooks are called; none by default.

    Attributes:
        broken, plugins: as given.
        modules: plugin modules of this process, by name or path; see ``import_plugin_module``.
    """

    def __init__(
        self,
        components: Iterable[Component] = (),
        broken: Iterable[BrokenPlugin] = (),
        plugins: Plugins | None = None,
    ) -> None:
        self._rows: dict[tuple[str, str, str], Component] = {}
        self.broken = tuple(broken)
        self.plugins = plugins or Plugins.none()
        self.modules: dict[str, PluginModule] = {}
        self.extend(components)

    def components(self, kind: str | None = None) -> tuple[Component, ...]:
        """All components, or those of one kind, by kind, name and package."""
        rows = (row for row in self._rows.values() if kind in (None, row.kind))
        return tuple(sorted(rows, key=lambda row: (KINDS.index(row.kind), row.name, row.package)))

    def find(self, kind: str, name: str) -> Component:
        """Find the component of a kind by its name or ``package/name``; warn if it is deprecated.

        Raises:
            UnknownComponentError: no installed package offers it.
            DuplicateNameError: several packages offer the bare name.
        """
        package, _, bare = name.rpartition("/")
        named = [row for row in self.components(kind) if row.name == bare]
        if package:
            named = [row for row in named if row.package == canonical(package)]
        if not named:
            raise UnknownComponentError(self._unknown(kind, name))
        if len(named) > 1:
            packages = " and ".join(row.package for row in named)
            choice = " or ".join(row.qualified for row in named)
            raise DuplicateNameError(f"{kind} {name}: offered by the packages {packages}. Write {choice}.")
        if named[0].status == "deprecated":
            message = f"{kind} {named[0].qualified} is deprecated: {named[0].summary}"
            if named[0].replaced_by:
                message += f" Write use: {named[0].replaced_by}."
            warnings.warn(message, FutureWarning, stacklevel=2)
        return named[0]

    def extend(self, components: Iterable[Component]) -> None:
        """Add components, all or none; those of a notebook replace their earlier versions.

        Raises:
            DuplicateNameError: a package offers a name twice or takes that of a built-in, or a notebook takes
                an installed name.
        """
        rows = dict(self._rows)
        for new in components:
            for old in rows.values():
                if (old.kind, old.name) == (new.kind, new.name):
                    _check_pair(old, new)
            rows[new.kind, new.package, new.name] = new
        self._rows = rows

    def with_rows(self, components: Iterable[Component]) -> "Registry":
        """A copy with further components, whatever their names, which shares the plugin modules."""
        found = copy.copy(self)
        found._rows = self._rows | {(row.kind, row.package, row.name): row for row in components}
        return found

    def _unknown(self, kind: str, name: str) -> str:
        name = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."
        if kind not in KINDS:
            return f"{kind} {name}: unknown kind (got {kind!r}). Use one of {', '.join(KINDS)}."
        rows = self.components(kind)
        bare = list(dict.fromkeys(row.name for row in rows))
        known = [row.qualified for row in rows] if "/" in name else bare
        close = did_you_mean(name, known)
        message = f"{kind} {name}: not installed.{close} Installed: {', '.join(known) or 'none'}."
        package = canonical(name.rpartition("/")[0])
        if package == NOTEBOOK:
            message += f" {RUN_THE_CELL}"
        elif package and not any(row.package == package for row in self.components()):
            message += f" No components of a package {package} are installed."
        if self.broken:
            packages = ", ".join(dict.fromkeys(plugin.package for plugin in self.broken))
            message += f" Broken plugins: {packages} (see denoisplit plugins list)."
        return message


def _check_pair(old: Component, new: Component) -> None:
    """Check that a component may join another of the same kind and name."""
    what = f"{new.kind} {new.name}"
    if old.package == new.package:
        if new.package != NOTEBOOK:
            raise DuplicateNameError(
                f"{what}: offered twice by the package {new.package}. Remove one of the two."
            )
    elif BUILTIN in (old.package, new.package):
        raise DuplicateNameError(
            f"{what}: offered by the packages {old.package} and {new.package}. "
            f"A built-in cannot be replaced; choose another name."
        )
    elif new.package == NOTEBOOK:
        raise DuplicateNameError(
            f"{what}: offered by the packages {old.package} and {new.package}. "
            f"Choose another name in the notebook."
        )


def load_registry() -> Registry:
    """Find the built-ins and all installed plugins, anew."""
    registry, plugins = Registry(), Plugins.none()
    broken: list[BrokenPlugin] = []
    for offer in plugins.offers():
        if isinstance(offer, BrokenPlugin):
            broken.append(offer)
            continue
        for row in offer.components:
            try:
                registry.extend([row])
            except DuplicateNameError as error:
                offer.leave_out(str(error))
        broken += offer.broken
    return Registry(registry.components(), broken, plugins)


@functools.cache
def installed_registry() -> Registry:
    """The registry of this process, created once; ``register`` adds to it."""
    return load_registry()


def register(kind: str, name: str, *, summary: str = "", **fields: str) -> Callable[[_Class], _Class]:
    """Class decorator that registers a component for the current session, for notebooks.

    Running the cell again replaces the component; its version is a digest of its source.

    Example::

        @register("noise_model", "mine", summary="Poisson noise of my camera.")
        class Mine(NoiseModel): ...

    Args:
        kind: kind of the component; for this and all other fields of a row, see
            ``denoisplit.core.registry.component.Component``.
        name: name within its kind.
        summary: one sentence; by default the first line of the docstring.
        **fields: any other field of the row.

    Raises:
        BrokenPluginError: the class or its description breaks the contract of its kind.
        DuplicateNameError: an installed package offers that name.
    """

    def decorate(cls: _Class) -> _Class:
        from denoisplit.core.registry.source_version import source_version  # lists of plugins do not need it

        lines = (cls.__doc__ or "").strip().splitlines() or ["Registered in a notebook."]
        component = Component(
            kind=kind,
            name=name,
            target=cls,
            package=NOTEBOOK,
            version=source_version(cls),
            summary=summary or lines[0],
            **fields,
        )
        component.load()
        installed_registry().extend([component])
        return cls

    return decorate
