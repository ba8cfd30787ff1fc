"""Posterior samples of turned images, turned back: what one orientation gets wrong, others may not."""

from typing import Final, final

import attrs
import torch
from torch import Tensor

from denoisplit.core.network.noise_source import NoiseSource

_AXES: Final = (-2, -1)


@final
@attrs.frozen
class Orientation:
    """One way to look at an image; numbered as in ``core.images.turns``.

    Attributes:
        number: 0, the image as it is, to 7.
    """

    number: int

    def turned(self, maps: Tensor) -> Tensor:
        """Maps [... y x] in this orientation."""
        quarters, mirrored = divmod(self.number, 2)
        found = torch.rot90(maps, quarters, _AXES) if quarters else maps
        return found.flip(-1) if mirrored else found

    def back(self, maps: Tensor) -> Tensor:
        """Maps [... y x] of this orientation in that of the image."""
        quarters, mirrored = divmod(self.number, 2)
        found = maps.flip(-1) if mirrored else maps
        return torch.rot90(found, -quarters, _AXES) if quarters else found

    def noise(self, source: NoiseSource) -> NoiseSource:
        """Noise that belongs to the places of the image, whatever its orientation."""
        return _TurnedNoise(source, self) if self.number else source


@final
@attrs.frozen
class _TurnedNoise(NoiseSource):
    source: NoiseSource
    orientation: Orientation

    def normal(self, level: int, like: Tensor) -> Tensor:
        return self.orientation.turned(self.source.normal(level, self.orientation.back(like)))


def orientation_of(sample: int, count: int) -> Orientation:
    """Orientation in which a sample is drawn, if samples take ``count`` orientations in turn."""
    return Orientation(sample % count)
