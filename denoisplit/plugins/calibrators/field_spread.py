"""Errors of new fields, whose size varies as it does between the held-out ones."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, final

import attrs
import numpy as np
from scipy.special import erf

from denoisplit.core.arrays import BoolArray, Float64Array
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration, FieldSums
from denoisplit.plugins.calibrators.array_checks import (
    CERTAIN,
    check_certain,
    check_fields,
    check_squares,
    no_fit,
)
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.half_widths import (
    LEVEL,
    LEVELS,
    ROUNDING,
    WIDTH,
    levels_for,
    usable_widths,
)
from denoisplit.plugins.calibrators.region_fit import OneSize, mixed_errors

SPREAD: Final = "spread"
"""Name of the std of the logarithm of the size of errors, from field to field, one per channel."""

_LEAST_DOUBT: Final = 0.1**2
"""Least variance between the mean logarithms of the sizes of errors in training and in other fields."""

_HALVINGS: Final = 60
"""Halvings of an interval until nothing of it is left but rounding."""


@final
class Apart(OneSize):
    """Every field counts alike, and is moved as far from the others as new fields are."""

    def fitted(self, parts: Sequence[FieldSums]) -> Calibration:
        """Fit half-widths to the regions of fields; see ``OneSize.fitted``."""
        whole, seen = FieldSums.joined(parts), [part.seen for part in parts]
        if all(seen):
            raise CalibrationError("calibration: no field was held out. Hold out at least one.")
        if whole.truth is not None:
            check_fields(whole.mean[None], whole.std[None], whole.truth[None])
            levels = levels_for(whole.std.shape[1])
        elif whole.squares is not None:
            check_squares(whole.std[None], whole.squares[None])
            check_certain("half-width", whole.squares[None] / whole.std[None].astype(np.float64) ** 2)
            levels = LEVELS
        else:
            raise mixed_errors()
        parameters: dict[str, tuple[float, ...]] = {LEVEL: levels}
        spreads = []
        for channel in range(len(whole.std)):
            if whole.truth is not None:
                scores = [_scores(part, channel) for part in parts]
                sizes = Sizes.of_errors(scores, seen, channel)
                widths = _quantiles(sizes.moved(scores), levels)
            else:
                sizes = Sizes.of_squares([_squared_scores(part, channel) for part in parts], seen, channel)
                widths = _mixed_gaussians(np.exp(sizes.moved_logs), levels)
            parameters[f"{WIDTH}{channel}"] = usable_widths(widths, levels, channel)
            spreads.append(sizes.spread)
        if len(parts) > 1:
            parameters[SPREAD] = tuple(spreads)
        return Calibration(parameters=parameters)

    def calibrator_of(self, calibration: Calibration) -> Conformal:
        """Return ``conformal``, which applies half-widths."""
        del calibration
        return Conformal(Conformal.Options())


@final
@attrs.frozen(eq=False)
class Sizes:
    r"""How large the errors of every field are, in stds, and how far fields are to be moved.

    The logarithms :math:`s_i = \log m_i` of sizes have, within the n held-out and within the k training
    fields, the variance :math:`S^2` with n + k - 2 (or, without training fields, n - 1) degrees of freedom.
    It has two parts: that between fields, :math:`\tau^2`, and the chance :math:`\omega^2` of a finite number
    of regions. The mean of the held-out fields is that of new fields, with the variance :math:`S^2 / n`.
    That of the training fields is off by an unknown amount, with the variance
    :math:`\delta^2 + S^2 / k`. Weighted by their variances,

    .. math:: \bar s = w \bar s_h + (1 - w)\,\bar s_t, \qquad
        w = \frac{\delta^2 + S^2 / k}{\delta^2 + S^2 / k + S^2 / n}

    has the variance :math:`w S^2 / n`, and a new field varies around it by :math:`\tau^2 + w S^2 / n`. The
    fields are moved around it so that they have this variance. For :math:`\delta^2`, the square of the
    difference of both means counts, as far as it is beyond chance, but no less than 0.1 squared.

    Attributes:
        logs: logarithm of the size of the errors of every field [fields].
        seen: whether the network was trained on the field [fields].
        chance: variance of such a logarithm that is due to the number of regions.
    """

    logs: Float64Array
    seen: BoolArray
    chance: float

    @classmethod
    def of_errors(cls, scores: Sequence[Float64Array], seen: Sequence[bool], channel: int) -> "Sizes":
        """Measure the mean of absolute errors in stds, ``scores`` [fields][regions].

        Raises:
            CalibrationError: a field has no error.
        """
        means = np.array([score.mean() for score in scores])
        if not (np.isfinite(means) & (means > 0)).all():
            raise no_fit("interval", f"mean absolute scores {means.tolist()} of channel {channel}")
        return cls(np.log(means), np.array(seen), _relative_variance(scores, means))

    @classmethod
    def of_squares(cls, scores: Sequence[Float64Array], seen: Sequence[bool], channel: int) -> "Sizes":
        """Measure the mean of squared errors in variances, ``scores`` [fields][regions], some negative.

        A mean that may as well be zero is taken for the largest that may.

        Raises:
            CalibrationError: the squared errors of a field are all zero.
        """
        least = [CERTAIN * score.std() / math.sqrt(score.size) for score in scores]
        means = np.maximum([score.mean() for score in scores], least)
        if not (np.isfinite(means) & (means > 0)).all():
            raise no_fit("interval", f"mean squared scores {means.tolist()} of channel {channel}")
        return cls(np.log(means) / 2, np.array(seen), _relative_variance(scores, means) / 4)

    @property
    def spread(self) -> float:
        """Std of the logarithm of sizes between fields; 0 if there are too few to tell."""
        return math.sqrt(max(0.0, self._variance - self.chance))

    @property
    def moved_logs(self) -> Float64Array:
        """Logarithms of the sizes of fields that vary around their mean as new ones do [fields]."""
        held, trained = int((~self.seen).sum()), int(self.seen.sum())
        centre, weight = float(self.logs[~self.seen].mean()), 1.0
        if trained:
            seen = float(self.logs[self.seen].mean())
            known = self._variance / trained
            doubt = max(_LEAST_DOUBT, (centre - seen) ** 2 - known - self._variance / held) + known
            weight = doubt / (doubt + self._variance / held)
            centre = weight * centre + (1 - weight) * seen
        real = float((self._within**2).mean())
        if not real:
            return np.full_like(self.logs, centre)
        wanted = self.spread**2 + weight / held * self._variance
        moved: Float64Array = centre + math.sqrt(wanted / real) * self._within
        return moved

    def moved(self, scores: Sequence[Float64Array]) -> list[Float64Array]:
        """Return the scores of fields that are moved."""
        factors = np.exp(self.moved_logs - self.logs)
        return [score * factor for score, factor in zip(scores, factors, strict=True)]

    @property
    def _within(self) -> Float64Array:
        """Differences of the logarithms from their mean, that of the held-out or of the training fields."""
        within = np.empty_like(self.logs)
        for group in (self.seen, ~self.seen):
            if group.any():
                within[group] = self.logs[group] - self.logs[group].mean()
        return within

    @property
    def _variance(self) -> float:
        freedom = len(self.logs) - len(np.unique(self.seen))
        return float((self._within**2).sum()) / freedom if freedom else 0.0


def _relative_variance(scores: Sequence[Float64Array], means: Float64Array) -> float:
    """Average over the fields of the squared standard error of their mean, relative to it."""
    pairs = zip(scores, means, strict=True)
    return float(np.mean([score.var() / score.size / mean**2 for score, mean in pairs]))


def _scores(part: FieldSums, channel: int) -> Float64Array:
    if part.truth is None:
        raise CalibrationError("calibration: a field has no truth. Give all of them one.")
    error = np.abs(part.truth[channel].astype(np.float64) - part.mean[channel])
    scores: Float64Array = error / part.std[channel].astype(np.float64)
    return scores


def _squared_scores(part: FieldSums, channel: int) -> Float64Array:
    if part.squares is None:
        raise CalibrationError("calibration: a field has no squared errors. Give all of them some.")
    variance = part.std[channel].astype(np.float64) ** 2
    scores: Float64Array = part.squares[channel].astype(np.float64) / variance
    return scores


def _quantiles(scores: Sequence[Float64Array], levels: Sequence[float]) -> Float64Array:
    """Smallest scores within which the share of a level lies, every field counting alike."""
    joined = np.concatenate(scores)
    weights = np.concatenate([np.full(score.size, 1 / score.size / len(scores)) for score in scores])
    order = np.argsort(joined)
    reached = np.cumsum(weights[order])
    wanted = np.asarray(levels) * (1 + 1 / joined.size) - ROUNDING
    index = np.minimum(np.searchsorted(reached, wanted), joined.size - 1)
    found: Float64Array = joined[order][index]
    return found


def _mixed_gaussians(stds: Float64Array, levels: Sequence[float]) -> Float64Array:
    """Half-widths of the central intervals of Gaussians, one per field, mixed in equal parts."""
    normal = NormalDist()
    unit = np.array([normal.inv_cdf((1 + level) / 2) for level in levels])
    low, high = unit * stds.min(), unit * stds.max()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        inside = erf(middle / stds[:, None] / math.sqrt(2)).mean(axis=0)
        low, high = np.where(inside < levels, middle, low), np.where(inside < levels, high, middle)
    found: Float64Array = (low + high) / 2
    return found
