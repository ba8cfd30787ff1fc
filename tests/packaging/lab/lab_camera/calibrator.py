"""Calibrator: a factor per channel and band of the predicted mean."""

from statistics import NormalDist

import attrs
import numpy as np
from attrs.validators import ge

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration, MeanCalibrator


class Bands(MeanCalibrator):
    """Pixels of a channel, sorted by their mean into bands of as many pixels each, have a factor per band."""

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the calibrator.

        Attributes:
            bands: how many; fewer where there are under 400 pixels for each.
        """

        bands: int = attrs.field(default=3, validator=ge(2))

    options: Options

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """From the truth."""
        if mean.shape != truth.shape:
            raise CalibrationError(
                f"calibration: mean and truth differ in shape (got {mean.shape}, {truth.shape}). "
                f"Predict the fields of the truth."
            )
        return self.fit_squares(mean, std, (truth.astype(np.float64) - mean) ** 2)

    def fit_squares(self, mean: FloatArray, std: FloatArray, squares: FloatArray) -> Calibration:
        """From estimates of the squared errors."""
        usable = np.isfinite(mean) & np.isfinite(squares) & np.isfinite(std) & (std > 0)
        if not usable.all():
            raise CalibrationError(
                f"calibration: mean, std or error cannot be used at {int((~usable).sum())} of {usable.size} "
                f"pixels (got values that are not finite, or no std). Predict more samples."
            )
        score = squares / std.astype(np.float64) ** 2
        count = max(1, min(self.options.bands, mean[:, 0].size // 400))
        parameters = {}
        for channel in range(mean.shape[1]):
            seen, own = mean[:, channel].astype(np.float64).ravel(), score[:, channel].ravel()
            order = np.array_split(np.argsort(seen, kind="stable"), count)
            factors = np.array([own[band].mean() for band in order])
            if not (factors > 0).all():
                raise CalibrationError(
                    f"calibration: no factor fits a band of channel {channel} (got mean squared scores "
                    f"{factors.tolist()}). Use fewer bands, or hold out more fields."
                )
            parameters[f"from_{channel}"] = [float(seen[band[0]]) for band in order]
            parameters[f"factor_{channel}"] = np.sqrt(factors).tolist()
        return Calibration(parameters=parameters)

    def apply(self, calibration: Calibration, mean: FloatArray, std: FloatArray) -> FloatArray:
        """Calibrated std."""
        if len(calibration.parameters) != 2 * std.shape[1]:
            raise CalibrationError(
                f"calibration: not one of {std.shape[1]} channels (got {len(calibration.parameters)} lists). "
                f"Calibrate the run again."
            )
        calibrated = np.empty_like(std)
        for channel in range(std.shape[1]):
            lower, factor = (np.asarray(calibration.parameters[f"{n}_{channel}"]) for n in ("from", "factor"))
            band = np.searchsorted(lower, mean[:, channel].astype(np.float64), side="right") - 1
            calibrated[:, channel] = factor[np.maximum(band, 0)] * std[:, channel]
        return calibrated

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Gaussian interval."""
        half = NormalDist().inv_cdf((1 + level) / 2) * self.apply(calibration, mean, std)
        return mean - half, mean + half
