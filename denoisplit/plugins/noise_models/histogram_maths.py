r"""Densities from tables, as pure functions over images [b c (z) y x] in counts.

The density at a signal s between the lower edges of the bins k and k+1 interpolates their rows:

.. math:: p(y \mid s) = \frac{(1-f)\,E_k(y) + f\,E_{k+1}(y)}{w} + \varrho(s)\, \mathcal N(y; s, \sigma^2)

* E is a row of the table times the table's share of the probability; :math:`\varrho` is the rest. The
  Gaussian, as wide as the widest row, is the floor of the density, for observations that no pair showed and
  for signals without pairs. It is a true density, and its gradient leads back to the signal from anywhere.
* Beyond its ends, the table is shifted along with the signal.

Source: Krull et al., Probabilistic Noise2Void, Frontiers in Computer Science 2020; method section 4.2.
"""

import math

import attrs
import torch
from torch import Tensor

from denoisplit.plugins.noise_models.histogram_table import EMPTY

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_LAST = 1e-3
"""The position of a signal is kept this far below the last row, as in the reference."""


@attrs.frozen
class Tables:
    """Tables of all channels, ready for use.

    Attributes:
        cells: [c n n], probability of every cell.
        rest: [c n], probability of the Gaussian in every row.
        low: [c], lower edge of the first bin, counts.
        width: [c], width of a bin, counts.
        std: [c], std of the Gaussian, counts.
        anchor: signal that a row stands for, in bins from the lower edge: 0, or 0.5 for the centre.
    """

    cells: Tensor
    rest: Tensor
    low: Tensor
    width: Tensor
    std: Tensor
    anchor: float


@attrs.frozen
class _Place:
    """Positions of signals [b c ...] between the rows of the table.

    Attributes:
        row: the lower of the two rows, index into [c*n].
        fraction: weight of the next row.
        inside: the signal clipped to the range of the table, counts.
        moved: signal minus ``inside``, by which the table is shifted, counts.
    """

    row: Tensor
    fraction: Tensor
    inside: Tensor
    moved: Tensor

    def between(self, rows: Tensor) -> Tensor:
        """Interpolate values of rows [c n]."""
        flat = rows.flatten()
        return (1 - self.fraction) * flat[self.row] + self.fraction * flat[self.row + 1]


def prepare(probability: Tensor, share: Tensor, low: Tensor, high: Tensor, anchor: float) -> Tables:
    """Make tables from probabilities [c n n], the Gaussian's share of every row [c n] and the range [c]."""
    n = probability.shape[-1]
    width = (high - low) / n
    filled = torch.where(probability > EMPTY, probability, torch.zeros_like(probability))
    cells = (1 - share)[..., None] * filled
    missing = (1 - filled.sum(-1)).clamp(min=0)
    mass, first, second = _row_moments(filled, width, anchor)
    usual = mass > 0.5
    safe = torch.where(usual, mass, torch.ones_like(mass))
    spread = torch.where(usual, second / safe - (first / safe).square(), torch.zeros_like(mass))
    return Tables(cells, missing + share * (1 - missing), low, width, spread.amax(-1).sqrt(), anchor)


def log_density(observation: Tensor, signal: Tensor, tables: Tables) -> Tensor:
    """Return the log-density of observations, nats per count."""
    place = _place(signal, tables)
    cell, inside, _ = _cell(observation, place, tables)
    flat = tables.cells.flatten()
    n = tables.cells.shape[-1]
    seen = (1 - place.fraction) * flat[cell] + place.fraction * flat[cell + n]
    seen = torch.where(inside, seen, torch.zeros_like(seen))
    std = _along(tables.std, signal)
    floor = place.between(tables.rest).log() - std.log() - _HALF_LOG_2PI
    floor = floor - 0.5 * ((observation - signal) / std).square()
    known = seen > 0
    table = torch.where(known, seen, torch.ones_like(seen)).log() - _along(tables.width, signal).log()
    return torch.where(known, torch.logaddexp(table, floor), floor)


def distribution(observation: Tensor, signal: Tensor, tables: Tables) -> Tensor:
    """Return the probability of at most ``observation``."""
    place = _place(signal, tables)
    cell, _, within = _cell(observation, place, tables)
    n = tables.cells.shape[-1]
    until, own = tables.cells.cumsum(-1).flatten(), tables.cells.flatten()

    def below(at: Tensor) -> Tensor:
        return until[at] - own[at] * (1 - within)

    seen = (1 - place.fraction) * below(cell) + place.fraction * below(cell + n)
    normal: Tensor = torch.special.ndtr((observation - signal) / _along(tables.std, signal))
    return seen + place.between(tables.rest) * normal


def mean_and_variance(signal: Tensor, tables: Tables) -> tuple[Tensor, Tensor]:
    """Return the mean of the observation minus the signal, counts, and its variance, counts squared."""
    place = _place(signal, tables)
    mass, first, second = (m.flatten() for m in _row_moments(tables.cells, tables.width, tables.anchor))
    n = tables.cells.shape[-1]
    low, width = _along(tables.low, signal), _along(tables.width, signal)
    bias, square = torch.zeros_like(signal), torch.zeros_like(signal)
    for row, weight in ((place.row, 1 - place.fraction), (place.row + 1, place.fraction)):
        away = low + (row % n + tables.anchor) * width - place.inside
        bias = bias + weight * (first[row] + away * mass[row])
        square = square + weight * (second[row] + 2 * away * first[row] + away.square() * mass[row])
    square = square + place.between(tables.rest) * _along(tables.std, signal).square()
    return bias, square - bias.square()


def draw(signal: Tensor, tables: Tables, generator: torch.Generator) -> Tensor:
    """Draw observations at signals: a row, then one of its cells or the Gaussian."""
    place = _place(signal, tables)
    n = tables.cells.shape[-1]

    def uniform() -> Tensor:
        drawn = torch.rand(signal.shape, generator=generator, device=generator.device, dtype=torch.float64)
        return drawn.to(signal.device)

    row = place.row + (uniform() < place.fraction).long()
    # One sorted list for all rows, so that a single search finds the cells of all pixels: the cumulative
    # probabilities of row r run from 2r to at most 2r + 1.
    until = tables.cells.double().cumsum(-1).flatten(0, 1)
    until = until + 2 * torch.arange(len(until), device=until.device)[:, None]
    column = torch.searchsorted(until.flatten(), uniform() + 2 * row, right=True) - row * n
    low, width = _along(tables.low, signal), _along(tables.width, signal)
    seen = low + (column + uniform().to(signal)) * width + place.moved
    normal = torch.randn(signal.shape, generator=generator, device=generator.device, dtype=signal.dtype)
    floor = signal + _along(tables.std, signal) * normal.to(signal.device)
    return torch.where(column < n, seen, floor)


def _row_moments(cells: Tensor, width: Tensor, anchor: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return moments [c n] of order 0, 1 and 2 of the observation about the signal of its row, counts."""
    index = torch.arange(cells.shape[-1], device=cells.device, dtype=cells.dtype)
    away = (index - index[:, None] + 0.5 - anchor) * width.view(-1, 1, 1)
    square = away.square() + width.view(-1, 1, 1).square() / 12
    return cells.sum(-1), (cells * away).sum(-1), (cells * square).sum(-1)


def _place(signal: Tensor, tables: Tables) -> _Place:
    n = tables.cells.shape[-1]
    low, width = _along(tables.low, signal), _along(tables.width, signal)
    inside = torch.minimum(torch.maximum(signal, low), low + n * width)
    place = ((inside - low) / width - tables.anchor).clamp(0, n - 1 - _LAST)
    lower = place.detach().floor().clamp(max=n - 2)
    row = _channel(signal) * n + _index(lower)
    return _Place(row, place - lower, inside, signal - inside)


def _cell(observation: Tensor, place: _Place, tables: Tables) -> tuple[Tensor, Tensor, Tensor]:
    """Return the flat index of the cell in the lower row, whether it exists, and the fraction of it below."""
    n = tables.cells.shape[-1]
    low, width = _along(tables.low, observation), _along(tables.width, observation)
    column = (observation - place.moved.detach() - low) / width
    inside = (column >= 0) & (column < n)
    column = column.clamp(0, n)
    index = column.floor().clamp(max=n - 1)
    return place.row * n + _index(index), inside, column - index


def _index(values: Tensor) -> Tensor:
    """Round down; NaN looks up an arbitrary cell instead of failing, as the density is NaN there."""
    return values.nan_to_num(nan=0.0).long()


def _along(values: Tensor, like: Tensor) -> Tensor:
    """Shape one value per channel [c] to broadcast against an image."""
    return values.view(-1, *(1,) * (like.ndim - 2))


def _channel(like: Tensor) -> Tensor:
    return _along(torch.arange(like.shape[1], device=like.device), like)
