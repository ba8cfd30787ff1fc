"""Sums over regions of samples that are all there, and a calibration of sums that knows some sizes."""

from collections.abc import Sequence

from denoisplit.core.arrays import AnyArray, Float64Array, FloatArray, Window
from denoisplit.core.network.interfaces import Calibration, FieldSums, SumCalibrator, SumInterval
from denoisplit.core.sums.divisions import Division
from denoisplit.core.sums.sum_intervals import SumIntervals
from denoisplit.core.sums.tile_sums import TileSummer, gathered_sums


class Double(SumCalibrator):
    """Knows some numbers of pixels, its options: twice the spread, and half a unit more for every channel."""

    sides = (1,)

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        raise NotImplementedError

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        raise NotImplementedError

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        raise NotImplementedError

    def fit_regions(self, fields: Sequence[Sequence[FieldSums]]) -> Calibration:
        raise NotImplementedError

    def sum_interval(
        self, calibration: Calibration, *, channel: int, pixels: int, level: float
    ) -> SumInterval:
        if pixels not in self.options:
            return SumInterval(note=f"Not {pixels}.")
        return SumInterval(std=2.0 + channel / 2, half_width=4.0 * level, holds=True)


def known(*pixels: int, fitted: int = 2) -> SumIntervals:
    """The calibration of a run, fitted to so many samples, that knows regions of so many pixels."""
    return SumIntervals(Double(pixels), Calibration("lab/double"), samples=fitted)


def sums_of_samples(
    divisions: Sequence[Division], samples: AnyArray, places: Sequence[Window] = ()
) -> tuple[Float64Array, ...]:
    """As a prediction gathers them, of samples [s c (z) y x], in tiles at ``places``; in one by default."""
    whole = tuple(slice(0, side) for side in samples.shape[2:])
    tiles = []
    for where in places or (whole,):
        summer = TileSummer(divisions, where)
        for sample in samples:
            summer.add(sample[:, *where])
        tiles.append(summer.finish())
    return gathered_sums(divisions, tiles)
