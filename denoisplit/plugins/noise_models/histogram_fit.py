"""Counts the table of a histogram noise model, and reports how good it is."""

import attrs
import numpy as np
import torch

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.interfaces import FitReport
from denoisplit.plugins.noise_models.histogram_maths import distribution, log_density, prepare
from denoisplit.plugins.noise_models.histogram_table import ChannelTable, count_pairs, normalise
from denoisplit.plugins.noise_models.pair_checks import CheckedPairs
from denoisplit.plugins.noise_models.pair_moments import choose_plain, dither, fit_report

OUTLIERS = 1e-4
"""Fraction of the observations at either end that may lie outside the table."""

MOSTLY_GAUSSIAN = 0.05
_REPORT_PAIRS = 60_000


Ends = tuple[float | None, float | None]
"""Lower and upper end of the bins, counts; None to choose."""


@attrs.frozen
class CountedTable:
    """A table, and how much of every row to leave to the Gaussian.

    Attributes:
        table: table of one channel.
        shares: [n], share of the probability of every row in its Gaussian.
    """

    table: ChannelTable
    shares: Float64Array


def count_channel(pairs: CheckedPairs, bins: int, ends: Ends, floor_share: float) -> CountedTable:
    """Count one channel; a row has at least the ``floor_share`` of its probability in the Gaussian.

    By Good and Turing, the cells of a row in which no pair fell have together about the probability of the
    pairs that are alone in their cell. The Gaussian gets this share, and that of pairs outside the bins.

    Raises:
        NoiseModelError: the range is empty or holds no pairs.
    """
    low, high = _range(pairs, bins, ends)
    counted = count_pairs(pairs.signal, pairs.observation, low=low, high=high, bins=bins)
    if not counted.any():
        raise NoiseModelError(
            f"noise model histogram: no pair lies between lowest and highest (got {low:g} to {high:g}). "
            f"Leave both out, or give a range of the counts of the images."
        )
    total, _ = np.histogram(pairs.signal, bins=bins, range=(low, high))
    outside = total - counted.sum(axis=1)
    unseen = np.maximum((counted == 1).sum(axis=1), 1) + outside
    shares = np.clip(unseen / np.maximum(total, 1), floor_share, 1)
    return CountedTable(ChannelTable(normalise(counted), low, high), shares)


def _range(pairs: CheckedPairs, bins: int, ends: Ends) -> tuple[float, float]:
    """Return the range of the bins; if not given, such that every bin holds equally many digital steps."""
    lowest, highest = np.quantile(pairs.observation, (OUTLIERS, 1 - OUTLIERS))
    low = min(float(lowest), pairs.low) if ends[0] is None else ends[0]
    high = max(float(highest), pairs.high) if ends[1] is None else ends[1]
    if low >= high:
        raise NoiseModelError(
            f"noise model histogram: the range is empty (got {low:g} to {high:g}). Give lowest < highest."
        )
    if not (pairs.step > 0 and ends == (None, None)):
        return low, high
    origin = float(pairs.observation.min())
    low = origin + (np.floor((low - origin) / pairs.step) - 0.5) * pairs.step
    steps = np.ceil((high + 0.5 * pairs.step - low) / (bins * pairs.step))
    return low, low + float(steps) * pairs.step * bins


def report(
    pairs: CheckedPairs, counted: CountedTable, anchor: float, *, channel: int, seed: int
) -> FitReport:
    """Report likelihood and calibration on pairs drawn at random."""
    rng = np.random.default_rng(seed)
    chosen = choose_plain(len(pairs.signal), _REPORT_PAIRS, rng)
    table = counted.table
    tables = prepare(
        torch.from_numpy(table.probability)[None],
        torch.from_numpy(counted.shares)[None],
        torch.tensor([table.low], dtype=torch.float64),
        torch.tensor([table.high], dtype=torch.float64),
        anchor,
    )
    signal, observation = (
        torch.from_numpy(values[chosen])[None, None] for values in (pairs.signal, pairs.observation)
    )
    nll = -float(log_density(observation, signal, tables).mean())
    spread = observation + torch.from_numpy(dither(len(chosen), pairs.step, rng))
    transformed = distribution(spread, signal, tables).flatten().numpy()
    doubts = []
    index = ((pairs.signal[chosen] - table.low) / (table.high - table.low) * len(counted.shares)).astype(
        np.intp
    )
    gaussian = float(counted.shares[index.clip(0, len(counted.shares) - 1)].mean())
    if gaussian > MOSTLY_GAUSSIAN:
        doubts.append(
            f"the pairs are too few for the table, {gaussian:.0%} of the noise is taken for Gaussian: fewer "
            f"bins or more images may help"
        )
    rows = np.flatnonzero(table.probability.sum(axis=1) > 0.5)
    gap = 1 - len(rows) / (rows[-1] - rows[0] + 1)
    if gap > MOSTLY_GAUSSIAN:
        doubts.append(f"{gap:.0%} of the range of the signal has no pairs: there a Gaussian stands in")
    return fit_report(pairs, channel, nll, transformed, "more bins, or centred ones, may help", doubts)
