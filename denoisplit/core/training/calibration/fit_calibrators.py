"""Fit of a run's calibrators, of pixels and of sums over regions, to its held-out fields."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.scores import EvaluatedField
from denoisplit.core.assessment.worth import USUAL_MEASURE, measured_gains, sentence
from denoisplit.core.errors import CalibrationError, ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.mixing import Mixing, mixed_image
from denoisplit.core.images.noise_correlation import STRONG, neighbour_correlation
from denoisplit.core.network.calibrating import fit_fields, gives_std, most_seen
from denoisplit.core.network.interfaces import AnyCalibrator, Calibration, SumCalibrator
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import Posterior, predict
from denoisplit.core.prediction.progress import Progress, part_of
from denoisplit.core.prediction.samples.summaries import Summary
from denoisplit.core.prediction.samples.sums_over import SumsOver
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.sums.divisions import block_division
from denoisplit.core.sums.tile_sums import gathered_sums
from denoisplit.core.training.calibration.calibrate_sums import HeldOut, finished, fit_sums
from denoisplit.core.training.calibration.calibration_fields import with_seen
from denoisplit.core.training.calibration.noisy_errors import (
    NoisyErrors,
    RepeatedErrors,
    errors_from_observed,
)

_LOG = logging.getLogger("denoisplit.training")

MIN_SAMPLES = 2

PROBE_SAMPLES: Final = 10
"""Largest number of posterior samples for a probe of the slope, whose average over pixels needs no more."""

_TOLD: Final = 0.15
"""Correlation of neighbours in residuals, which hold fine structure that was missed, too, that is logged."""

_SHOWN: Final = 8
"""Largest number of values of a parameter in the log."""


@attrs.frozen
class Calibrations:
    """Calibrations from held-out fields.

    Attributes:
        pixels: calibration of the std of pixels.
        regions: calibration of the std of sums.
        gains: gain of each channel over the baselines without a network, dB; empty without clean references.
    """

    pixels: Calibration | None
    regions: Calibration | None
    gains: Mapping[str, float] = attrs.field(factory=dict)


def calibrate_run(
    vse: VSE,
    spec: ResolvedSpec,
    fields: Sequence[Field],
    progress: Progress | None = None,
    *,
    seen: Sequence[Field] = (),
) -> Calibrations:
    """Calibrate on held-out fields; a calibration that is not possible is None, with the reason in the log.

    Fields with a clean reference are used if there are any. If not, the squared errors are estimated from
    noisy images: from repeats, or from the noisy targets (``noisy_errors``). ``progress`` counts predicted
    samples. Of the training fields ``seen``, calibrators that take them get some with a clean reference.
    """
    regions: SumCalibrator | None = None
    if spec.region_calibrator is not None:
        regions = spec.region_calibrator.build()
    try:
        _require_spread(spec.prediction.samples)
        chosen = with_seen(fields, seen, most_seen([spec.calibrator.build(), *filter(None, [regions])]))
        held = _held_out(vse, spec, chosen, () if regions is None else regions.sides, progress)
    except CalibrationError as error:
        _tell_none(error)
        return Calibrations(None, None)
    return Calibrations(
        pixels=_of_pixels(spec, held),
        regions=None if regions is None else fit_sums(regions, held, spec),
        gains=_gains(spec, held),
    )


def _gains(spec: ResolvedSpec, held: Sequence[HeldOut]) -> dict[str, float]:
    """Measure and log the gains of the network, if there are clean references."""
    mixing = spec.data.mixing
    try:
        fields = [
            EvaluatedField(
                name=one.field.name,
                mixed=np.asarray(mixed_image(one.field, mixing)),
                truth=np.asarray(one.field.clean),
                mean=one.mean,
            )
            for one in held
            if one.field.clean is not None and not one.seen
        ]
        found = measured_gains(fields, spec.channels, mixing) if fields else {}
    except ImageError as error:
        _LOG.warning("the network was not compared with a blurred mixed image: %s", error)
        return {}
    if found:
        _LOG.log(
            logging.WARNING if min(found.values()) < 0 else logging.INFO, "%s", sentence(found, USUAL_MEASURE)
        )
    return found


def _require_spread(samples: int) -> None:
    if samples < MIN_SAMPLES:
        raise CalibrationError(
            f"a single sample has no spread (got prediction.samples {samples}). Use 2 or more."
        )


def _held_out(
    vse: VSE,
    spec: ResolvedSpec,
    chosen: Sequence[tuple[Field, bool]],
    sides: Sequence[int],
    progress: Progress | None,
) -> tuple[HeldOut, ...]:
    """Predict fields, each with whether the network was trained on it.

    Raises:
        CalibrationError: noise that is not known well enough.
    """
    held = []
    samples, trained = spec.prediction.samples, sum(known for _, known in chosen)
    _LOG.info(
        "calibrating: %d samples of each of %d held-out fields%s",
        samples,
        len(chosen) - trained,
        f", and of training fields, which tell how fields differ: {trained}" if trained else "",
    )
    for number, (field, known) in enumerate(chosen):
        blocks = [block_division(field.observed.shape[1:], side) for side in sides]
        divisions = [found for found in blocks if found is not None]
        part = None if progress is None else part_of(progress, number, len(chosen))
        found = predicted(vse, spec, field, [SumsOver([divisions])], part)
        mean, std = found.mean, np.asarray(found.std)
        errors = None
        if field.clean is None:
            rng = np.random.default_rng((spec.prediction.seed, number))
            errors = noisy_errors(vse, spec, field, mean, rng)
        sums = tuple(zip(divisions, gathered_sums(divisions, found.facts), strict=True))
        held.append(HeldOut(field=field, mean=mean, std=std, sums=sums, errors=errors, seen=known))
    return tuple(held)


def _of_pixels(spec: ResolvedSpec, known: Sequence[HeldOut]) -> Calibration | None:
    calibrator: AnyCalibrator = spec.calibrator.build()
    held = [one for one in known if not one.seen]
    try:
        _tell_constant([one.std for one in held], spec.channels)
        found = fit_fields(calibrator, [one.field_pixels() for one in known])
    except CalibrationError as error:
        _tell_none(error)
        return None
    calibration = finished(found, spec.calibrator, held)
    if not gives_std(calibrator):
        _LOG.info(
            "%s gives intervals only: predictions have no calibrated std; ask them for "
            "calibrated_interval=LEVEL",
            calibration.component,
        )
    _LOG.info("calibrated on %d held-out fields (%s): %s", len(held), calibration.origin, _shown(calibration))
    if len(held) == 1:
        _LOG.warning(
            "calibrated on a single field: nothing tells how much the errors differ from field to field. "
            "Hold out two fields or more (data.validation, data.validation_fraction)"
        )
    return calibration


def _tell_none(error: CalibrationError) -> None:
    _LOG.warning(
        "no calibration: %s. Predictions will have a mean and a std, but no calibrated std",
        str(error).removeprefix("calibration: ").rstrip("."),
    )


def predicted(
    vse: VSE,
    spec: ResolvedSpec,
    field: Field,
    summaries: Sequence[Summary] = (),
    progress: Progress | None = None,
) -> Posterior:
    """Predict the posterior of the mixed image of a field, counts."""
    mixed = mixed_image(field, spec.data.mixing)[0]
    return predict(vse, mixed, spec.prediction, summaries=summaries, progress=progress)


def noisy_errors(
    vse: VSE, spec: ResolvedSpec, field: Field, mean: AnyArray, rng: np.random.Generator
) -> NoisyErrors | RepeatedErrors:
    """Estimate errors of the predicted ``mean`` of a field, and of sums over it, from noisy images.

    Raises:
        CalibrationError: the noise is not known well enough.
    """
    observed = np.asarray(field.observed)
    if field.repeats is not None:
        return RepeatedErrors(mean=mean, observed=observed, repeats=np.asarray(field.repeats))
    mixed = mixed_image(field, spec.data.mixing)[0]
    share = _share(field, spec.data.mixing)
    samples = min(spec.prediction.samples, PROBE_SAMPLES)
    few = attrs.evolve(spec.prediction, samples=samples)
    require_independent(field, mean)
    return errors_from_observed(
        observed,
        mixed,
        mean,
        lambda image: predict(vse, image, few).mean,
        share=share,
        rng=rng,
    )


def require_independent(field: Field, mean: AnyArray) -> None:
    """Refuse noise that is correlated between neighbours, whose differences measure its variance.

    It is measured in the residual, which has no fine structures, and in the image itself, which has no
    pattern that the network may leave in its predictions. Correlated noise shows in both.

    Args:
        field: a held-out field.
        mean: its prediction [c (z) y x], counts.

    Raises:
        CalibrationError: the correlation is strong; a weaker one is logged.
    """
    for observed, predicted in zip(field.observed, mean, strict=True):
        both = [neighbour_correlation(image) for image in (observed - predicted, np.asarray(observed))]
        measured = [one for one in both if one is not None]
        if not measured:
            continue
        found = min(measured, key=lambda one: abs(one.largest))
        if found.exceeds(STRONG):
            raise CalibrationError(
                f"the noise of neighbouring pixels of field {field.name} is correlated (got "
                f"{found.largest:.2f}), and its variance cannot be measured. "
                f"Give clean images or repeats of held-out fields."
            )
        if found.exceeds(_TOLD):
            _LOG.warning(
                "calibration: the noise of neighbouring pixels of field %s is correlated (%.2f), so that the "
                "calibrated std will be too %s",
                field.name,
                found.largest,
                "large" if found.largest > 0 else "small",
            )


def _share(field: Field, mixing: Mixing) -> float:
    """Weight of a channel's noise in the mixed image."""
    if field.mixed is not None:
        return 0.0
    if field.mixed_source is not None:
        raise CalibrationError(
            f"the noise of the mixed image of field {field.name} is only in part that of its channels. "
            f"Give clean images or repeats of held-out fields."
        )
    return 1 / len(field.observed) if mixing.mode == "mean" else 1.0


def _tell_constant(stds: Sequence[AnyArray], channels: tuple[str, ...]) -> None:
    for channel, name in enumerate(channels):
        rows = [std[channel] for std in stds]
        lowest = min(row.min() for row in rows)
        if lowest == max(row.max() for row in rows):
            _LOG.warning(
                "the std of %s is %.4g everywhere: it does not tell where the errors are, and calibration "
                "can only give it the right size",
                name,
                lowest,
            )


def _shown(calibration: Calibration) -> str:
    """Format the numbers of a calibration; of long lists, only their length."""
    return ", ".join(
        f"{name} {[float(f'{n:.5g}') for n in numbers]}"
        if len(numbers) <= _SHOWN
        else f"{name} ({len(numbers)} numbers)"
        for name, numbers in calibration.parameters.items()
    )
