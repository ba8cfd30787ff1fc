"""Fit the calibrator of a run on its held-out fields."""

import logging
from collections.abc import Sequence

import numpy as np

from denoisplit.core.errors import CalibrationError
from denoisplit.core.images.interfaces import Field
from denoisplit.core.images.mixing import mixed_image
from denoisplit.core.inference.posterior import predict
from denoisplit.core.network.interfaces import Calibration, Calibrator
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import ResolvedSpec

_LOG = logging.getLogger("denoisplit.training")

MIN_SAMPLES = 2


def calibrate(vse: VSE, spec: ResolvedSpec, fields: Sequence[Field]) -> Calibration | None:
    """Calibration against the clean references of held-out fields; None, and a reason logged, without any.

    The targets of ``fields`` carry the same noise as the mixed image. Their residuals correlate with the
    prediction, so they cannot stand in for clean references.
    """
    known = [field for field in fields if field.clean is not None]
    samples = spec.prediction.samples
    if not known or samples < MIN_SAMPLES:
        _LOG.warning(
            "no calibration: %s. Predictions will have a mean and a std, but no calibrated std",
            "no held-out field has a clean reference" if not known else "a single sample has no spread",
        )
        return None
    calibrator: Calibrator = spec.calibrator.component.load()(spec.calibrator.options)
    means, stds, truths = [], [], []
    for field in known:
        mixed = mixed_image(field, spec.data.mixing)[0]
        posterior = predict(vse, mixed, samples=samples, seed=spec.prediction.seed, tile=spec.prediction.tile)
        means.append(posterior.mean.reshape(1, len(spec.channels), -1))
        stds.append(np.asarray(posterior.std).reshape(1, len(spec.channels), -1))
        truths.append(np.asarray(field.clean).reshape(1, len(spec.channels), -1))
    # Fields may differ in size; one long row of pixels per channel is all that a calibrator looks at.
    mean, std, truth = (np.concatenate(parts, axis=2) for parts in (means, stds, truths))
    try:
        calibration = calibrator.fit(mean, std, truth)
    except CalibrationError as error:
        _LOG.warning("no calibration: %s", error)
        return None
    _LOG.info("calibrated on %d held-out fields: %s", len(known), dict(calibration.parameters))
    return calibration
