"""Calibration of pixels alone."""

from collections.abc import Sequence

import attrs

from denoisplit.core.images.bases import Field
from denoisplit.core.network.interfaces import Calibration
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.training.calibration.fit_calibrators import calibrate_run


def calibrate(vse: VSE, spec: ResolvedSpec, fields: Sequence[Field]) -> Calibration | None:
    """Calibrate a network without a calibrator of sums."""
    return calibrate_run(vse, attrs.evolve(spec, region_calibrator=None), fields).pixels
