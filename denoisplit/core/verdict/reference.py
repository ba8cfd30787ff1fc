"""The reference of a run: statistics of training and validation fields, as plain numbers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs
import numpy as np
from attrs.validators import deep_iterable, ge, gt, le, optional
from scipy.special import stdtrit  # scipy.stats takes longer to import than all else here

MIN_UNITS = 4
"""Least number of units; fewer say nothing about how much images differ."""
WANTED_UNITS = 16
GRIDS = (1, 2, 4)
LEAST_SIDE = 16
LEAST_SPREAD = 0.02
"""Differences of two per cent are never remarkable, however similar the training images are."""


_LARGEST: Final = 700.0
"""Logarithm of a number that floats just hold."""


def ratio_of(logarithm: float) -> float:
    """The ratio of which a statistic is the natural logarithm; always finite."""
    return math.exp(min(logarithm, _LARGEST))


@attrs.frozen(kw_only=True)
class Spread:
    """Distribution of one statistic over units: fields, or equal parts of them if there are few fields.

    Attributes:
        mean: mean over units.
        std: standard deviation between units, unbiased.
        count: one more than the degrees of freedom of ``std``; for a single group, the number of units.
        pixels: average number of pixels of a unit.
    """

    mean: float
    std: float = attrs.field(validator=ge(0))
    count: int = attrs.field(validator=ge(2))
    pixels: float = attrs.field(validator=ge(1))

    def limits(self, rate: float, pixels: int) -> tuple[float, float]:
        """Range that a new image like the training images leaves with probability ``rate``.

        Student's prediction interval for one more unit; wider for an image smaller than a unit.

        Args:
            rate: rate of false alarms, both sides together.
            pixels: number of pixels of the new image.
        """
        half = self.half_width(rate, pixels)
        return self.mean - half, self.mean + half

    def half_width(self, rate: float, pixels: int) -> float:
        """Half the width of the range of ``limits``, > 0."""
        quantile = float(stdtrit(self.count - 1, 1 - rate / 2))
        smaller = max(1.0, math.sqrt(self.pixels / pixels))
        return quantile * max(self.std, LEAST_SPREAD) * math.sqrt(1 + 1 / self.count) * smaller


@attrs.frozen(kw_only=True)
class Reference:
    """Properties of the mixed images of a training.

    Attributes:
        spreads: spread of every statistic, by name.
        saturated: largest share of pixels at the maximum of a field.
        pixel: size of a pixel along (z) y x, µm, in most fields; empty if unknown, as in runs of early
            versions.
        gains: by how much, for each channel, the network beats the better of two trivial methods on held-out
            fields, dB of RI-PSNR; empty if unknown, as in runs of early versions.
    """

    spreads: Mapping[str, Spread]
    saturated: float = attrs.field(validator=[ge(0), le(1)])
    pixel: tuple[float | None, ...] = attrs.field(default=(), validator=deep_iterable(optional(gt(0))))
    gains: Mapping[str, float] = attrs.field(factory=dict)

    @property
    def weakness(self) -> str:
        """Warning about a network that is worse than no network; empty for others."""
        worse = [f"{name} by {-gain:.1f} dB" for name, gain in self.gains.items() if gain < 0]
        if not worse:
            return ""
        return (
            f"on held-out fields, a blurred or untreated mixed image was closer to the truth than the "
            f"network ({', '.join(worse)} of RI-PSNR); train it for more steps or on more images"
        )


def spreads(units: Sequence[Mapping[str, float]], pixels: float) -> dict[str, Spread]:
    """Distribution of the statistics that all units have; empty if there are too few units.

    Args:
        units: statistics of every unit.
        pixels: average number of pixels of a unit.
    """
    if len(units) < MIN_UNITS:
        return {}
    shared = [name for name in units[0] if all(name in unit for unit in units)]
    found = {}
    for name in shared:
        values = np.array([unit[name] for unit in units])
        if np.isfinite(values).all():
            std = float(values.std(ddof=1))
            found[name] = Spread(mean=float(values.mean()), std=std, count=len(units), pixels=pixels)
    return found


def spreads_of_new(
    held_out: Sequence[Mapping[str, float]], train: Sequence[Mapping[str, float]], pixels: float
) -> dict[str, Spread]:
    """Distribution over new images of statistics from a network that was trained on some of the units.

    The centre is that of the held-out units. The variance is that within the two groups, pooled, plus the
    squared difference of their means: the more the network's response differs on images that it was trained
    on, the less these tell about others.

    Args:
        held_out: statistics of units that the network was not trained on, at least one.
        train: statistics of units that it was trained on, for the spread.
        pixels: average number of pixels of a unit.
    """
    groups = [group for group in (held_out, train) if group]
    shared = [name for name in held_out[0] if all(name in unit for group in groups for unit in group)]
    freedom = sum(len(group) - 1 for group in groups)
    if freedom < MIN_UNITS - 1:
        return {}
    found = {}
    for name in shared:
        values = [np.array([unit[name] for unit in group]) for group in groups]
        if not all(np.isfinite(group).all() for group in values):
            continue
        means = [float(group.mean()) for group in values]
        within = sum(float(np.square(group - mean).sum()) for group, mean in zip(values, means, strict=True))
        std = math.sqrt(within / freedom + (means[0] - means[-1]) ** 2)
        found[name] = Spread(mean=means[0], std=std, count=freedom + 1, pixels=pixels)
    return found


def parts(shapes: Sequence[tuple[int, ...]]) -> list[list[tuple[slice, ...]]]:
    """Cut images into units along y and x: as few as possible, but enough and not too small.

    Args:
        shapes: shapes of the images [(z) y x].

    Returns:
        For each image, its units as indices.
    """
    side = min(min(shape[-2:]) for shape in shapes)
    possible = [grid for grid in GRIDS if grid == 1 or side // grid >= LEAST_SIDE]
    enough = [grid for grid in possible if len(shapes) * grid**2 >= WANTED_UNITS]
    grid = enough[0] if enough else possible[-1]
    return [list(_cells(shape, grid)) for shape in shapes]


def _cells(shape: tuple[int, ...], grid: int) -> Iterator[tuple[slice, ...]]:
    whole = (slice(None),) * (len(shape) - 2)
    for row in range(grid):
        for column in range(grid):
            spans = zip((row, column), shape[-2:], strict=True)
            yield (*whole, *(slice(i * n // grid, (i + 1) * n // grid) for i, n in spans))
