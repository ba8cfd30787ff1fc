"""Whole numbers that an option of a known name may be given."""

from typing import Any, get_args, get_type_hints

import attrs

from denoisplit.core.registry.declared_types import is_union
from denoisplit.testing.suite import is_valid


def takes(options: Any, name: str, number: int) -> bool:
    """Whether there is such an option, of whole numbers, and its validator accepts this one."""
    cls = type(options)
    for field in attrs.fields(cls):
        if field.alias == name:
            hint = get_type_hints(cls)[field.name]
            kinds = get_args(hint) if is_union(hint) else (hint,)
            return int in kinds and is_valid(options, field, number)
    return False
