"""The passes of the network over one image: tiles, and the posterior samples of each.

The encoder runs once per tile, the decoder once per tile and sample. Noise belongs to places of the image, so
samples do not depend on tiles, batches or workers.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from denoisplit.core.errors import ImageError, SpecError
from denoisplit.core.images.interfaces import LazyArray
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.network.interfaces import FloatArray
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.canvas import Canvas, canvas_multiple
from denoisplit.core.prediction.memory import (
    BESIDE,
    MAX_SAMPLE_BATCH,
    bytes_per_pixel,
    largest_tile,
    memory_budget,
)
from denoisplit.core.prediction.noise_field import CentredNoise, FieldNoise, NoiseField
from denoisplit.core.prediction.receptive_field import halo as measure_halo
from denoisplit.core.prediction.tiling import Tile, canvas_shape, plan_tiles, plan_windows, round_up


@attrs.frozen
class Draw:
    """One posterior sample of the inner area of a tile.

    Attributes:
        signal: [c (z) y x], counts.
        maps: output maps it comes from, [1 maps (z) y x], normalised units.
        vse: the network.
        part: which pixels of a camera it shows; None where it is a whole image.
    """

    signal: FloatArray
    maps: Tensor
    vse: VSE
    part: FramePart | None = None

    def noise_variance(self) -> FloatArray:
        """Variance of a measurement of this signal [c (z) y x], counts squared, by the noise model."""
        camera = self.vse.camera(self.part or FramePart.whole(self.signal.shape))
        with torch.inference_mode():
            variance: FloatArray = self.vse.noise_variance(self.maps, camera)[0].cpu().numpy()
        return variance


@attrs.frozen(kw_only=True)
class Passes:
    """A prediction, ready to run tile by tile."""

    vse: VSE
    shape: tuple[int, ...]
    canvas: Canvas
    tiles: tuple[Tile, ...]
    field: NoiseField
    sample_batch: int
    part: FramePart

    @classmethod
    def plan(
        cls,
        vse: VSE,
        mixed: LazyArray,
        samples: int,
        seed: int,
        *,
        tile: int,
        sample_batch: int,
        halo: tuple[int, ...] | None,
        held: int = 0,
        workers: int = 1,
        memory: float | None = None,
        part: FramePart | None = None,
    ) -> "Passes":
        """Choose tiles and batches.

        Args:
            vse: the network.
            mixed: image [(z) y x], counts.
            samples: posterior samples.
            seed: of the noise field.
            tile: see ``posterior.predict``.
            sample_batch: see ``posterior.predict``.
            halo: see ``posterior.predict``.
            held: samples of a tile that are kept until the tile is done.
            workers: tiles at the same time, which share the memory.
            memory: bytes; None asks the machine.
            part: which pixels of a camera the image shows; None for all of one.

        Raises:
            ImageError, SpecError, PluginError: see ``posterior.predict``.
        """
        if mixed.ndim != vse.spatial_rank or 0 in mixed.shape:
            raise ImageError(
                f"predict: the network needs an image with {vse.spatial_rank} spatial axes, none empty "
                f"(got shape {mixed.shape}). Predict one frame at a time."
            )
        if samples < 1:
            raise SpecError(
                [f"prediction.samples: at least one sample is needed (got {samples}). Use 1 or more."]
            )
        if workers < 1:
            raise SpecError([f"prediction: at least one worker is needed (got {workers}). Use 1 or more."])
        device = next(vse.parameters()).device
        budget = (memory_budget(device) if memory is None else memory) / workers
        per_pass = bytes_per_pixel(vse)
        kept = float(held * vse.channels * _dtype(vse).itemsize)
        if memory is not None:  # to be kept to, even where the network needs little
            kept += BESIDE * (1 + vse.channels)
        tiles = _tiles(vse, mixed.shape, tile, halo, budget / (per_pass + kept))
        largest = max(math.prod(part.outer.shape) for part in tiles)
        batch = sample_batch or max(1, min(MAX_SAMPLE_BATCH, int((budget / largest - kept) // per_pass)))
        if device.type == "cpu":
            # Kernels for several images round in another way than those for one, and are no faster here.
            batch = 1
        return cls(
            vse=vse,
            shape=tuple(mixed.shape),
            canvas=Canvas.of(mixed, vse),
            tiles=tiles,
            field=NoiseField(seed),
            sample_batch=min(batch, samples),
            part=part or FramePart.whole(mixed.shape),
        )

    def empty(self, *leading: int) -> FloatArray:
        """Uninitialised array [... c (z) y x] for the whole image."""
        return np.empty((*leading, self.vse.channels, *self.shape), dtype=_dtype(self.vse))

    def draws(self, tile: Tile, samples: range) -> Iterator[Draw]:
        """Posterior samples of the inner area of a tile, in the order of ``samples``."""
        outer = self.canvas.cut(tile.outer)
        keep = (slice(None), slice(None), *tile.inner.within(tile.outer))
        # No context may stay open over a yield: it would reach into the caller.
        with torch.inference_mode(), self.vse.autocast():
            features = self.vse.encode(torch.from_numpy(outer)[None])
        for start in range(samples.start, samples.stop, self.sample_batch):
            numbers = range(start, min(start + self.sample_batch, samples.stop))
            n, noise = len(numbers), self.noise(tile, numbers)
            with torch.inference_mode(), self.vse.autocast():
                maps = self.vse.sample_maps(tuple(f.expand(n, *f.shape[1:]) for f in features), noise)[keep]
                batch = self.vse.signal(maps).cpu().numpy()
            for i in range(n):
                yield Draw(batch[i], maps[i : i + 1], self.vse, self.part_of(tile))

    def part_of(self, tile: Tile) -> FramePart:
        """The pixels of a camera that the inner area of a tile shows."""
        return self.part.window(tile.inner.start, tile.inner.shape)

    def noise(self, tile: Tile, numbers: range) -> NoiseSource:
        """Latent noise of samples of a tile."""
        strides = self.vse.level_strides
        if self.vse.context:
            return CentredNoise(self.field, numbers, [self.canvas.shift(tile.outer)] * len(numbers), strides)
        return FieldNoise(self.field, numbers, [tile.outer.start] * len(numbers), strides)


def _dtype(vse: VSE) -> np.dtype[Any]:
    return np.dtype(np.float64 if next(vse.parameters()).dtype is torch.float64 else np.float32)


def _tiles(
    vse: VSE, shape: tuple[int, ...], tile: int, halo: tuple[int, ...] | None, pixels: float
) -> tuple[Tile, ...]:
    """Tiles for an image of which ``pixels`` pixels fit into memory; measures the halo only if needed."""
    stride = vse.stride
    canvas = canvas_shape(shape, canvas_multiple(vse))
    plan: Callable[..., tuple[Tile, ...]] = plan_tiles
    if vse.context:
        plan = partial(plan_windows, canvas=canvas)
    inner = tuple(round_up(tile, s) for s in stride)
    if tile == 0:
        whole = math.prod(canvas) <= pixels
    else:
        whole = all(t >= n for t, n in zip(inner, canvas, strict=True))
    if whole:
        inner = tuple(round_up(n, s) for n, s in zip(canvas, stride, strict=True))
        return plan(shape, tile=inner, halo=(0,) * len(shape), stride=stride)
    around = measure_halo(vse) if halo is None else halo
    around = tuple(-(-h // s) * s for h, s in zip(around, stride, strict=True))
    if tile == 0:
        # A window is up to two strides wider than an inner area with its halo.
        margin = tuple(h + s for h, s in zip(around, stride, strict=True)) if vse.context else around
        inner = largest_tile(shape, halo=margin, stride=stride, pixels=pixels)
    return plan(shape, tile=inner, halo=around, stride=stride)


@contextmanager
def evaluating(vse: VSE) -> Iterator[None]:
    """Evaluation mode (no dropout, fixed batch norm) for a while; predictions also happen during training."""
    before = [(module, module.training) for module in vse.modules()]
    vse.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training
