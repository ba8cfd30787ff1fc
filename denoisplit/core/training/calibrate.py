"""Fit the calibrator of a run on its held-out fields."""

import logging
from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.errors import CalibrationError
from denoisplit.core.images.interfaces import Field
from denoisplit.core.images.mixing import Mixing, mixed_image
from denoisplit.core.inference.posterior import Posterior, predict
from denoisplit.core.network.interfaces import Calibration, Calibrator
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.training.noisy_errors import squares_from_observed, squares_from_repeats

_LOG = logging.getLogger("denoisplit.training")

MIN_SAMPLES = 2

PROBE_SAMPLES: Final = 10
"""Posterior samples of a probe of the slope, at most: its average over pixels needs no more."""

_SHOWN: Final = 8
"""Numbers of a parameter that the log shows."""

AnyArray = npt.NDArray[Any]


@attrs.frozen
class _Predicted:
    """What was predicted of a field, and its truth or squared errors; [c (z) y x] each."""

    mean: AnyArray
    std: AnyArray
    reference: AnyArray


def calibrate(vse: VSE, spec: ResolvedSpec, fields: Sequence[Field]) -> Calibration | None:
    """Calibration on held-out fields; None, and a reason logged, where none can be had.

    Fields with a clean reference are used if there are any. If not, the squared errors are estimated from
    noisy images: from repeats, or from the noisy targets (``noisy_errors``).
    """
    known = [field for field in fields if field.clean is not None]
    try:
        _require_spread(spec.prediction.samples)
        calibration = _from_clean(vse, spec, known) if known else _from_noisy(vse, spec, fields)
    except CalibrationError as error:
        _LOG.warning(
            "no calibration: %s. Predictions will have a mean and a std, but no calibrated std",
            str(error).removeprefix("calibration: ").rstrip("."),
        )
        return None
    used = len(known or fields)
    _LOG.info("calibrated on %d held-out fields (%s): %s", used, calibration.origin, _shown(calibration))
    if used == 1:
        _LOG.warning(
            "calibrated on a single field: nothing tells how much the errors differ from field to field. "
            "Hold out two fields or more (data.validation, data.validation_fraction)"
        )
    return calibration


def _require_spread(samples: int) -> None:
    if samples < MIN_SAMPLES:
        raise CalibrationError(
            f"a single sample has no spread (got prediction.samples {samples}). Use 2 or more."
        )


def _from_clean(vse: VSE, spec: ResolvedSpec, fields: Sequence[Field]) -> Calibration:
    predicted = [
        _Predicted(*predicted_moments(vse, spec, field), np.asarray(field.clean)) for field in fields
    ]
    mean, std, truth = _rows(predicted)
    _tell_constant(std, spec.channels)
    return _calibrator(spec).fit(mean, std, truth)


def _from_noisy(vse: VSE, spec: ResolvedSpec, fields: Sequence[Field]) -> Calibration:
    if not fields:
        raise CalibrationError("no field was held out. Hold out at least one.")
    predicted = []
    for number, field in enumerate(fields):
        mean, std = predicted_moments(vse, spec, field)
        rng = np.random.default_rng((spec.prediction.seed, number))
        predicted.append(_Predicted(mean, std, estimated_squares(vse, spec, field, mean, rng)))
    _, std, squares = _rows(predicted)
    _tell_constant(std, spec.channels)
    repeats = all(field.repeats is not None for field in fields)
    return attrs.evolve(
        _calibrator(spec).fit_squares(std, squares), origin="repeats" if repeats else "noisy targets"
    )


def predicted_moments(vse: VSE, spec: ResolvedSpec, field: Field) -> tuple[AnyArray, AnyArray]:
    """Posterior mean and std [c (z) y x] of the mixed image of a field, counts."""
    posterior = _posterior(vse, spec, mixed_image(field, spec.data.mixing)[0])
    return posterior.mean, np.asarray(posterior.std)


def _posterior(vse: VSE, spec: ResolvedSpec, mixed: AnyArray) -> Posterior:
    how = spec.prediction
    return predict(vse, mixed, samples=how.samples, seed=how.seed, tile=how.tile)


def estimated_squares(
    vse: VSE, spec: ResolvedSpec, field: Field, mean: AnyArray, rng: np.random.Generator
) -> AnyArray:
    """Squared errors [c (z) y x] of the predicted ``mean`` of a field, from its noisy images, counts squared.

    Raises:
        CalibrationError: its noise is not known well enough.
    """
    if field.repeats is not None:
        return squares_from_repeats(mean, field.observed, field.repeats)
    mixed = mixed_image(field, spec.data.mixing)[0]
    share = _share(field, spec.data.mixing)
    samples = min(spec.prediction.samples, PROBE_SAMPLES)
    few = attrs.evolve(spec, prediction=attrs.evolve(spec.prediction, samples=samples))
    return squares_from_observed(
        field.observed, mixed, mean, lambda image: _posterior(vse, few, image).mean, share=share, rng=rng
    )


def _share(field: Field, mixing: Mixing) -> float:
    """Weight in the mixed image of the noise of a channel."""
    if field.mixed is not None:
        return 0.0
    if field.mixed_source is not None:
        raise CalibrationError(
            f"the noise of the mixed image of field {field.name} is only in part that of its channels. "
            f"Give clean images or repeats of held-out fields."
        )
    return 1 / len(field.observed) if mixing.mode == "mean" else 1.0


def _rows(predicted: Sequence[_Predicted]) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Mean, std and reference of all fields [1 c pixels].

    Fields may differ in size; one long row of pixels per channel is all that a calibrator looks at.
    """
    parts = [(p.mean, p.std, p.reference) for p in predicted]
    mean, std, reference = (
        np.concatenate([array.reshape(1, len(array), -1) for array in arrays], axis=2)
        for arrays in zip(*parts, strict=True)
    )
    return mean, std, reference


def _tell_constant(std: AnyArray, channels: tuple[str, ...]) -> None:
    for name, row in zip(channels, std[0], strict=True):
        if row.min() == row.max():
            _LOG.warning(
                "the std of %s is %.4g everywhere: it does not tell where the errors are, and calibration "
                "can only give it the right size",
                name,
                row.min(),
            )


def _calibrator(spec: ResolvedSpec) -> Calibrator:
    calibrator: Calibrator = spec.calibrator.build()
    return calibrator


def _shown(calibration: Calibration) -> str:
    """The numbers of a calibration, or how many there are."""
    return ", ".join(
        f"{name} {[float(f'{n:.5g}') for n in numbers]}"
        if len(numbers) <= _SHOWN
        else f"{name} ({len(numbers)} numbers)"
        for name, numbers in calibration.parameters.items()
    )
