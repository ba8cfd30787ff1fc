"""Regions of an image, and sums over them from joint posterior samples.

Errors of neighbouring pixels go together. The error of a sum is therefore far larger than the std of the
pixels tells when they are taken as independent, and only samples of whole images know it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from denoisplit.core.arrays import AnyArray, BoolArray, Float64Array
from denoisplit.core.assessment.coverage import LEVELS
from denoisplit.core.assessment.label_arrays import refuse_labels, sums_over
from denoisplit.core.assessment.region_intervals import RegionIntervals
from denoisplit.core.assessment.tile_sums import TileSums
from denoisplit.core.errors import ImageError
from denoisplit.core.images.streamed import blocks

BLOCK_SIDES: Final = (4, 16, 64)
"""Sides of the blocks along y and x, pixels."""
LABELS: Final = "labels"


@attrs.frozen(kw_only=True, eq=False)
class Regions:
    """A division of an image into regions.

    Attributes:
        name: what they are, for tables.
        index: number of the region of every pixel [(z) y x]; -1 for pixels in none.
        count: number of regions.
        labels: of the regions in a label image; empty for blocks.
    """

    name: str
    index: npt.NDArray[np.int64]
    count: int
    labels: tuple[int, ...] = ()

    def sums(self, channels: AnyArray) -> Float64Array:
        """Sums over the regions [c regions] of an image [c (z) y x]."""
        return sums_over(self.index, channels, self.count)

    @property
    def pixels(self) -> npt.NDArray[np.int64]:
        """[regions], pixels in each."""
        parts = (np.bincount(p[p >= 0], minlength=self.count) for _, p in blocks(self.index))
        pixels: npt.NDArray[np.int64] = np.sum(list(parts), axis=0)
        return pixels


def block_regions(shape: tuple[int, ...], side: int) -> Regions | None:
    """Square blocks within planes; what remains of a plane beyond whole blocks is in none.

    Args:
        shape: (z) y x.
        side: of the blocks, pixels.

    Returns:
        None if a plane holds no whole block.
    """
    rows, columns = shape[-2] // side, shape[-1] // side
    if not rows * columns:
        return None
    y, x = np.arange(shape[-2])[:, None] // side, np.arange(shape[-1])[None] // side
    plane = np.where((y < rows) & (x < columns), y * columns + x, -1)
    planes = math.prod(shape[:-2])
    first = np.arange(planes)[:, None, None] * (rows * columns)
    index = np.where(plane >= 0, plane + first, -1).reshape(shape)
    return Regions(name=f"{side} x {side} px", index=index, count=planes * rows * columns)


def label_regions(labels: AnyArray, shape: tuple[int, ...], where: str) -> Regions | None:
    """One region per label; 0 is no region.

    Args:
        labels: label image [(z) y x], whole numbers from 0.
        shape: of the image that it belongs to.
        where: what messages are about.

    Returns:
        None if there is no label but 0.

    Raises:
        ImageError: another shape than the image, or values that are no labels.
    """
    if labels.shape != shape:
        raise ImageError(
            f"{where}: labels must have the shape of the field (got {labels.shape}, not {shape}). "
            f"Give one label image per field, in the order of the fields."
        )
    refuse_labels(labels, where)
    values, inverse = np.unique(labels, return_inverse=True)
    index = inverse.reshape(shape).astype(np.int64) - (1 if values[0] == 0 else 0)
    numbers = tuple(int(value) for value in values if value)
    return Regions(name=LABELS, index=index, count=len(numbers), labels=numbers) if numbers else None


JOINT: Final = "joint"
JOINT_CALIBRATED: Final = "joint_calibrated"
JOINT_BY_SIZE: Final = "joint_by_size"
INDEPENDENT: Final = "independent"
INDEPENDENT_CALIBRATED: Final = "independent_calibrated"
"""How the error of a sum is predicted."""


@attrs.frozen(eq=False)
class PredictedSums:
    """One prediction of the errors of sums.

    Attributes:
        variance: of the sums [c regions], counts squared; NaN where nothing is predicted.
        inside: by level, True where the true sum lies within the interval [c regions]; without the levels
            that so few samples do not resolve.
    """

    variance: Float64Array
    inside: Mapping[float, BoolArray]


@attrs.frozen(kw_only=True, eq=False)
class RegionErrors:
    """Real and predicted errors of the sums over the regions of one field.

    Attributes:
        name: what the regions are.
        pixels: [regions], pixels in each.
        error: predicted minus true sum [c regions], counts.
        predictions: ``joint`` from the sums of the samples, ``independent`` from the std of the pixels as if
            these erred independently, and each of them with ``_calibrated`` if there is a calibration;
            ``joint_by_size`` from the sums of the samples and a calibration of regions.
    """

    name: str
    pixels: npt.NDArray[np.int64]
    error: Float64Array
    predictions: Mapping[str, PredictedSums]


@attrs.frozen(eq=False)
class RegionSums:
    """Sums over regions of posterior samples, from those of its tiles.

    Parts are added up in the order of their places, whichever came first.

    Attributes:
        regions: divisions of the image.
        tiles: one for every tile; together they cover the image.
    """

    regions: Sequence[Regions]
    tiles: Sequence[TileSums]

    @classmethod
    def of(cls, regions: Sequence[Regions], facts: Iterable[Mapping[str, AnyArray]]) -> "RegionSums":
        """From what was found in every tile."""
        return cls(regions, [TileSums.of(found) for found in facts])

    def sums(self) -> tuple[Float64Array, ...]:
        """[s c regions] of every division, counts."""
        ordered = sorted(self.tiles, key=lambda tile: tile.place)
        found = []
        for number, division in enumerate(self.regions):
            parts = [tile.parts[number] for tile in ordered]
            total = np.zeros((*parts[0][1].shape[:2], division.count))
            for reached, sums in parts:
                total[:, :, reached] += sums
            found.append(total)
        return tuple(found)

    def errors(
        self,
        mean: AnyArray,
        std: AnyArray,
        truth: AnyArray,
        calibrated_std: AnyArray | None,
        by_size: RegionIntervals | None = None,
    ) -> tuple[RegionErrors, ...]:
        """What became of every division; images [c (z) y x] in counts.

        The calibration of pixels stretches the sums of the samples about their mean by what it does to the
        std of the pixels of the region, root mean square; that of regions makes intervals of its own.
        """
        return tuple(
            _errors(regions, sums, mean, std, truth, calibrated_std, by_size)
            for regions, sums in zip(self.regions, self.sums(), strict=True)
        )


def samples_needed(level: float) -> int:
    """Samples from which on a central interval of this level lies between the smallest and the largest."""
    return math.ceil(round(2 / (1 - level), 9)) - 1


def half_width(level: float) -> float:
    """Half of the central Gaussian interval, in stds."""
    return float(ndtri((1 + level) / 2))


def _errors(
    regions: Regions,
    sums: Float64Array,
    mean: AnyArray,
    std: AnyArray,
    truth: AnyArray,
    calibrated_std: AnyArray | None,
    by_size: RegionIntervals | None,
) -> RegionErrors:
    true, variance = regions.sums(truth), regions.sums(np.square(std, dtype=np.float64))
    error = regions.sums(mean) - true
    predictions = {
        JOINT: PredictedSums(sums.var(axis=0, ddof=1), _inside(sums, true)),
        INDEPENDENT: _gaussian(error, variance),
    }
    if calibrated_std is not None:
        calibrated = regions.sums(np.square(calibrated_std, dtype=np.float64))
        stretch = np.sqrt(np.divide(calibrated, variance, out=np.ones_like(variance), where=variance > 0))
        centre = sums.mean(axis=0)
        stretched = centre + stretch * (sums - centre)
        predictions[JOINT_CALIBRATED] = PredictedSums(stretched.var(axis=0, ddof=1), _inside(stretched, true))
        predictions[INDEPENDENT_CALIBRATED] = _gaussian(error, calibrated)
    if by_size is not None:
        predictions[JOINT_BY_SIZE] = _by_size(by_size, regions.pixels, error, sums.std(axis=0, ddof=1))
    return RegionErrors(name=regions.name, pixels=regions.pixels, error=error, predictions=predictions)


def _by_size(
    intervals: RegionIntervals, pixels: npt.NDArray[np.int64], error: Float64Array, std: Float64Array
) -> PredictedSums:
    found = {level: intervals.of(pixels, channels=len(error), level=level) for level in LEVELS}
    variance = np.square(next(iter(found.values())).std * std)
    return PredictedSums(
        variance, {level: np.abs(error) <= one.half_width * std for level, one in found.items()}
    )


def _gaussian(error: Float64Array, variance: Float64Array) -> PredictedSums:
    std = np.sqrt(variance)
    return PredictedSums(variance, {level: np.abs(error) <= half_width(level) * std for level in LEVELS})


def _inside(sums: Float64Array, true: Float64Array) -> dict[float, BoolArray]:
    r"""By level, True where the truth lies between quantiles of the samples.

    The k-th smallest of n samples is the quantile :math:`k / (n + 1)`: a truth that is exchangeable with the
    samples lies below it with just this probability, however few they are. Between them it is interpolated.
    """
    levels = [level for level in LEVELS if len(sums) >= samples_needed(level)]
    ends = [end for level in levels for end in ((1 - level) / 2, (1 + level) / 2)]
    if not ends:
        return {}
    quantiles = np.quantile(sums, ends, axis=0, method="weibull")
    return {
        level: (quantiles[2 * i] <= true) & (true <= quantiles[2 * i + 1]) for i, level in enumerate(levels)
    }
