"""Calibrator: intervals of sums over regions, by their size."""

from typing import final

import attrs

from denoisplit.core.arrays import FloatArray
from denoisplit.core.network.interfaces import Calibration
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.region_fit import Together
from denoisplit.plugins.calibrators.region_sizes import SizeCalibrator, SizeOptions
from denoisplit.plugins.calibrators.scale import Scale


@final
class Region(SizeCalibrator):
    r"""Widens the spread of sums over regions to their real error, for every channel and size.

    Errors of neighbouring pixels are correlated over longer distances than the samples show: the larger a
    region, the larger the error of its sum in stds of the sums of the samples. For square blocks of each of
    the ``sides``, half-widths are those of ``conformal``; where only squared errors are known, there is one
    factor, that of ``scale``, and intervals are Gaussian. Between the sides, the logarithm is interpolated
    along that of the side :math:`\sqrt{n}` of a region of n pixels. Other sizes, and sides with too few
    blocks, have no calibration.

    Blocks of a field resemble each other, so that the guarantee of ``conformal`` does not apply. Left-out
    fields decide: with the numbers of all other fields, the 90 % interval has to cover 85 to 95 % of their
    blocks. Where it does, the calibration *holds*. For squared errors, the coverage of a Gaussian counts.

    Source: Lei et al., JASA 2018; decision 13.
    """

    @attrs.frozen(kw_only=True)
    class Options(SizeOptions):
        """Calibrated sizes."""

    options: Options
    one_size = Together()

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit the half-widths of pixels, those of ``conformal``, to arrays [n c (z) y x] in counts."""
        return self.for_pixels(Conformal(Conformal.Options()).fit(mean, std, truth))

    def fit_squares(self, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit the factor of pixels, that of ``scale``, to estimates of their squared errors [n c (z) y x]."""
        return self.for_pixels(Scale(Scale.Options()).fit_squares(std, squares))

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std of pixels, same shape and dtype as ``std`` [n c (z) y x]."""
        calibrator, of_pixels = self.of_pixels(calibration, std.shape)
        return calibrator.apply(of_pixels, std)

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the interval that covers a pixel with probability ``level``."""
        calibrator, of_pixels = self.of_pixels(calibration, std.shape)
        return calibrator.interval(of_pixels, mean, std, level)
