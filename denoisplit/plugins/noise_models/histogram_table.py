"""Tables of histogram noise models: counted from pairs, read from and written to ``.npy`` files.

A file holds [3 n n]: how often an observation falls into a bin (column) when the signal lies in another
(row), every row normalised, and the lower and upper edge of the bin of every row. Signal and observation have
the same bins.

Source: Krull et al., Probabilistic Noise2Void, Frontiers in Computer Science 2020; method section 4.2.
"""

import zipfile
from pathlib import Path

import attrs
import numpy as np

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import NoiseModelError
from denoisplit.core.numpy_files import read_npy

NEVER_SEEN = 1e-30
"""Number that the reference adds to the count of every cell."""

EMPTY = 1e-20
"""Rows with a smaller sum, and cells with a smaller probability, hold no pair."""

_UNEVEN = 1e-3


@attrs.frozen
class ChannelTable:
    """The table of one channel.

    Attributes:
        probability: [n n], probability of the observation's bin (column) given the signal's bin (row).
        low: lower edge of the first bin, counts.
        high: upper edge of the last bin, counts.
    """

    probability: Float64Array
    low: float
    high: float


def count_pairs(
    signal: Float64Array, observation: Float64Array, *, low: float, high: float, bins: int
) -> Float64Array:
    """Count pairs [bins bins] by bin of signal and observation; those outside are left out."""
    limits = (low, high)
    counted, _, _ = np.histogram2d(signal.ravel(), observation.ravel(), bins=bins, range=(limits, limits))
    return np.asarray(counted, dtype=np.float64)


def normalise(counted: Float64Array) -> Float64Array:
    """Divide every row with a pair by its sum."""
    table = counted + NEVER_SEEN
    total = table.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > EMPTY, table / total, table), dtype=np.float64)


def read_table(path: Path) -> ChannelTable:
    """Read one channel.

    Raises:
        NoiseModelError: no such file, another format, or numbers that do not form a table.
    """
    try:
        content = None if path.is_file() and zipfile.is_zipfile(path) else read_npy(path)
    except (OSError, ValueError) as error:
        raise NoiseModelError(
            f"noise model {path}: not a readable .npy file ({error}). "
            f"Give the path of a histogram noise model, or leave out `path` to count one."
        ) from error
    if content is None:
        raise NoiseModelError(
            f"noise model {path}: is an archive of arrays, not a histogram. Give a .npy file, or use "
            f"noise_model: {{use: gaussian_mixture}}."
        )
    shape = content.shape
    if (
        len(shape) != 3
        or shape[0] != 3
        or shape[1] != shape[2]
        or shape[1] < 2
        or content.dtype.kind not in "fiu"
    ):
        raise NoiseModelError(
            f"noise model {path}: a histogram has shape (3, n, n) (got {shape} of {content.dtype}). "
            f"Give a histogram noise model of PN2V or denoiSplit."
        )
    table = content.astype(np.float64)
    return ChannelTable(table[0], *_limits(path, table))


def write_table(path: Path, table: ChannelTable) -> None:
    """Write one channel; PN2V and denoiSplit read the file."""
    n = len(table.probability)
    edges = np.linspace(table.low, table.high, n + 1)
    lower, upper = (np.repeat(part[:, None], n, axis=1) for part in (edges[:-1], edges[1:]))
    with path.open("wb") as file:  # a file object keeps numpy from appending a suffix
        np.save(file, np.stack([table.probability, lower, upper]))


def _limits(path: Path, table: Float64Array) -> tuple[float, float]:
    """Return the range of the bins of a table [3 n n], and refuse implausible ones."""
    probability, lower, upper = table
    low, high = float(lower[0, 0]), float(upper[-1, -1])
    n = len(probability)
    if not (np.isfinite(table).all() and (probability >= 0).all() and low < high):
        raise NoiseModelError(
            f"noise model {path}: needs finite probabilities >= 0 and a range that is not empty (got {low:g} "
            f"to {high:g}). Count the histogram again."
        )
    edges = np.linspace(low, high, n + 1)
    apart = np.abs([lower[:, 0] - edges[:-1], upper[:, 0] - edges[1:]])
    if apart.max() > _UNEVEN * (high - low) / n:
        raise NoiseModelError(
            f"noise model {path}: the bins are not equally wide. Count the histogram again, with the same "
            f"range for signal and observation."
        )
    filled = probability.sum(axis=1)
    filled = filled[filled > EMPTY]
    if not len(filled) or np.abs(filled - 1).max() > _UNEVEN:
        columns = probability.sum(axis=0)
        columns = columns[columns > EMPTY]
        swapped = len(columns) and np.abs(columns - 1).max() <= _UNEVEN
        advice = "Exchange signal and observation" if swapped else "Count the histogram again"
        raise NoiseModelError(
            f"noise model {path}: the rows of the table must sum to 1 (got sums of "
            f"{filled.min(initial=np.inf):.3g} to {filled.max(initial=0):.3g}). {advice}."
        )
    return low, high
