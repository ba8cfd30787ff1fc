"""Intensity statistics of training in another program, which its checkpoints do not contain.

Source: method sections 5.5 and 5.6.
"""

from collections.abc import Sequence
from numbers import Real

import attrs

from denoisplit.core.errors import CheckpointError
from denoisplit.core.exchange.config import ForeignConfig
from denoisplit.core.given import items_of
from denoisplit.core.network.interfaces import IntensityStats

_OPTIONS = {
    "input_mean": "--input-mean",
    "input_std": "--input-std",
    "target_mean": "--target-mean",
    "target_std": "--target-std",
}


@attrs.frozen(kw_only=True)
class ForeignStatistics:
    """Statistics in counts, as used by the other program; empty ones are taken from its config.

    Attributes:
        input_mean: mean subtracted from the mixed image.
        input_std: standard deviation that the mixed image was divided by.
        target_mean: mean of every target channel.
        target_std: standard deviation of every target channel.
    """

    input_mean: Sequence[float] = ()
    input_std: Sequence[float] = ()
    target_mean: Sequence[float] = ()
    target_std: Sequence[float] = ()


def read_statistics(given: ForeignStatistics, config: ForeignConfig) -> IntensityStats:
    """Convert to this project's statistics of the same images.

    Raises:
        CheckpointError: some are missing, contradictory or impossible.
        ArgumentError: they are not numbers.
    """
    values = {name: _values(name, getattr(given, name), config) for name in _OPTIONS}
    for name in ("input_mean", "input_std"):
        if len(set(values[name])) != 1:
            raise CheckpointError(
                f"{_OPTIONS[name]}: one number is needed for the mixed image (got {list(values[name])}). "
                f"Give what it was normalised by in training."
            )
    channels = len(values["target_mean"])
    if channels != len(values["target_std"]):
        raise CheckpointError(
            f"{_OPTIONS['target_std']}: one number per target channel is needed (got {channels} means and "
            f"{len(values['target_std'])} standard deviations). Give as many of both."
        )
    mean = values["input_mean"][0]
    # The reference subtracts the mean of a sum once for every channel in it.
    mean *= channels if config.flag("input_is_sum", False) else 1
    try:
        return IntensityStats(
            mixed_mean=mean,
            mixed_std=values["input_std"][0],
            target_mean=values["target_mean"],
            target_std=values["target_std"],
        )
    except ValueError as error:
        raise CheckpointError(f"statistics: {error}. Give those of the training images.") from error


def _values(name: str, given: Sequence[float], config: ForeignConfig) -> tuple[float, ...]:
    if numbers := items_of(given, Real, name, "numbers"):
        return numbers
    found = config.numbers(name)
    if not found:
        raise CheckpointError(
            f"{config.name}: {config.key(name)} is missing; checkpoints do not hold the statistics of the "
            f"training images. Add it, or give {_OPTIONS[name]}."
        )
    return found
