"""The whole plugin API.

A package names its module in the entry-point group ``denoisplit``::

    [project.entry-points.denoisplit]
    my_package = "my_package"

It either ships a ``registry.yaml`` beside its ``__init__.py``, which is read without importing the package,
or, if its components are only known at run time, the named module has a hook implementation::

    from denoisplit import hookimpl

    @hookimpl
    def denoisplit_register(register):
        register("noise_model", "mine", "my_package.noise:Mine", summary="Poisson noise of my camera.")

A ``registry.yaml`` with the single key ``plugin_api``, for example ``plugin_api: ">=1,<2"``, says which
plugin APIs such a module supports; a denoisplit with another plugin API does not import it.

The other hooks also belong in such a module, or in one that the ``registry.yaml`` names by ``hooks: MODULE``,
which is imported when one of them is called. A hook implementation takes as many of the arguments as it
needs. Hooks of a later plugin API are marked with ``@hookimpl(optionalhook=True)``; earlier versions ignore
them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import pluggy

GROUP: Final = "denoisplit"
"""The entry-point group, and the name that marks hook implementations."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class Register(Protocol):
    """The function that a hook implementation calls once per component.

    A row that breaks a rule is left out and reported by ``denoisplit plugins list``; the others are kept.
    """

    def __call__(self, kind: str, name: str, target: str | type, *, where: str = "", **fields: str) -> None:
        """Register one component.

        Args:
            kind: kind of the component; for this and all other fields of a row, see
                ``denoisplit.core.registry.component.Component``.
            name: name within its kind.
            target: ``package.module:Class``, or the class itself.
            where: file and line of the row, for messages; by default those of the call.
            **fields: ``summary``, and any other field of the row.
        """


DEPRECATED_ARGUMENTS: Final[Mapping[str, Warning]] = {}
"""Arguments of the hook that will be removed. A plugin that takes one still works, and warns."""


@hookspec(warn_on_impl_args=DEPRECATED_ARGUMENTS)
def denoisplit_register(register: Register) -> None:
    """Call ``register`` once for every component that the package offers."""


@hookspec
def denoisplit_commands() -> Mapping[str, str]:
    """Commands for the command line: names to ``package.module:command`` of a click command.

    Called for a command that denoisplit lacks; the module is imported when its command runs.
    """
    return {}


@hookspec
def denoisplit_watchers(spec: object, out: Path) -> Sequence[object]:
    """Watchers (``denoisplit.Watcher``) of a training. If this hook fails, the training goes on.

    Args:
        spec: the resolved spec.
        out: the run folder.
    """
    del spec, out
    return ()
