"""Installed components, so that a law holds for a new one without a line of its own."""

from denoisplit.core.network.interfaces import Calibrator
from denoisplit.core.registry import load_registry


def calibrators() -> dict[str, Calibrator]:
    """Every registered calibrator with its default options, by name."""
    kinds = {row.name: row.load() for row in load_registry().components("calibrator")}
    return {name: kind(kind.Options()) for name, kind in kinds.items()}
