"""Posterior samples of an image of any size, and their mean and spread.

The encoder runs once per tile, the decoder once per tile and sample. Noise belongs to places of the image, so
the result does not depend on tiles or batches.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch

from denoisplit.core.errors import ImageError, SpecError
from denoisplit.core.inference.canvas import Canvas, canvas_multiple
from denoisplit.core.inference.memory import MAX_SAMPLE_BATCH, bytes_per_pixel, largest_tile, memory_budget
from denoisplit.core.inference.moments import Moments
from denoisplit.core.inference.noise_field import CentredNoise, FieldNoise, NoiseField
from denoisplit.core.inference.receptive_field import halo as measure_halo
from denoisplit.core.inference.tiling import Tile, canvas_shape, plan_tiles, plan_windows, round_up
from denoisplit.core.network.interfaces import FloatArray
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.vse import VSE

Progress = Callable[[int, int], None]
"""Called with the number of finished tile samples and their total."""


@attrs.frozen(kw_only=True)
class Posterior:
    """Moments of the posterior samples of one image.

    Attributes:
        mean: [c (z) y x], counts.
        std: unbiased, [c (z) y x], counts; None for a single sample, which has no spread.
        samples: number of samples.
    """

    mean: FloatArray = attrs.field(eq=False, repr=False)
    std: FloatArray | None = attrs.field(eq=False, repr=False)
    samples: int


def predict(
    vse: VSE,
    mixed: npt.NDArray[Any],
    *,
    samples: int,
    seed: int,
    tile: int = 0,
    sample_batch: int = 0,
    halo: tuple[int, ...] | None = None,
    progress: Progress | None = None,
) -> Posterior:
    """Mean and spread of the posterior of an image.

    Args:
        vse: the network; it is in evaluation mode while this runs.
        mixed: image [(z) y x] of any size, counts.
        samples: posterior samples, at least 1.
        seed: of the latent noise field.
        tile: side of the area that one pass predicts, pixels; rounded up to a multiple of the stride. 0 takes
            the whole image if it fits into memory, else the largest tile that does. Changes speed, not the
            result.
        sample_batch: posterior samples per pass; 0 chooses from the memory. Changes speed, not the result.
        halo: pixels per spatial axis that a tile needs around it; None measures it (``receptive_field.halo``)
            if the image needs more than one tile. Pass it when predicting many images in tiles.
        progress: told after every sample of every tile.

    Returns:
        Arrays of the dtype of the network's output (float32; float64 for a float64 network).

    Raises:
        ImageError: the image has another number of axes than the network, or no pixels.
        SpecError: fewer than one sample.
        PluginError: tiles are needed, but the network looks at the whole image.
    """
    with evaluating(vse):
        passes = Passes.plan(vse, mixed, samples, seed, tile=tile, sample_batch=sample_batch, halo=halo)
        mean = passes.empty()
        std = passes.empty() if samples > 1 else None
        done, total = 0, samples * len(passes.tiles)
        for part in passes.tiles:
            moments = Moments()
            for draw in passes.draws(part, range(samples)):
                moments.add(draw)
                done += 1
                if progress is not None:
                    progress(done, total)
            mean[:, *part.inner.slices] = moments.mean
            if std is not None:
                std[:, *part.inner.slices] = moments.std
    return Posterior(mean=mean, std=std, samples=samples)


def draw_samples(
    vse: VSE,
    mixed: npt.NDArray[Any],
    *,
    samples: int,
    seed: int,
    first: int = 0,
    tile: int = 0,
    sample_batch: int = 0,
    halo: tuple[int, ...] | None = None,
) -> FloatArray:
    """Posterior samples of an image, for a look at them; the same ones that ``predict`` averages.

    Args:
        vse: the network.
        mixed: image [(z) y x] of any size, counts.
        samples: how many.
        seed: of the latent noise field.
        first: number of the first sample.
        tile: see ``predict``.
        sample_batch: see ``predict``.
        halo: see ``predict``.

    Returns:
        [s c (z) y x], counts.

    Raises:
        ImageError, SpecError, PluginError: see ``predict``.
    """
    with evaluating(vse):
        passes = Passes.plan(vse, mixed, samples, seed, tile=tile, sample_batch=sample_batch, halo=halo)
        out = passes.empty(samples)
        for part in passes.tiles:
            for i, draw in enumerate(passes.draws(part, range(first, first + samples))):
                out[i][:, *part.inner.slices] = draw
    return out


@attrs.frozen(kw_only=True)
class Passes:
    """A prediction, ready to run tile by tile."""

    vse: VSE
    shape: tuple[int, ...]
    canvas: Canvas
    tiles: tuple[Tile, ...]
    field: NoiseField
    sample_batch: int

    @classmethod
    def plan(
        cls,
        vse: VSE,
        mixed: npt.NDArray[Any],
        samples: int,
        seed: int,
        *,
        tile: int,
        sample_batch: int,
        halo: tuple[int, ...] | None,
    ) -> "Passes":
        """Choose tiles and batches; for the arguments and errors see ``predict``."""
        if mixed.ndim != vse.spatial_rank or 0 in mixed.shape:
            raise ImageError(
                f"predict: the network needs an image with {vse.spatial_rank} spatial axes, none empty "
                f"(got shape {mixed.shape}). Predict one frame at a time."
            )
        if samples < 1:
            raise SpecError(
                [f"prediction.samples: at least one sample is needed (got {samples}). Use 1 or more."]
            )
        pixels = memory_budget(next(vse.parameters()).device) / bytes_per_pixel(vse)
        tiles = _tiles(vse, mixed.shape, tile, halo, pixels)
        largest = max(math.prod(part.outer.shape) for part in tiles)
        batch = sample_batch or max(1, min(MAX_SAMPLE_BATCH, int(pixels // largest)))
        return cls(
            vse=vse,
            shape=mixed.shape,
            canvas=Canvas.of(mixed, vse),
            tiles=tiles,
            field=NoiseField(seed),
            sample_batch=min(batch, samples),
        )

    def empty(self, *leading: int) -> FloatArray:
        """Uninitialised array [... c (z) y x] for the whole image."""
        double = next(self.vse.parameters()).dtype is torch.float64
        return np.empty(
            (*leading, self.vse.channels, *self.shape), dtype=np.float64 if double else np.float32
        )

    def draws(self, tile: Tile, samples: range) -> Iterator[FloatArray]:
        """Posterior samples of the inner area of a tile, [c (z) y x] each, in the order of ``samples``."""
        outer = self.canvas.cut(tile.outer)
        keep = (slice(None), slice(None), *tile.inner.within(tile.outer))
        # No context may stay open over a yield: it would reach into the caller.
        with torch.inference_mode(), self.vse.autocast():
            features = self.vse.encode(torch.from_numpy(outer)[None])
        for start in range(samples.start, samples.stop, self.sample_batch):
            numbers = range(start, min(start + self.sample_batch, samples.stop))
            n, noise = len(numbers), self.noise(tile, numbers)
            with torch.inference_mode(), self.vse.autocast():
                signal = self.vse.sample(tuple(f.expand(n, *f.shape[1:]) for f in features), noise)
                batch = signal[keep].cpu().numpy()
            yield from batch

    def noise(self, tile: Tile, numbers: range) -> NoiseSource:
        """Latent noise of samples of a tile."""
        strides = self.vse.level_strides
        if self.vse.context:
            return CentredNoise(self.field, numbers, [self.canvas.shift(tile.outer)] * len(numbers), strides)
        return FieldNoise(self.field, numbers, [tile.outer.start] * len(numbers), strides)


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
