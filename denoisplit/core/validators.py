"""Validators of options that say what they accept, to `denoisplit plugins show` and `denoisplit schema`.

Those of ``attrs.validators`` do so already; this is for a function of one's own.
"""

from collections.abc import Callable
from typing import Any

import attrs

Check = Callable[[Any, "attrs.Attribute[Any]", Any], None]


@attrs.frozen
class Described:
    """A validator with its own check and message, described by one of ``attrs.validators``.

    Attributes:
        check: decides and raises, as any validator of attrs.
        stands_for: a validator of ``attrs.validators`` that accepts what ``check`` accepts, or more.
    """

    check: Check
    stands_for: Any

    def __call__(self, instance: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        """Check a value.

        Raises:
            ValueError: what ``check`` raises.
        """
        self.check(instance, attribute, value)


def described_by(stands_for: Any) -> Callable[[Check], Described]:
    """Decorator of a validator that names one of ``attrs.validators`` which accepts the same, or more."""
    return lambda check: Described(check, stands_for)
