"""Parts of the ``Options`` of components: none at all, and validators that describe themselves.

`denoisplit plugins show` and `denoisplit schema` describe those of ``attrs.validators`` already; those here
are for custom functions.
"""

from collections.abc import Callable
from typing import Any, Final

import attrs
from attrs.validators import deep_iterable, ge

QUIET: Final = "quiet"
"""Metadata key of a field that is written only if it differs from its default, as early runs lack it."""


@attrs.frozen
class NoOptions:
    """The options of a component that has none."""


Check = Callable[[Any, "attrs.Attribute[Any]", Any], None]


@attrs.frozen
class Described:
    """A validator with its own check and message, described by one of ``attrs.validators``.

    Attributes:
        check: function that checks and raises, like any attrs validator.
        stands_for: a validator of ``attrs.validators`` that accepts the same values, or more.
    """

    check: Check
    stands_for: Any

    def __call__(self, instance: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        """Check a value.

        Raises:
            ValueError: see ``check``.
        """
        self.check(instance, attribute, value)


def described_by(stands_for: Any) -> Callable[[Check], Described]:
    """Decorator of a validator that names one of ``attrs.validators`` accepting the same values, or more."""
    return lambda check: Described(check, stands_for)


def _shares(_instance: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    flat = [number for item in value for number in (item if isinstance(item, tuple) else (item,))]
    if flat and (min(flat) < 0 or not any(flat)):
        raise ValueError(
            f"'{attribute.name}' must be 0 or more, and not all of them 0 (got {list(value)}). "
            f"Give every channel its share, or an empty list for equal weights."
        )


shares: Final = Described(_shares, deep_iterable(ge(0)))
"""Validator of weights, one per channel."""

ranges_of_shares: Final = Described(_shares, deep_iterable(deep_iterable(ge(0))))
"""Validator of ranges of weights, one per channel."""
