"""Monitored value of a validation, and the direction in which it improves."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import attrs
import torch
from torch import Tensor

from denoisplit.core.errors import ImageError


@attrs.frozen
class Monitor:
    """A value of the validation.

    Attributes:
        name: its name in the log.
        mode: whether the lowest or the highest value is best.
    """

    name: str
    mode: Literal["min", "max"]

    @property
    def worst(self) -> float:
        """Value on which every other value improves."""
        return float("inf") if self.mode == "min" else -float("inf")

    def improves(self, value: float, on: float, by: float = 0.0) -> bool:
        """Whether a value is better than another one by more than ``by``."""
        return value < on - by if self.mode == "min" else value > on + by


MONITORS: Final[Mapping[str, Monitor]] = {
    "loss": Monitor("val_loss", "min"),
    "psnr": Monitor("val_psnr", "max"),
}
"""Monitors by their names in ``training.monitor``."""


def validation_psnr(pairs: Sequence[tuple[Tensor, Tensor]]) -> float:
    """PSNR of single posterior samples against the noisy targets, averaged over channels, dB.

    Per channel, the range is that of all targets, and the mean squared error is averaged over the images.

    Args:
        pairs: signal and target [b c (z) y x] of every batch, counts.

    Raises:
        ImageError: all targets of a channel are constant.
    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code; method section 6.4.
    """
    spatial = tuple(range(2, pairs[0][1].ndim))
    errors = [(signal.double() - target.double()).square().mean(spatial) for signal, target in pairs]
    highest = torch.cat([target.double().amax(spatial) for _, target in pairs]).amax(0)
    lowest = torch.cat([target.double().amin(spatial) for _, target in pairs]).amin(0)
    ranges = highest - lowest
    if not ranges.all():
        channel = int((ranges == 0).nonzero()[0])
        raise ImageError(
            f"validation: channel {channel} is constant in all fields, so it has no PSNR (got "
            f"{float(highest[channel])}). Set training.monitor to loss, or validate on other fields."
        )
    return float((20 * (ranges / torch.cat(errors).mean(0).sqrt()).log10()).mean())
