"""Calibrations of regions of several sizes in one, and the intervals of sizes in between."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import attrs
import numpy as np
from attrs.validators import deep_iterable, ge, min_len

from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration, Calibrator, FieldSums, SumCalibrator, SumInterval
from denoisplit.plugins.calibrators.array_checks import check_level, does_not_fit
from denoisplit.plugins.calibrators.region_fit import CHECKED, OneSize, left_out

TOLERANCE: Final = 0.05
"""Largest difference between the coverage of left-out fields and the level."""

_PIXEL: Final = 1


@attrs.frozen(kw_only=True)
class SizeOptions:
    """Calibrated sizes.

    Attributes:
        sides: sides of the square blocks, pixels.
        fewest: smallest number of blocks, in all held-out fields, from which a size is calibrated.
    """

    sides: tuple[int, ...] = attrs.field(default=(4, 16, 64), validator=[min_len(1), deep_iterable(ge(1))])
    fewest: int = attrs.field(default=20, validator=ge(10))


class SizeCalibrator(SumCalibrator):
    """Every size of region by itself; in between, the logarithm is interpolated along that of the side."""

    options: SizeOptions
    one_size: OneSize

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides of the square blocks for the fit without duplicates, pixels, ascending."""
        return tuple(sorted(set(self.options.sides)))

    def fit_regions(self, fields: Sequence[Sequence[FieldSums]]) -> Calibration:
        """Fit to the blocks of every held-out field, for each size.

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
                sizes.setdefault(math.sqrt(pixels), []).append(FieldSums.joined(planes))
        counts = {
            side: sum(part.std.shape[1] for part in parts if not part.seen) for side, parts in sizes.items()
        }
        parameters: dict[str, tuple[float, ...]] = {}
        done, refused = [], ["no region of any size is in the held-out fields."]
        for side, parts in sorted(sizes.items()):
            try:
                if counts[side] < self.options.fewest:
                    raise CalibrationError(f"{counts[side]} regions, but {self.options.fewest} are needed.")
                found = self.one_size.fitted(parts)
            except CalibrationError as error:
                refused.append(f"{_shown(side)}: {str(error).removeprefix('calibration: ')}")
                continue
            done.append(side)
            parameters |= {f"{side:g}:{name}": tuple(of) for name, of in found.parameters.items()}
            parameters |= {f"{name} {side:g}": of for name, of in left_out(self.one_size, parts).items()}
        if not done:
            raise CalibrationError(
                f"calibration: no sums can be calibrated ({' '.join(refused[-3:])}) Hold out more."
            )
        every = sorted({*counts, *map(float, self.sides)})
        general = {
            "channels": (float(len(parts[0].std)),),
            "fields": (float(sum(not field[0].seen for field in fields if field)),),
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
        found = [self._of_side(calibration, end, one.shape) for end in ends]
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

    def for_pixels(self, found: Calibration) -> Calibration:
        """Keep a calibration of pixels as that of regions of one pixel."""
        numbers = {f"{_PIXEL}:{name}": of for name, of in found.parameters.items()}
        return Calibration(parameters={"side": (float(_PIXEL),), **numbers})

    def of_pixels(self, calibration: Calibration, shape: tuple[int, ...]) -> tuple[Calibrator, Calibration]:
        """Return the calibrator of pixels, and its calibration.

        Raises:
            CalibrationError: no calibration of pixels.
        """
        return self._of_side(calibration, _PIXEL, shape)

    def _of_side(
        self, calibration: Calibration, side: float, shape: tuple[int, ...]
    ) -> tuple[Calibrator, Calibration]:
        start = f"{side:g}:"
        every = calibration.parameters.items()
        parameters = {name.removeprefix(start): of for name, of in every if name.startswith(start)}
        if not parameters:
            raise does_not_fit(calibration, 0, shape)
        found = Calibration(parameters=parameters)
        return self.one_size.calibrator_of(found), found


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
            f"covered {covered[channel]:.1%}."
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
