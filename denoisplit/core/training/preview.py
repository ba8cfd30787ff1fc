"""A picture of what a network that is in training makes of an image."""

from collections.abc import Iterable, Sequence
from typing import Final, final

import torch

from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.passes import evaluating
from denoisplit.core.training.batches import Pair
from denoisplit.core.training.logger import Picture

SAMPLES: Final = 8
"""Posterior samples of mean and std: to look at, not to measure."""

COLUMNS: Final = ("mixed", "mean", "std", "sample")


@final
class Preview:
    """Draws the first validation image: mixed, and of every channel mean, std and one posterior sample.

    The noise is the same every time, so that pictures differ by what was learnt. No training notices.

    Args:
        validation: batches; the first image of the first one is drawn.
        channels: their names.
    """

    def __init__(self, validation: Iterable[Pair], channels: Sequence[str]) -> None:
        self._validation, self._channels = validation, tuple(channels)
        self._drawn: tuple[int, Picture] | None = None

    def at(self, step: int, vse: VSE) -> Picture:
        """The picture of a step, drawn once however many ask for it."""
        if self._drawn is None or self._drawn[0] != step:
            self._drawn = (step, self._draw(vse))
        return self._drawn[1]

    def _draw(self, vse: VSE) -> Picture:
        from denoisplit.core.assessment.contact_sheet import SheetRow, sheet_pixels  # loads matplotlib

        mixed = next(iter(self._validation))[0][:1].to(next(vse.parameters()).device)
        with evaluating(vse), torch.inference_mode():
            signals = torch.stack([self._sample(vse, mixed, number) for number in range(SAMPLES)])
        shown = mixed[0, 0].cpu().numpy()
        std, mean = (one.numpy() for one in torch.std_mean(signals, 0))
        rows = [
            SheetRow(title=name, images=(shown, mean[c], std[c], signals[0, c].numpy()))
            for c, name in enumerate(self._channels)
        ]
        return sheet_pixels(rows, COLUMNS)

    @staticmethod
    def _sample(vse: VSE, mixed: torch.Tensor, number: int) -> torch.Tensor:
        """A posterior sample [c (z) y x], counts, on the processor."""
        noise = GeneratorNoise(torch.Generator().manual_seed(number))
        with vse.autocast():
            maps = vse.decode(mixed, noise).output
        return vse.signal(maps.float())[0].cpu()
