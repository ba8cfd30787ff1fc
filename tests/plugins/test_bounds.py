"""No option of a network makes one that is never built to its end."""

import attrs
import pytest

from denoisplit.core.registry import load_registry
from denoisplit.core.registry.component import Component
from denoisplit.core.registry.manager import BUILTIN

NETWORKS = [
    row
    for row in load_registry().components()
    if row.package == BUILTIN and row.kind in ("encoder", "decoder")
]
COUNTS = ("levels", "pools", "input_scales", "blocks")


@pytest.mark.parametrize("row", NETWORKS, ids=lambda row: f"{row.kind}-{row.name}")
def test_counts_of_parts_are_bounded(row: Component) -> None:
    options = row.load().Options
    for field in attrs.fields(options):
        if field.name in COUNTS:
            with pytest.raises(ValueError, match=f"'{field.name}' must be <= "):
                options(**{field.name: 2**63})
