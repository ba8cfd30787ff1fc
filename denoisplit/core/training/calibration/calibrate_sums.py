"""Fit of a run's calibrator of sums over regions to its held-out fields."""

import logging
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.errors import CalibrationError
from denoisplit.core.images.bases import Field
from denoisplit.core.network.interfaces import Calibration, FieldCalibrator, FieldSums, SumCalibrator
from denoisplit.core.spec.records import Chosen, ResolvedSpec
from denoisplit.core.sums.divisions import Division
from denoisplit.core.training.calibration.noisy_errors import NoisyErrors, RepeatedErrors

_LOG = logging.getLogger("denoisplit.training")

LEVEL: Final = 0.9
"""Level of the intervals in the log."""

FEW_FIELDS: Final = 5
"""Below this number, held-out fields hardly represent other fields."""


@attrs.frozen(kw_only=True, eq=False)
class HeldOut:
    """A held-out field, or one of the training, with its prediction and its errors.

    Attributes:
        field: the field, with its clean reference if it has one.
        mean, std: mean and std of the posterior [c (z) y x], counts.
        sums: blocks of every size, and the sums of the samples over them [s c regions], counts.
        errors: errors estimated from noisy images; None with a clean reference.
        seen: whether the network was trained on the field.
    """

    field: Field
    mean: AnyArray
    std: AnyArray
    sums: tuple[tuple[Division, Float64Array], ...]
    errors: NoisyErrors | RepeatedErrors | None
    seen: bool = False

    def field_pixels(self) -> FieldSums:
        """Return the pixels, with their truth or their squared errors."""
        return FieldSums(
            pixels=1,
            mean=_flat(self.mean),
            std=_flat(self.std),
            truth=None if self.errors else _flat(np.asarray(self.field.clean)),
            squares=_flat(self.errors.squares()) if self.errors else None,
            seen=self.seen,
        )

    def field_sums(self) -> tuple[FieldSums, ...]:
        """Return the sums of every size, with their truth or their squared errors."""
        return tuple(
            FieldSums(
                pixels=int(division.pixels[0]),
                mean=sums.mean(axis=0),
                std=sums.std(axis=0, ddof=1),
                truth=None if self.errors else division.sums(np.asarray(self.field.clean)),
                squares=self.errors.sum_squares(division.sums) if self.errors else None,
                seen=self.seen,
            )
            for division, sums in self.sums
        )


def _flat(image: AnyArray) -> AnyArray:
    """Pixels of an image [c (z) y x] in a row [c pixels]."""
    return image.reshape(len(image), -1)


def finished(found: Calibration, by: Chosen | None, held: Sequence[HeldOut]) -> Calibration:
    """Complete a calibration by the name of its calibrator and the source of its errors."""
    own, origin = by.component.qualified if by is not None else "", "noisy targets"
    if all(one.errors is None for one in held):
        origin = "clean references"
    elif all(isinstance(one.errors, RepeatedErrors) for one in held):
        origin = "repeats"
    return attrs.evolve(found, component=found.component or own, origin=origin)


def fit_sums(calibrator: SumCalibrator, known: Sequence[HeldOut], spec: ResolvedSpec) -> Calibration | None:
    """Fit the calibration of sums; if none is possible, log the reason and return None.

    Training fields count only for a calibrator that looks at fields one by one.

    The log tells for each size whether it holds, and if not, why.
    """
    held = [one for one in known if not one.seen]
    fields = known if isinstance(calibrator, FieldCalibrator) else held
    try:
        found = calibrator.fit_regions([one.field_sums() for one in fields])
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
    """Log the interval for blocks of a size, in stds of the sums of the samples, or why there is none."""
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
