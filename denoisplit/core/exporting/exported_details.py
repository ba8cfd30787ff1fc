"""What an exported file says of itself, as plain values for JSON."""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import attrs

from denoisplit.core.exporting.exported import Agreement
from denoisplit.core.exporting.ports import MIXED, Ports
from denoisplit.core.spec import unstructure
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.version import VERSION

KEY: Final = "denoisplit"
"""Name under which formats with named metadata hold the details."""

FORMAT: Final = 1

Details = Mapping[str, Any]


def exported_details(ports: Ports, bundle: Bundle, agreement: Agreement) -> Details:
    """Describe a file: its inputs and outputs, what images need before, calibration and origin."""
    ones, axes = (1,) * len(ports.step), f"bc{ports.axes}"
    return {
        "format": FORMAT,
        "denoisplit": VERSION,
        "channels": list(ports.channels),
        "units": {
            "mixed": "counts",
            "signal": "counts",
            "log_variance": "ln of counts squared",
            "noise": "1",
        },
        "inputs": [
            {"name": MIXED, "axes": axes, "channels": 1, "pixels_per_position": list(ones)},
            *(
                {
                    "name": one.name,
                    "axes": axes,
                    "channels": one.channels,
                    "pixels_per_position": list(one.stride),
                    "of_pixels": one.of_pixels,
                }
                for one in ports.noise
            ),
        ],
        "outputs": [
            {"name": name, "axes": axes, "channels": len(ports.channels), "pixels_per_position": list(ones)}
            for name in ports.outputs
        ],
        "sizes": {"axes": ports.axes, "min": list(ports.least), "step": list(ports.step)},
        "halo": None if ports.halo is None else list(ports.halo),
        "statistics": attrs.asdict(ports.statistics),
        "before": before(bundle),
        "calibration": None if bundle.calibration is None else attrs.asdict(bundle.calibration),
        "agreement": attrs.asdict(agreement),
        "training": {
            "model": unstructure(bundle.spec)["model"],
            "components": [list(one) for one in bundle.components],
            "steps": bundle.best_step,
            "data_fingerprint": bundle.data_fingerprint,
            "versions": dict(bundle.versions),
        },
    }


def as_text(details: Details) -> str:
    """The details as JSON."""
    return json.dumps(details, allow_nan=False)


def before(bundle: Bundle) -> dict[str, Any]:
    """What is done to an image before it goes in; values outside of the bounds are cut off in the file."""
    background, fitted = bundle.spec.data.background, bundle.mixed_range
    subtracted = background.quantile > 0 and fitted is not None
    return {
        "subtract": {"quantile": background.quantile, "plus": fitted.background_shift}
        if subtracted and fitted is not None
        else None,
        "bounds": [limit if math.isfinite(limit) else None for limit in bundle.mixed_bounds],
    }
