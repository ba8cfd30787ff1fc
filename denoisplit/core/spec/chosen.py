"""Components chosen in a spec, and metadata keys of the fields that hold them."""

from collections.abc import Collection
from typing import Any, Final

import attrs

from denoisplit.core.registry.component import Component

KIND = "kind"
"""Metadata key of a field that holds a component: the kind by which it is looked up."""

BASE = "base"
"""Metadata key of a field that takes only some components of its kind: the class that they derive from."""

SAID = "said"
"""Metadata key of additions to a field's JSON schema, besides its type and validator."""

BY_NAME: Final = frozenset({"optimizer", "schedule", "logger"})
"""Kinds of components that a spec may give by name alone, without ``use``. No preset contains any of them, so
it never matters whether a name replaces the options of a preset."""


@attrs.frozen(kw_only=True)
class Chosen:
    """A component chosen in a spec, with its options.

    Attributes:
        component: the row of the registry.
        options: instance of the component's ``Options`` class.
    """

    component: Component
    options: Any

    def name_among(self, taken: Collection[str]) -> str:
        """The component's name, or ``NAME_2``, ``NAME_3`` and so on if it is taken."""
        name, number = self.component.name, 1
        while name in taken:
            number += 1
            name = f"{self.component.name}_{number}"
        return name

    def build(self, **known: Any) -> Any:
        """Build the component; see ``Component.build``."""
        return self.component.build(self.options, **known)
