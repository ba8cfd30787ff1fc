"""Fit the calibrator of sums over regions of a run on its held-out fields."""

import logging
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.errors import CalibrationError
from denoisplit.core.images.bases import Field
from denoisplit.core.network.interfaces import Calibration, FieldSums, SumCalibrator
from denoisplit.core.spec.records import Chosen, ResolvedSpec
from denoisplit.core.sums.divisions import Division
from denoisplit.core.training.noisy_errors import NoisyErrors, RepeatedErrors

_LOG = logging.getLogger("denoisplit.training")

LEVEL: Final = 0.9
"""Of the interval that the log tells about."""

FEW_FIELDS: Final = 5
"""Below this number, held-out fields hardly represent others."""


@attrs.frozen(kw_only=True, eq=False)
class HeldOut:
    """What was predicted of a held-out field, and what its errors follow from.

    Attributes:
        field: with its clean reference, if it has one.
        mean, std: of the posterior [c (z) y x], counts.
        sums: blocks of every size, and the sums of the samples over them [s c regions], counts.
        errors: of noisy images; None with a clean reference.
    """

    field: Field
    mean: AnyArray
    std: AnyArray
    sums: tuple[tuple[Division, Float64Array], ...]
    errors: NoisyErrors | RepeatedErrors | None

    def field_sums(self) -> tuple[FieldSums, ...]:
        """Sums of every size with their truth or their squared errors."""
        return tuple(
            FieldSums(
                pixels=int(division.pixels[0]),
                mean=sums.mean(axis=0),
                std=sums.std(axis=0, ddof=1),
                truth=None if self.errors else division.sums(np.asarray(self.field.clean)),
                squares=self.errors.sum_squares(division.sums) if self.errors else None,
            )
            for division, sums in self.sums
        )


def finished(found: Calibration, by: Chosen | None, held: Sequence[HeldOut]) -> Calibration:
    """A calibration with what its calibrator need not know: its own name, and what it was fitted to."""
    own, origin = by.component.qualified if by is not None else "", "noisy targets"
    if all(one.errors is None for one in held):
        origin = "clean references"
    elif all(isinstance(one.errors, RepeatedErrors) for one in held):
        origin = "repeats"
    return attrs.evolve(found, component=found.component or own, origin=origin)


def fit_sums(calibrator: SumCalibrator, held: Sequence[HeldOut], spec: ResolvedSpec) -> Calibration | None:
    """Calibration of sums; None, and a reason logged, where none can be had.

    The log says at which sizes it holds, and where it does not, why.
    """
    try:
        found = calibrator.fit_regions([one.field_sums() for one in held])
    except CalibrationError as error:
        reason = str(error).removeprefix("calibration: ").rstrip(".")
        _LOG.warning("no intervals of sums over regions: %s", reason)
        return None
    calibration = finished(found, spec.region_calibrator, held)
    _LOG.info("sums over regions: calibrated on %d held-out fields (%s)", len(held), calibration.origin)
    if 1 < len(held) < FEW_FIELDS:
        _LOG.warning(
            "sums over regions: checked on %d fields only, so intervals of other fields may hold several per "
            "cent less often. Hold out %d or more (data.validation, data.validation_fraction)",
            len(held),
            FEW_FIELDS,
        )
    for side in calibrator.sides:
        _tell(calibrator, calibration, side, spec.channels)
    return calibration


def _tell(calibrator: SumCalibrator, calibration: Calibration, side: int, names: Sequence[str]) -> None:
    """What holds for blocks of a size: how many times as wide as the samples spread they are, or why not."""
    found = {
        name: calibrator.sum_interval(calibration, channel=channel, pixels=side**2, level=LEVEL)
        for channel, name in enumerate(names)
    }
    wide = ", ".join(
        f"{one.half_width:.3g} ({name})" for name, one in found.items() if one.half_width is not None
    )
    if wide:
        _LOG.info(
            "sums over %d x %d px: %d %% lie within %s stds of the samples", side, side, 100 * LEVEL, wide
        )
    notes: dict[str, list[str]] = {}
    for name, one in found.items():
        if not one.holds:
            notes.setdefault(one.note, []).append(name)
    for note, affected in notes.items():
        _LOG.warning("sums over %d x %d px (%s): %s", side, side, ", ".join(affected), note.rstrip("."))
