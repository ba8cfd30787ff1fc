"""Calibrator: intervals of sums over regions, by their size."""

from collections.abc import Sequence
from typing import final

import attrs

from denoisplit.core.arrays import FloatArray
from denoisplit.core.network.interfaces import Calibration, FieldSums, SumCalibrator, SumInterval
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.region_fit import Together
from denoisplit.plugins.calibrators.region_sizes import RegionSizes, SizeOptions
from denoisplit.plugins.calibrators.scale import Scale


@final
class Region(SumCalibrator):
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

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides of the blocks for the fit, pixels, ascending."""
        return self.options.ascending

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit the half-widths of pixels, those of ``conformal``, to arrays [n c (z) y x] in counts.

        Raises:
            CalibrationError: see ``Conformal.fit``.
        """
        return self._sizes.for_pixels(Conformal(Conformal.Options()).fit(mean, std, truth))

    def fit_squares(self, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit the factor of pixels, that of ``scale``, to estimates of their squared errors [n c (z) y x].

        Raises:
            CalibrationError: see ``Scale.fit_squares``.
        """
        return self._sizes.for_pixels(Scale(Scale.Options()).fit_squares(std, squares))

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std of pixels, same shape and dtype as ``std`` [n c (z) y x].

        Raises:
            CalibrationError: no calibration of pixels, or for another number of channels.
        """
        calibrator, of_pixels = self._sizes.of_pixels(calibration, std.shape)
        return calibrator.apply(of_pixels, std)

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the interval that covers a pixel with probability ``level`` (in 0 to 1).

        Raises:
            CalibrationError: see ``apply``; or a ``level`` out of range, or higher than the pixels allow.
        """
        calibrator, of_pixels = self._sizes.of_pixels(calibration, std.shape)
        return calibrator.interval(of_pixels, mean, std, level)

    def fit_regions(self, fields: Sequence[Sequence[FieldSums]]) -> Calibration:
        """Fit half-widths to the blocks of every held-out field, for each size.

        Returns:
            Numbers of every size; see ``RegionSizes.fit``.

        Raises:
            CalibrationError: no field, or no size with enough regions whose errors and spread can be used.
        """
        return self._sizes.fit(fields)

    def sum_interval(
        self, calibration: Calibration, *, channel: int, pixels: int, level: float
    ) -> SumInterval:
        """Interval of the sum of a channel over a region of this many pixels.

        Raises:
            CalibrationError: calibration of another calibrator or for fewer channels; ``level`` out of range.
        """
        return self._sizes.interval(calibration, channel=channel, pixels=pixels, level=level)

    @property
    def _sizes(self) -> RegionSizes:
        return RegionSizes(sides=self.sides, fewest=self.options.fewest, by=Together())
