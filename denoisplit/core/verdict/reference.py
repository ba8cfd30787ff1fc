"""What is usual: statistics of training and validation fields, as plain numbers that belong to the run."""

import math
from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np
from scipy.stats import t as student

MIN_UNITS = 4
"""Fewer units say nothing about how much images differ."""
WANTED_UNITS = 16
GRIDS = (1, 2, 4)
LEAST_SIDE = 16
LEAST_SPREAD = 0.02
"""Differences of two percent are never remarkable, however alike the training images are."""


@attrs.frozen(kw_only=True)
class Spread:
    """How one statistic is distributed over units: fields, or equal parts of them where fields are few.

    Attributes:
        mean: over units.
        std: between units, unbiased.
        count: one more than the degrees of freedom of ``std``: the number of units, where they are one group.
        pixels: of a unit, on average.
    """

    mean: float
    std: float
    count: int
    pixels: float

    def limits(self, rate: float, pixels: int) -> tuple[float, float]:
        """Range that a new image leaves with probability ``rate`` if it is like the training images.

        The prediction interval of Student for one more unit; wider for an image smaller than a unit.

        Args:
            rate: of false alarms, both sides together.
            pixels: of the new image.
        """
        quantile = float(student.ppf(1 - rate / 2, self.count - 1))
        smaller = max(1.0, math.sqrt(self.pixels / pixels))
        half = quantile * max(self.std, LEAST_SPREAD) * math.sqrt(1 + 1 / self.count) * smaller
        return self.mean - half, self.mean + half


@attrs.frozen(kw_only=True)
class Reference:
    """What mixed images of the training look like.

    Attributes:
        spreads: of every statistic, by its name.
        saturated: largest share of pixels at the maximum of a field.
        pixel: size of a pixel along (z) y x, µm, as most fields have it; empty where it is unknown, as in
            runs of early versions.
        gains: by channel, by how much the network is better on held-out fields than the better of two answers
            that need no network, dB; empty where nobody knows, as in runs of early versions.
    """

    spreads: Mapping[str, Spread]
    saturated: float
    pixel: tuple[float | None, ...] = ()
    gains: Mapping[str, float] = attrs.field(factory=dict)

    @property
    def weakness(self) -> str:
        """What is to be said of a network that is worse than no network; empty for others."""
        worse = [f"{name} by {-gain:.1f} dB" for name, gain in self.gains.items() if gain < 0]
        if not worse:
            return ""
        return (
            f"on held-out fields, a blurred or untreated mixed image was closer to the truth than the "
            f"network ({', '.join(worse)}); train it for more steps or on more images"
        )


def spreads(units: Sequence[Mapping[str, float]], pixels: float) -> dict[str, Spread]:
    """Distribution of the statistics that all units have; empty for too few units.

    Args:
        units: statistics of every unit.
        pixels: of a unit, on average.
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
    """Distribution over new images of what a network trained on some of the units says.

    The centre is that of the held-out units. The variance is that within the two groups, pooled, plus the
    squared difference of their means: where the network behaves differently on images that it was trained on,
    these tell less about others.

    Args:
        held_out: statistics of units that the network was not trained on, at least one.
        train: of units that it was trained on, for the spread.
        pixels: of a unit, on average.
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
    """How to cut images into units, along y and x: as little as gives enough units that are not too small.

    Args:
        shapes: of the images [(z) y x].

    Returns:
        Per image, the units as indices.
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
