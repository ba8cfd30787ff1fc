"""Inputs and outputs of an exported network: names, axes, sizes."""

from collections.abc import Iterator
from typing import Final

import attrs
import torch
from torch import Tensor

from denoisplit.core.network.interfaces import IntensityStats

MIXED: Final = "mixed"
SIGNAL: Final = "signal"
LOG_VARIANCE: Final = "log_variance"

_LEAST_POSITIONS: Final = 2
"""Positions of the coarsest level along every axis of the smallest image."""


@attrs.frozen(kw_only=True)
class NoiseInput:
    """The latent noise of one level, an input of the exported network.

    Attributes:
        level: number of the level, 0 = finest; that after the last is the noise of pixels.
        channels: channels of the latent.
        stride: pixels of the image per position, one number per spatial axis.
        of_pixels: whether it is the noise of pixels.
    """

    level: int
    channels: int
    stride: tuple[int, ...]
    of_pixels: bool = False

    @property
    def name(self) -> str:
        """Name of the input."""
        return f"noise_{self.level}"

    @property
    def meaning(self) -> str:
        """What it is, for people."""
        return "noise of the pixels" if self.of_pixels else "latent noise"

    def channel_names(self, channels: tuple[str, ...]) -> list[str]:
        """Names of its channels, for a network of these channels."""
        return list(channels) if self.of_pixels else [f"latent_{number}" for number in range(self.channels)]

    def shape(self, batch: int, sides: tuple[int, ...]) -> tuple[int, ...]:
        """Shape [b k (z) y x] for images with these sides, pixels."""
        return (batch, self.channels, *(n // s for n, s in zip(sides, self.stride, strict=True)))


@attrs.frozen(kw_only=True)
class Ports:
    """Inputs and outputs of an exported network.

    Attributes:
        axes: spatial axes, ``yx`` or ``zyx``.
        channels: names of the channels.
        noise: noise inputs, finest level first, and that of the pixels; empty where nothing is drawn.
        step: sides of images are multiples of this, pixels per axis.
        halo: pixels on each side on which the output depends, per axis; None for more than 16 steps.
        statistics: intensity statistics of the training images.
    """

    axes: str
    channels: tuple[str, ...]
    noise: tuple[NoiseInput, ...]
    step: tuple[int, ...]
    halo: tuple[int, ...] | None
    statistics: IntensityStats

    @property
    def least(self) -> tuple[int, ...]:
        """Sides of the smallest image, pixels."""
        return tuple(_LEAST_POSITIONS * step for step in self.step)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, in their order."""
        return (MIXED, *(one.name for one in self.noise))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in their order."""
        return (SIGNAL, LOG_VARIANCE)

    def drawn(self, batch: int, sides: tuple[int, ...], *, seed: int) -> tuple[Tensor, ...]:
        """Random inputs, float32: an image [b 1 (z) y x] of noise, counts, and standard normal numbers."""
        generator = torch.Generator().manual_seed(seed)
        shapes = ((batch, 1, *sides), *(one.shape(batch, sides) for one in self.noise))
        image, *noise = (torch.randn(shape, generator=generator) for shape in shapes)
        return (image * self.statistics.mixed_std + self.statistics.mixed_mean, *noise)

    def examples(self) -> Iterator[tuple[Tensor, ...]]:
        """Random inputs of two shapes, in which all axes differ in length."""
        for batch, more in ((1, 0), (3, 1)):
            positions = (_LEAST_POSITIONS + more + axis for axis in range(len(self.step)))
            sides = tuple(n * step for n, step in zip(positions, self.step, strict=True))
            yield self.drawn(batch, sides, seed=batch)
