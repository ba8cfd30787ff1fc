"""The passes of the network over one plane: posterior samples of its tiles.

The encoder runs once per tile and orientation, the decoder once per tile and sample. Noise belongs to places
of the image, so samples do not depend on tiles, batches or workers.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Final

import attrs
import torch
from torch import Tensor

from denoisplit.core.arrays import FloatArray
from denoisplit.core.devices import rounding
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.network.interfaces import Features
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.latents.box_muller_field import BoxMullerField
from denoisplit.core.prediction.latents.noise_field import CentredNoise, FieldNoise, NoiseField
from denoisplit.core.prediction.latents.ziggurat_field import ZigguratField
from denoisplit.core.prediction.samples.orientations import Orientation, orientation_of
from denoisplit.core.prediction.tiles.canvas import Canvas
from denoisplit.core.prediction.tiles.plan import Plan
from denoisplit.core.prediction.tiles.tiling import Tile

FIELDS: Final[Mapping[str, Callable[[int], NoiseField]]] = {
    "box_muller": BoxMullerField,
    "ziggurat": ZigguratField,
}
"""Noise fields by the name in ``prediction.noise``; each is made from a seed."""


class Drawn:
    """The posterior samples of one pass through the decoder, where the network is.

    Attributes:
        maps: output maps [n maps (z) y x] of the inner area of a tile, normalised units.
        signals: what was decoded [n c (z) y x], counts.
        variances: variance of the clean signal around it, for networks that predict one, counts squared.
    """

    def __init__(
        self,
        maps: Tensor,
        signals: Tensor,
        variances: Tensor | None = None,
        draw: Callable[[], Tensor] | None = None,
    ) -> None:
        self.maps, self.signals, self.variances = maps, signals, variances
        self._draw = draw

    @cached_property
    def samples(self) -> Tensor:
        """The samples [n c (z) y x], counts: what was decoded, or a draw around it."""
        if self.variances is None or self._draw is None:
            return self.signals
        with torch.inference_mode():
            return self._draw()

    @cached_property
    def pixels(self) -> FloatArray:
        """The samples as an array; a GPU copies all of them when the first is asked for."""
        found: FloatArray = self.samples.cpu().numpy()
        return found


@attrs.frozen
class Draw:
    """One posterior sample of the inner area of a tile.

    Attributes:
        drawn: the pass that it belongs to.
        number: its index in this pass.
        vse: the network.
        part: which pixels of a camera it shows.
    """

    drawn: Drawn
    number: int
    vse: VSE
    part: FramePart

    @property
    def signal(self) -> Tensor:
        """The signal as decoded [c (z) y x], counts, on the network's device."""
        return self.drawn.signals[self.number]

    @property
    def variance(self) -> Tensor | None:
        """Variance of the clean signal around ``signal``; see ``NoiseModel.signal_variance``."""
        return None if self.drawn.variances is None else self.drawn.variances[self.number]

    @property
    def sample(self) -> Tensor:
        """The sample [c (z) y x], counts, on the network's device."""
        return self.drawn.samples[self.number]

    @property
    def pixels(self) -> FloatArray:
        """The sample as an array."""
        found: FloatArray = self.drawn.pixels[self.number]
        return found

    def noise_variance(self) -> Tensor:
        """Variance of the noise of a measurement by the noise model [c (z) y x], counts squared."""
        camera = self.vse.camera(self.part)
        with torch.inference_mode():
            return self.vse.noise_variance(self.drawn.maps[self.number : self.number + 1], camera)[0]


@attrs.frozen(kw_only=True)
class Passes:
    """A plane, ready to be predicted tile by tile.

    Attributes:
        vse: the network.
        plan: the tiles, and the number of samples.
        number: number of the plane.
        canvas: pixels of the plane.
    """

    vse: VSE
    plan: Plan
    number: int
    canvas: Canvas

    def draws(self, tile: Tile, samples: range) -> Iterator[Draw]:
        """Yield posterior samples of the inner area of a tile, in the order of ``samples``."""
        if not samples:
            return
        pixels = torch.from_numpy(self.canvas.cut(tile.outer))[None]
        keep = (slice(None), slice(None), *tile.inner.within(tile.outer))
        count = self.plan.how.orientations
        features: dict[Orientation, Features] = {}
        for numbers in self._batches(samples):
            orientation = orientation_of(numbers.start, count)
            n, noise = len(numbers), orientation.noise(self.noise(tile, numbers))
            # No context may stay open across a yield: it would affect the caller.
            with torch.inference_mode(), self.vse.autocast():
                if orientation not in features:
                    features[orientation] = self.vse.encode(orientation.turned(pixels))
                given = tuple(f.expand(n, *f.shape[1:]) for f in features[orientation])
                maps = orientation.back(self.vse.sample_maps(given, noise))[keep]
                draw = partial(self.vse.draw, maps, self._noise_of_pixels(tile, numbers))
                drawn = Drawn(maps, self.vse.signal(maps), self.vse.signal_variance(maps), draw)
            for number in range(n):
                yield Draw(drawn, number, self.vse, self.part_of(tile))

    def _batches(self, samples: range) -> Iterator[range]:
        """Samples of one pass each: one by one where every one has another orientation than the last."""
        step = self.plan.batch if self.plan.how.orientations == 1 else 1
        return (samples[start : start + step] for start in range(0, len(samples), step))

    def part_of(self, tile: Tile) -> FramePart:
        """The camera pixels that the inner area of a tile shows."""
        return self.plan.part.window(tile.inner.start, tile.inner.shape)

    def _noise_of_pixels(self, tile: Tile, numbers: range) -> NoiseSource:
        """Noise for the pixels of the inner area of a tile: its level is that after the last."""
        strides = (*self.vse.level_strides, (1,) * self.vse.spatial_rank)
        return FieldNoise(self._field(), numbers, [tile.inner.start] * len(numbers), strides)

    def _field(self) -> NoiseField:
        return FIELDS[self.plan.how.noise](self.plan.how.seed)

    def noise(self, tile: Tile, numbers: range) -> NoiseSource:
        """Latent noise for samples of a tile."""
        strides, field = self.vse.level_strides, self._field()
        if self.vse.context:
            return CentredNoise(field, numbers, [self.canvas.shift(tile.outer)] * len(numbers), strides)
        return FieldNoise(field, numbers, [tile.outer.start] * len(numbers), strides)


@contextmanager
def evaluating(vse: VSE) -> Iterator[None]:
    """Context of evaluation mode (no dropout, fixed batch norm) and the network's precision.

    Needed because predictions also happen during training.
    """
    before = [(module, module.training) for module in vse.modules()]
    vse.eval()
    try:
        with rounding(vse.device, tf32=vse.tf32):
            yield
    finally:
        for module, training in before:
            module.training = training
