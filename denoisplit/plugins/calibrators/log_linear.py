"""Maximum-likelihood fit of scores whose expectation is the exponential of a piecewise linear function."""

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
from scipy.linalg import solveh_banded

from denoisplit.core.arrays import Float64Array
from denoisplit.plugins.calibrators.array_checks import CERTAIN
from denoisplit.plugins.calibrators.spread_bins import fill_bins

_FEWEST: Final = 300
"""Pixels that a bin should hold, so that its root mean squared score is known to 4 %."""

_ROUNDS: Final = 60
_LONGEST: Final = 1.0
"""Largest change of a height in a round."""
_NEAR: Final = 1e-7
"""Relative error below which one more round of Newton's method leaves only rounding errors."""


def certain_knots(seen: Float64Array, score: Float64Array, wanted: int) -> Float64Array:
    """Means of bins of ``seen`` [pixels] with equally many pixels each, ascending.

    A bin whose mean ``score`` [pixels] may as well be zero is joined with the next one; the last bin, with
    the one before.
    """
    found = fill_bins(seen, score, min(wanted, seen.size // _FEWEST))
    moments = found.count * np.stack([np.ones_like(found.mean), found.mean, found.error, found.error_square])
    nothing: Float64Array = np.zeros(len(moments))
    bins, rest = list[Float64Array](), nothing
    for one in moments.T:
        rest = rest + one
        if _is_certain(rest):
            bins.append(rest)
            rest = nothing
    *before, last = bins or [nothing]
    knots: Float64Array = np.unique([total / count for count, total, *_ in (*before, last + rest)])
    return knots


def fitted_heights(
    seen: Float64Array, score: Float64Array, knots: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Fit the logarithms of the expected score at the knots; knots are dropped until there is a maximum.

    Args:
        seen: predictor [pixels].
        score: scores [pixels], with a mean above zero; single ones may be negative.
        knots: ascending, within the range of ``seen``.

    Returns:
        The knots that are left, and the logarithms there.
    """
    whole: Float64Array = np.log([score.mean()])
    while len(knots) > 1:
        heights = _newton(_Hats.of(seen, knots), score, whole.repeat(len(knots)))
        if heights is not None:
            return knots, heights
        knots = knots[::2]
    return knots, whole


def heights_at(seen: Float64Array, knots: Float64Array, heights: Float64Array) -> Float64Array:
    """Interpolate linearly between the knots, constant beyond the outer ones; any shape."""
    found: Float64Array = np.interp(seen, knots, heights)
    return found


@attrs.frozen(eq=False)
class _Hats:
    """Weights of the knots at every pixel; only those of its two neighbouring knots are not zero.

    Attributes:
        left: number of the knot to the left [pixels].
        right_share: weight of the knot to the right [pixels]; the left one has the rest.
        count: number of knots.
    """

    left: npt.NDArray[np.intp]
    right_share: Float64Array
    count: int

    @classmethod
    def of(cls, seen: Float64Array, knots: Float64Array) -> "_Hats":
        place = np.interp(seen, knots, np.arange(len(knots)))
        left = np.minimum(place.astype(np.intp), len(knots) - 2)
        return cls(left, place - left, len(knots))

    def at(self, heights: Float64Array) -> Float64Array:
        """Interpolated heights [pixels]."""
        found: Float64Array = heights[self.left] + self.right_share * np.diff(heights)[self.left]
        return found

    def sums(self, values: Float64Array) -> Float64Array:
        """Weighted sums around every knot."""
        right = self.right_share * values
        return self._summed(values - right, 0) + self._summed(right, 1)

    def products(self, values: Float64Array) -> Float64Array:
        """Sums of ``values`` times products of two weights: of each knot and the one before, and its square.

        They are the two bands of a symmetric matrix, as ``solveh_banded`` takes them.
        """
        right, left = self.right_share, 1 - self.right_share
        squares = self._summed(left**2 * values, 0) + self._summed(right**2 * values, 1)
        return np.stack([self._summed(left * right * values, 1), squares])

    def _summed(self, values: Float64Array, shift: int) -> Float64Array:
        return np.bincount(self.left + shift, values, self.count).astype(np.float64)


def _newton(hats: _Hats, score: Float64Array, heights: Float64Array) -> Float64Array | None:
    """Heights at which the scores around every knot have their expected mean; None without convergence."""
    pixels = hats.sums(np.ones_like(score))
    for _ in range(_ROUNDS):
        relative = score * np.exp(-hats.at(heights))
        gap = hats.sums(relative) - pixels
        try:
            step = solveh_banded(hats.products(relative), gap)
        except np.linalg.LinAlgError:  # estimates that are negative in sum have no maximum
            return None
        heights = heights + step * _LONGEST / max(np.abs(step).max(), _LONGEST)
        if np.abs(gap / pixels).max() < _NEAR:
            return heights
    return None


def _is_certain(moments: Float64Array) -> bool:
    """Whether a bin's mean score is clearly above zero, from count and sums of means, scores, squares."""
    count, _, total, square = moments
    mean = total / count
    return bool(mean > CERTAIN * np.sqrt(max(square / count - mean**2, 0) / count))
