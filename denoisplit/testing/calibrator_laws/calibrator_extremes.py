"""Laws of calibrators about fields that are unusual: a std that is the same everywhere, and few pixels."""

import numpy as np

from denoisplit.core.arrays import Float64Array
from denoisplit.testing.calibrator_laws.sum_calibrators import Held, SumTests, even_errors
from denoisplit.testing.suite import in_two_and_three_dimensions

FEW, MANY = (3, 13), (30, 40)
"""Sides of fields with few and with many pixels."""

_LEVELS = (0.225, 0.475, 0.625, 0.925)
"""Of 39 errors with both signs of every size, those within an interval are odd in number."""

_FACTORS = (1.7, 0.6)
_STD = 8.0
_COVERED = 0.009
_OFF = 0.12
"""Largest relative error of a std that was fitted to few pixels."""


class ExtremeTests(SumTests):
    """Laws of fields without any structure in their predicted std."""

    @in_two_and_three_dimensions
    def test_a_std_that_is_the_same_everywhere_becomes_that_of_the_errors(self, rank: int) -> None:
        """And intervals cover as often as they say."""
        self.examine_constant_std(rank, MANY)

    def examine_constant_std(self, rank: int, sides: tuple[int, ...]) -> None:
        """Check std and intervals of a field: none covers one pixel more or less than it says."""
        calibrator, held = self.calibrator(self.defaults()), self.uniform(rank, sides)
        fitted, pixels = self.fit(calibrator, held), held.mean[:, 0].size
        found = self.applied(calibrator, fitted, held)
        for channel, factor in enumerate(_FACTORS):
            off = np.abs(found[:, channel] / (factor * _STD) - 1).max()
            assert off < _OFF, f"the std of channel {channel} is {off:.2g} from that of the errors"
        for level in _LEVELS:
            low, high = calibrator.interval(fitted, held.mean, held.std, level)
            for channel in range(len(_FACTORS)):
                inside = (low <= held.truth)[:, channel] & (held.truth <= high)[:, channel]
                assert abs(float(inside.mean()) - level) < max(1.2 / pixels, _COVERED), (
                    f"intervals of {level:g} cover {inside.sum()} of {pixels} pixels of channel {channel}"
                )

    def test_skewed_errors_are_covered_on_their_side(self) -> None:
        """Intervals cover the errors of the fit no less often than the same errors with the other sign."""
        calibrator, held = self.calibrator(self.defaults()), self.uniform(2, MANY)
        away = np.expm1((held.truth - held.mean) / held.std / max(_FACTORS)) * held.std
        for sign in (1, -1):
            fitted = self.fit(calibrator, Held(held.mean, held.std, held.mean + sign * away))
            low, high = calibrator.interval(fitted, held.mean, held.std, _LEVELS[-1])
            covered = [
                float(((low <= truth) & (truth <= high)).mean())
                for truth in (held.mean + sign * away, held.mean - sign * away)
            ]
            assert covered[0] > covered[1] - _COVERED, (
                f"intervals of {_LEVELS[-1]:g} cover {covered[0]:.3f} of the errors of the fit, and "
                f"{covered[1]:.3f} of the same errors with the other sign: a limit is on the wrong side"
            )

    def uniform(self, rank: int, sides: tuple[int, ...]) -> Held:
        """Return a field of two channels whose predicted std is the same everywhere; see ``held_out``."""
        rng = np.random.default_rng(0)
        shape = (1, 2, *(1,) * (rank - 2), *sides)
        std: Float64Array = np.full(shape, _STD)
        mean = 300 + 50 * rng.normal(size=shape)
        real = np.array(_FACTORS).reshape(1, 2, *(1,) * rank)
        return Held(mean, std, mean + real * std * even_errors(std, rng))
