"""Calibrator: one factor per channel."""

from statistics import NormalDist

import attrs
import numpy as np

from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration, Calibrator, FloatArray


class Scale(Calibrator):
    r"""Multiplies the predicted std of every channel by one factor, the maximum-likelihood one.

    .. math:: f_c = \sqrt{\operatorname{mean}\bigl((x - \mu)^2 / \sigma^2\bigr)}

    over all pixels x of the clean truth, with posterior mean and std; intervals are Gaussian.

    Source: Laves et al., MIDL 2020; Ashesh & Jug, ECCV 2024; method section 9.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """The calibrator has no options."""

    component = "denoisplit/scale"

    def __init__(self, options: Options) -> None:
        self.options = options

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Factor per channel from arrays [n c (z) y x] in counts; ``{"factor": [one per channel]}``.

        Raises:
            CalibrationError: other shapes, non-finite numbers, std not above zero, or truth equal to mean.
        """
        if mean.ndim < 3 or not mean.size or not mean.shape == std.shape == truth.shape:
            raise CalibrationError(
                f"calibration: mean, std and truth must be [n c (z) y x] of one shape (got {mean.shape}, "
                f"{std.shape}, {truth.shape}). Predict the very fields whose truth is given."
            )
        for name, array in (("mean", mean), ("std", std), ("truth", truth)):
            wrong = int(array.size - np.isfinite(array).sum())
            if wrong:
                raise CalibrationError(
                    f"calibration: the {name} is not finite at {wrong} of {array.size} pixels. "
                    f"Predict with two samples or more, from images without NaN."
                )
        if not (std > 0).all():
            raise CalibrationError(
                f"calibration: the predicted std is not above zero at {int((std <= 0).sum())} of "
                f"{std.size} pixels. Predict with more samples, and with a decoder that has latents."
            )
        score = ((truth.astype(np.float64) - mean) / std.astype(np.float64)) ** 2
        factor = np.sqrt(score.mean(axis=(0, *range(2, score.ndim))))
        if not (np.isfinite(factor) & (factor > 0)).all():
            raise CalibrationError(
                f"calibration: no factor fits these errors (got {factor.tolist()}). The truth must differ "
                f"from the "
                f"prediction and the std must not vanish: give the clean images of held-out fields."
            )
        return Calibration(self.component, {"factor": tuple(float(f) for f in factor)})

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape and dtype as ``std`` [n c (z) y x].

        Raises:
            CalibrationError: written by another calibrator, or for another number of channels.
        """
        factor = calibration.parameters.get("factor", ())
        if calibration.component != self.component or std.ndim < 3 or len(factor) != std.shape[1]:
            raise CalibrationError(
                f"calibration: {calibration.component} with {len(factor)} factors does not fit a std of "
                f"shape {std.shape} [n c (z) y x]. Calibrate the run again."
            )
        shaped = np.asarray(factor, dtype=std.dtype).reshape(1, -1, *[1] * (std.ndim - 2))
        calibrated: FloatArray = std * shaped
        return calibrated

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the central Gaussian interval of probability ``level`` (in 0 to 1).

        Raises:
            CalibrationError: as ``apply``, or a ``level`` out of range.
        """
        if not 0 < level < 1:
            raise CalibrationError(
                f"calibration: the level must be between 0 and 1 (got {level}). Use 0.9 for 90 %."
            )
        half = NormalDist().inv_cdf((1 + level) / 2) * self.apply(calibration, std)
        return mean - half, mean + half
