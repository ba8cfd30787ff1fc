"""Picture of the current prediction of a network in training."""

import logging
from collections.abc import Iterable, Sequence
from typing import Final, final

import numpy as np
import torch

from denoisplit.core.errors import in_one_line
from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.units import at_least_float32
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.samples.moments import Moments
from denoisplit.core.prediction.samples.passes import evaluating
from denoisplit.core.training.data.batches import Pair
from denoisplit.core.training.logger import Picture

_logger: Final = logging.getLogger("denoisplit.training")

_LONGEST: Final = 300

SAMPLES: Final = 8
"""Posterior samples of mean and std; they suffice to look at, not to measure."""

COLUMNS: Final = ("mixed", "mean", "std", "sample")


@final
class Preview:
    """Draws the first validation image: mixed image, and mean, std and one posterior sample per channel.

    The noise is the same every time, so that pictures differ only by what was learnt. The training is not
    affected.

    Args:
        validation: validation batches; the first image of the first one is drawn.
        channels: names of the channels.
    """

    def __init__(self, validation: Iterable[Pair], channels: Sequence[str]) -> None:
        self._validation, self._channels = validation, tuple(channels)
        self._drawn: tuple[int, Picture | None] = (-1, None)
        self._fails = False

    def at(self, step: int, vse: VSE) -> Picture | None:
        """Return the picture of a step, drawn once for all loggers.

        After a failure, which is logged and must not stop the training, it is always None.
        """
        if self._drawn[0] != step and not self._fails:
            try:
                self._drawn = (step, self._draw(vse))
            except Exception as error:
                _logger.debug("picture of step %d", step, exc_info=True)
                self._fails, self._drawn = True, (step, None)
                reason = in_one_line(error, _LONGEST)
                _logger.warning("training.loggers: no more pictures are drawn (got: %s)", reason)
        return None if self._fails else self._drawn[1]

    def _draw(self, vse: VSE) -> Picture:
        from denoisplit.core.assessment.contact_sheet import SheetRow, sheet_pixels  # loads matplotlib

        mixed = next(iter(self._validation))[0][:1].to(vse.device)
        with evaluating(vse), torch.inference_mode():
            moments = Moments()
            for number in reversed(range(SAMPLES)):
                noise = GeneratorNoise(torch.Generator().manual_seed(number))
                with vse.autocast():
                    maps = at_least_float32(vse.decode(mixed, noise).output)
                moments.add(vse.signal(maps), vse.signal_variance(maps))
            sample = vse.draw(maps, noise)[0].cpu().numpy()
        shown, mean, found = mixed[0, 0].cpu().numpy(), moments.mean[0], moments.std
        std = np.zeros_like(mean) if found is None else found[0]
        rows = [
            SheetRow(title=name, images=(shown, mean[c], std[c], sample[c]))
            for c, name in enumerate(self._channels)
        ]
        return sheet_pixels(rows, COLUMNS)
