"""How the reference looks up a histogram."""

from torch import Tensor

_LAST = 0.001


def look_up(observation: Tensor, signal: Tensor, table: Tensor, low: float, high: float) -> Tensor:
    """Probability of the bin of observations [n], from the table [n n] of a channel.

    Whatever lies outside counts to the nearest bin; the last bin is never reached. It is no distribution.
    """
    bins = len(table)
    width = (high - low) / bins
    row, column = (((x - low) / width).clamp(0, bins - 1 - _LAST) for x in (signal, observation))
    lower, bin_of = row.floor().long(), column.floor().long()
    return (1 - row + lower) * table[lower, bin_of] + (row - lower) * table[lower + 1, bin_of]
