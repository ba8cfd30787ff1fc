"""Calibrator: intervals of sums over regions, by their size."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, final

import attrs
import numpy as np
from attrs.validators import deep_iterable, ge, min_len

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import (
    Calibration,
    Calibrator,
    FieldSums,
    SumCalibrator,
    SumInterval,
)
from denoisplit.plugins.calibrators.array_checks import check_level, does_not_fit
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.region_fit import CHECKED, calibrator_of, fitted, joined, left_out
from denoisplit.plugins.calibrators.scale import Scale

TOLERANCE: Final = 0.05
"""Largest difference between the coverage of left-out fields and the level."""

_PIXEL: Final = 1


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
    class Options:
        """Calibrated sizes.

        Attributes:
            sides: sides of the square blocks, pixels.
            fewest: smallest number of blocks, in all held-out fields, from which a size is calibrated.
        """

        sides: tuple[int, ...] = attrs.field(
            default=(4, 16, 64), validator=[min_len(1), deep_iterable(ge(1))]
        )
        fewest: int = attrs.field(default=20, validator=ge(10))

    options: Options

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides of the blocks for the fit, pixels, ascending."""
        return tuple(sorted(set(self.options.sides)))

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit the half-widths of pixels, those of ``conformal``, to arrays [n c (z) y x] in counts.

        Raises:
            CalibrationError: see ``Conformal.fit``.
        """
        return self._of_pixels(Conformal(Conformal.Options()).fit(mean, std, truth))

    def fit_squares(self, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit the factor of pixels, that of ``scale``, to estimates of their squared errors [n c (z) y x].

        Raises:
            CalibrationError: see ``Scale.fit_squares``.
        """
        return self._of_pixels(Scale(Scale.Options()).fit_squares(std, squares))

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std of pixels, same shape and dtype as ``std`` [n c (z) y x].

        Raises:
            CalibrationError: no calibration of pixels, or for another number of channels.
        """
        calibrator, of_pixels = self._calibrated(calibration, _PIXEL, std.shape)
        return calibrator.apply(of_pixels, std)

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the interval that covers a pixel with probability ``level`` (in 0 to 1).

        Raises:
            CalibrationError: see ``apply``; or a ``level`` out of range, or higher than the pixels allow.
        """
        calibrator, of_pixels = self._calibrated(calibration, _PIXEL, std.shape)
        return calibrator.interval(of_pixels, mean, std, level)

    def fit_regions(self, fields: Sequence[Sequence[FieldSums]]) -> Calibration:
        """Fit half-widths to the blocks of every held-out field, for each size.

        Returns:
            ``channels`` and ``fields``: their numbers; ``side``: sides with a calibration, whose numbers have
            names that begin with the side, as in ``16:level``; ``asked`` and ``regions``: all sides that were
            tried, and their number of regions; ``left_out 16``: coverage of the 90 % interval in left-out
            fields, one per channel, and ``lowest 16``: that of the worst field; missing with a single field.

        Raises:
            CalibrationError: no field, or no size with enough regions whose errors and spread can be used.
        """
        sizes: dict[float, list[FieldSums]] = {}
        for field in fields:
            for pixels in {sums.pixels for sums in field}:
                planes = [sums for sums in field if sums.pixels == pixels]
                sizes.setdefault(math.sqrt(pixels), []).append(joined(planes))
        counts = {side: sum(part.std.shape[1] for part in parts) for side, parts in sizes.items()}
        parameters: dict[str, tuple[float, ...]] = {}
        done, refused = [], ["no region of any size is in the held-out fields."]
        for side, parts in sorted(sizes.items()):
            try:
                if counts[side] < self.options.fewest:
                    raise CalibrationError(f"{counts[side]} regions, but {self.options.fewest} are needed.")
                found = fitted(parts)
            except CalibrationError as error:
                refused.append(f"{_shown(side)}: {str(error).removeprefix('calibration: ')}")
                continue
            done.append(side)
            parameters |= {f"{side:g}:{name}": tuple(of) for name, of in found.parameters.items()}
            parameters |= {f"{name} {side:g}": of for name, of in left_out(parts).items()}
        if not done:
            raise CalibrationError(
                f"calibration: no sums can be calibrated ({' '.join(refused[-3:])}) Hold out more."
            )
        every = sorted({*counts, *map(float, self.sides)})
        general = {
            "channels": (float(len(parts[0].std)),),
            "fields": (float(len(fields)),),
            "side": tuple(done),
            "asked": tuple(every),
            "regions": tuple(float(counts.get(side, 0)) for side in every),
        }
        return Calibration(parameters=general | parameters)

    def sum_interval(
        self, calibration: Calibration, *, channel: int, pixels: int, level: float
    ) -> SumInterval:
        """Interval of the sum of a channel over a region of this many pixels.

        Raises:
            CalibrationError: calibration of another calibrator or for fewer channels; ``level`` out of range.
        """
        check_level(level)
        channels = int(calibration.parameters.get("channels", (0,))[0])
        if channel >= channels:
            raise does_not_fit(calibration, channels, (1, channel + 1, 1))
        side, known = math.sqrt(pixels), list(calibration.parameters["side"])
        ends = _around(side, known)
        if not ends:
            return SumInterval(note=_outside(calibration, side, known, self.options.fewest))
        note = next(filter(None, (_doubt(calibration, end, channel) for end in ends)), "")
        one = np.ones((1, channels, 1))
        found = [self._calibrated(calibration, end, one.shape) for end in ends]
        stds = [float(calibrator.apply(of, one)[0, channel, 0]) for calibrator, of in found]
        try:
            highs = [calibrator.interval(of, 0 * one, one, level)[1] for calibrator, of in found]
        except CalibrationError:
            note = f"There were too few blocks for an interval of {level:.0%}."
            return SumInterval(std=_between(side, ends, stds), note=note)
        return SumInterval(
            std=_between(side, ends, stds),
            half_width=_between(side, ends, [float(high[0, channel, 0]) for high in highs]),
            holds=not note,
            note=note,
        )

    def _of_pixels(self, found: Calibration) -> Calibration:
        numbers = {f"{_PIXEL}:{name}": of for name, of in found.parameters.items()}
        return Calibration(parameters={"side": (float(_PIXEL),), **numbers})

    def _calibrated(
        self, calibration: Calibration, side: float, shape: tuple[int, ...]
    ) -> tuple[Calibrator, Calibration]:
        """Calibrator and calibration of a size."""
        start = f"{side:g}:"
        every = calibration.parameters.items()
        parameters = {name.removeprefix(start): of for name, of in every if name.startswith(start)}
        if not parameters:
            raise does_not_fit(calibration, 0, shape)
        calibrator = calibrator_of(squares="factor" in parameters)
        return calibrator, Calibration(parameters=parameters)


def _shown(side: float) -> str:
    return f"{side:.3g} x {side:.3g} px"


def _around(side: float, known: Sequence[float]) -> tuple[float, ...]:
    """The calibrated side itself, or its two neighbours; empty outside the calibrated sides."""
    for one in known:
        if math.isclose(one, side, rel_tol=1e-6):
            return (one,)
    return next(((low, high) for low, high in pairwise(known) if low < side < high), ())


def _between(side: float, ends: Sequence[float], values: Sequence[float]) -> float:
    if len(values) == 1:
        return values[0]
    logs = np.log(np.maximum(values, np.finfo(np.float64).tiny))
    return float(np.exp(np.interp(math.log(side), np.log(ends), logs)))


def _doubt(calibration: Calibration, side: float, channel: int) -> str:
    """Why the calibration of a size does not hold; empty if it does."""
    covered = calibration.parameters.get(f"left_out {side:g}", ())
    if not covered:
        return (
            f"Not checked for blocks of {_shown(side)}: that takes two held-out fields with many blocks each."
        )
    if abs(covered[channel] - CHECKED) > TOLERANCE:
        return (
            f"Does not hold: of blocks of {_shown(side)} in left-out fields, the interval of {CHECKED:.0%} "
            f"covered {covered[channel]:.0%}."
        )
    return ""


def _outside(calibration: Calibration, side: float, known: Sequence[float], fewest: int) -> str:
    """Why a size has no calibration."""
    end, word = (known[0], "smaller") if side < known[0] else (known[-1], "larger")
    asked = zip(calibration.parameters["asked"], calibration.parameters["regions"], strict=True)
    without = [(one, count) for one, count in asked if (one < end if side < end else one > end)]
    few = [f"{count:g} blocks of {_shown(one)}" for one, count in without if count < fewest]
    said = f"No calibration: {word} than {_shown(end)}"
    if few:
        said += f"; only {', '.join(few)} were held out"
    elif without:
        said += f"; sums over {', '.join(_shown(one) for one, _ in without)} could not be calibrated"
    return f"{said}."
