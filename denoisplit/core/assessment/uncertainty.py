"""How well the predicted std of a channel matches its real error, before and after calibration."""

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.assessment.bootstrap import Bootstrap, FieldCover, FieldSpread, bootstrap
from denoisplit.core.assessment.calibration_curve import (
    CalibrationCurve,
    expected_normalised_calibration_error,
    quantile_curve,
)
from denoisplit.core.assessment.coverage import Coverage, gaussian_crps, gaussian_nll


@attrs.frozen(kw_only=True)
class Reliability:
    """Summary of the predicted std of one channel.

    Attributes:
        ence: expected normalised calibration error; 0 if calibrated.
        coverage: fraction of pixels within the 50, 68, 90 and 95 % intervals.
        nll: Gaussian negative log-likelihood, nats per pixel; None if a std is 0.
        crps: continuous ranked probability score, counts.
        sharpness: mean predicted std, counts; the smaller the better, if the coverage is right.
        rmse: root mean squared error, counts.
        rmv: root mean predicted variance, counts.
        curve: real against predicted error in quantile bins.
        bootstrap: intervals of these numbers; None for too few fields.
    """

    ence: float
    coverage: tuple[Coverage, ...]
    nll: float | None
    crps: float
    sharpness: float
    rmse: float
    rmv: float
    curve: CalibrationCurve
    bootstrap: Bootstrap | None = None


@attrs.frozen(kw_only=True)
class ChannelUncertainty:
    """Reliability of one channel before and after calibration.

    Attributes:
        channel: name of the channel.
        before: reliability of the std as predicted.
        after: reliability of the calibrated std; None without one.
        intervals: coverage of the calibrated intervals, for a calibration that gives intervals only.
        notes: sentences on unknown or doubtful numbers of this channel, with the reasons.
    """

    channel: str
    before: Reliability
    after: Reliability | None = None
    intervals: tuple[Coverage, ...] = ()
    notes: tuple[str, ...] = ()


def field_reliability(fields: Sequence[FieldSpread]) -> Reliability:
    """Summarise the predicted std of one channel over all pixels of several fields.

    Raises:
        CalibrationError: shapes differ, no pixels, or a value is negative (std) or not finite.
    """
    mean, std, truth = (
        np.concatenate([getattr(field, name).ravel() for field in fields])
        for name in ("mean", "std", "truth")
    )
    curve = quantile_curve(mean, std, truth)
    pixels = [field.mean.size for field in fields]
    return Reliability(
        ence=expected_normalised_calibration_error(curve),
        coverage=_pooled_coverage([field.fractions() for field in fields], pixels),
        nll=gaussian_nll(mean, std, truth) if std.min() > 0 else None,
        crps=gaussian_crps(mean, std, truth),
        sharpness=float(std.mean(dtype=np.float64)),
        rmse=_pooled(curve, curve.rmse),
        rmv=_pooled(curve, curve.rmv),
        curve=curve,
        bootstrap=bootstrap(fields, curve.edges),
    )


def channel_uncertainty(
    channel: str,
    before: Sequence[FieldSpread],
    after: Sequence[FieldSpread],
    intervals: Sequence[FieldCover] = (),
) -> ChannelUncertainty:
    """Summarise the reliability of one channel, with notes on doubtful numbers.

    Args:
        channel: name of the channel.
        before: every field with the std as predicted.
        after: every field with the calibrated std; empty without one.
        intervals: masks of the calibrated intervals in every field, if there is no calibrated std.
    """
    found = field_reliability(before)
    return ChannelUncertainty(
        channel=channel,
        before=found,
        after=field_reliability(after) if after else None,
        intervals=_pooled_coverage(
            [{level: float(inside.mean()) for level, inside in field.items()} for field in intervals],
            [field.mean.size for field in before],
        ),
        notes=_notes(channel, found, before),
    )


def _pooled_coverage(
    fractions: Sequence[Mapping[float, float]], pixels: Sequence[int]
) -> tuple[Coverage, ...]:
    """Coverage over the pixels of all fields, from the fraction of each by level; empty without fields."""
    return tuple(
        Coverage(level, float(np.average([found[level] for found in fractions], weights=pixels)))
        for level in (fractions[0] if fractions else ())
    )


def _notes(channel: str, found: Reliability, fields: Sequence[FieldSpread]) -> tuple[str, ...]:
    zero = sum(int((field.std == 0).sum()) for field in fields)
    edges, empty = found.curve.edges, int((~found.curve.filled).sum())
    notes = []
    if edges[0] == edges[-1]:
        notes.append(
            f"the predicted std is {edges[0]:.4g} at every pixel, so the calibration curve is one point"
        )
    elif empty:
        notes.append(f"{empty} of {len(found.curve.count)} bins of the calibration curve are empty")
    if zero:
        notes.append(f"the predicted std is 0 at {zero} pixels, so there is no NLL")
    if np.isinf(found.ence):
        notes.append("pixels without any predicted error are wrong, so the ENCE is infinite")
    return tuple(f"{channel}: {note}." for note in notes)


def _pooled(curve: CalibrationCurve, root_mean_square: npt.NDArray[np.float64]) -> float:
    """Root mean square over all pixels, from that of the bins."""
    filled = curve.filled
    return float(np.sqrt(np.average(root_mean_square[filled] ** 2, weights=curve.count[filled])))
