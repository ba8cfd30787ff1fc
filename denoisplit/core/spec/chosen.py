"""A component that a spec names, and what is said of the fields that hold one."""

from typing import Any, Final

import attrs

from denoisplit.core.registry.component import Component

KIND = "kind"
"""Metadata key of a field that holds a component: the kind to look it up by."""

BASE = "base"
"""Metadata key of a field that takes some components of its kind only: the class that they derive from."""

SAID = "said"
"""Metadata key of what the JSON schema says of a field besides its type and validator."""

BY_NAME: Final = frozenset({"optimizer", "schedule", "logger"})
"""Kinds of components that a spec may give by their name alone, without ``use``. No preset has any of them,
so that it never matters whether a name replaces the options of a preset."""


@attrs.frozen(kw_only=True)
class Chosen:
    """A component that a spec names, with its options.

    Attributes:
        component: the row of the registry.
        options: instance of the component's ``Options`` class.
    """

    component: Component
    options: Any

    def build(self, **known: Any) -> Any:
        """An instance of the component, see ``Component.build``."""
        return self.component.build(self.options, **known)
