"""Fit the calibrator of sums over regions of a run on its held-out fields."""

import logging
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.regions import Regions
from denoisplit.core.errors import CalibrationError
from denoisplit.core.images.bases import Field
from denoisplit.core.network.interfaces import Calibration, FieldSums, RegionCalibrator
from denoisplit.core.spec.records import Chosen, ResolvedSpec
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
    sums: tuple[tuple[Regions, npt.NDArray[np.float64]], ...]
    errors: NoisyErrors | RepeatedErrors | None

    def field_sums(self) -> tuple[FieldSums, ...]:
        """Sums of every size with their truth or their squared errors."""
        return tuple(self._of(regions, sums) for regions, sums in self.sums)

    def _of(self, regions: Regions, sums: npt.NDArray[np.float64]) -> FieldSums:
        return FieldSums(
            pixels=int(regions.pixels[0]),
            mean=sums.mean(axis=0),
            std=sums.std(axis=0, ddof=1),
            truth=None if self.errors else regions.sums(np.asarray(self.field.clean)),
            squares=self.errors.sum_squares(regions.sums) if self.errors else None,
        )


def origin_of(held: Sequence[HeldOut]) -> str:
    """What held-out fields are calibrated against."""
    if all(one.errors is None for one in held):
        return "clean references"
    return "repeats" if all(isinstance(one.errors, RepeatedErrors) for one in held) else "noisy targets"


def finished(found: Calibration, by: Chosen | None, held: Sequence[HeldOut]) -> Calibration:
    """A calibration with what its calibrator need not know: its own name, and what it was fitted to."""
    own = by.component.qualified if by is not None else ""
    return attrs.evolve(found, component=found.component or own, origin=origin_of(held))


def fit_sums(calibrator: RegionCalibrator, held: Sequence[HeldOut], spec: ResolvedSpec) -> Calibration | None:
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


def _tell(calibrator: RegionCalibrator, calibration: Calibration, side: int, names: Sequence[str]) -> None:
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
