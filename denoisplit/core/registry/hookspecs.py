"""The whole plugin API.

A package names itself in the entry-point group ``denoisplit``::

    [project.entry-points.denoisplit]
    my_package = "my_package"

It either ships a ``registry.yaml`` beside its ``__init__.py``, which is read without importing the package,
or, where its components are only known at run time, the named module has a hook implementation::

    from denoisplit import hookimpl

    @hookimpl
    def denoisplit_register(register):
        register("noise_model", "mine", "my_package.noise:Mine", summary="Poisson noise of my camera.")

A ``registry.yaml`` with the single key ``plugin_api``, for example ``plugin_api: ">=1,<2"``, says which
plugin APIs such a module was made for; it is not imported by a denoisplit that has another.
"""

from collections.abc import Mapping
from typing import Final, Protocol

import pluggy

GROUP: Final = "denoisplit"
"""The entry-point group, and the name that hook implementations are marked with."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class Register(Protocol):
    """What a hook implementation calls once per component.

    Args:
        kind: one of ``denoisplit.core.registry.component.KINDS``.
        name: name within its kind, in lower case, as written after ``use:``; names are for ever.
        target: ``package.module:Class``, or the class itself.
        summary: one sentence.
        source: paper or reference to cite.
        since: version of the package that introduced it.
        status: ``stable``, ``experimental`` or ``deprecated``.
        replaced_by: of a deprecated component, the name to use instead.

    Raises:
        BrokenPluginError: a value does not obey the rules above.
    """

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
        replaced_by: str = "",
    ) -> None:
        """Register one component."""


DEPRECATED_ARGUMENTS: Final[Mapping[str, Warning]] = {}
"""Arguments of the hook that are going away. A plugin that takes one still works, and warns."""


@hookspec(warn_on_impl_args=DEPRECATED_ARGUMENTS)
def denoisplit_register(register: Register) -> None:
    """Call ``register`` once for every component that the package offers."""
