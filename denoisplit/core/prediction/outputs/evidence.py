"""The evidence of a verdict: one posterior sample with everything that the training path knows about it."""

import math
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from denoisplit.core.arrays import FloatArray
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.network.latent import divergence, level_numbers
from denoisplit.core.network.placing import decode
from denoisplit.core.network.units import at_least_float32
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import assembled
from denoisplit.core.prediction.samples.engine import Work, run
from denoisplit.core.prediction.samples.passes import Passes, evaluating
from denoisplit.core.prediction.samples.summaries import Collector, Images, Made, Summary
from denoisplit.core.prediction.tiles.plan import plan_planes
from denoisplit.core.prediction.tiles.tiling import Tile
from denoisplit.core.spec.records import PredictionSpec

LEAST_VARIANCE = 1e-6
"""Least noise variance of a channel, in units of the variance of its training images."""

_RATE = "rate "


@attrs.frozen(kw_only=True)
class Evidence:
    """One posterior sample of an image, its noise and its latents.

    Attributes:
        draw: [c (z) y x], counts; what was decoded for sample number 0 of ``predict`` with the same seed.
        variance: variance of the noise that a camera would add to it [c (z) y x], counts squared.
        bias: average excess of a measurement by the camera's pixels over the signal of the sample [c (z) y
            x], counts; None for a noise model without pixel maps.
        rates: closed-form divergence from prior to posterior of every latent, finest first [(z) y x], nats
            per pixel; the rate of a latent position is spread evenly over its pixels.
        levels: level of every latent, 0 = finest.
    """

    draw: FloatArray = attrs.field(eq=False, repr=False)
    variance: FloatArray = attrs.field(eq=False, repr=False)
    rates: tuple[FloatArray, ...] = attrs.field(eq=False, repr=False)
    levels: tuple[int, ...]
    bias: FloatArray | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen
class Evident(Summary):
    """Everything in ``Evidence``, as images; needs no samples."""

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        """Begin with a tile, of which it takes a single look."""
        return _Evident(passes, tile)


class _Evident(Collector):
    def __init__(self, passes: Passes, tile: Tile) -> None:
        self._passes, self._tile = passes, tile

    def finish(self, images: Images) -> Made:
        del images
        found = evidence_of(self._passes, self._tile)
        bias = {} if found.bias is None else {"bias": found.bias}
        named = zip(found.levels, found.rates, strict=True)
        rates = {f"{_RATE}{level}": rate[None] for level, rate in named}
        return Made({"draw": found.draw, "variance": found.variance, **bias, **rates})


def gather_evidence(
    vse: VSE, mixed: npt.NDArray[Any], how: PredictionSpec, *, part: FramePart | None = None
) -> Evidence:
    """Collect the evidence about an image in one pass through encoder and decoder, priors included.

    Draw and noise do not depend on tiles. Some decoders repeat the learned prior of the coarsest level from
    the corner of every tile, so the rate of that level may depend slightly on them.

    Args:
        vse: the network; it is in evaluation mode while this runs.
        mixed: image [(z) y x] of any size, counts.
        how: seed of the latent noise field and side of a tile; a single sample is drawn.
        part: see ``plan_planes``.

    Raises:
        ImageError, PluginError: see ``posterior.predict``.
    """
    with evaluating(vse):
        plan = plan_planes(vse, mixed.shape, attrs.evolve(how, samples=1), part=part)
        work = Work(vse, plan, lambda _: mixed, [Evident()], numbers=range(0))
    found, _ = assembled(mixed.shape, run(work))
    rates = {int(name[len(_RATE) :]): image[0] for name, image in found.items() if name.startswith(_RATE)}
    return Evidence(
        draw=found["draw"],
        variance=found["variance"],
        rates=tuple(rates.values()),
        levels=tuple(rates),
        bias=found.get("bias"),
    )


def evidence_of(passes: Passes, tile: Tile) -> Evidence:
    """Evidence about the inner area of a tile."""
    vse = passes.vse
    keep = (slice(None), *tile.inner.within(tile.outer))
    outer = torch.from_numpy(passes.canvas.cut(tile.outer))[None]
    camera = vse.camera(passes.part_of(tile))
    with torch.inference_mode():
        with vse.autocast():
            features = vse.encode(outer)
            decoded = decode(vse.decoder, features, passes.noise(tile, range(1)))
        maps = at_least_float32(decoded.output)
        signal = vse.signal(maps)
        least = vse.statistics.per_channel(vse.statistics.target_std, signal).square() * LEAST_VARIANCE
        if camera is None:
            variance = torch.maximum(vse.noise_variance(maps), least)[0][keep]
            bias = None
        else:
            inner = maps[0][keep][None]
            variance = torch.maximum(vse.noise_variance(inner, camera), least)[0]
            bias = vse.noise_bias(inner, camera)[0].cpu().numpy()
        numbers = level_numbers(decoded.levels)
        rates = [
            _on_pixels(divergence(level, analytic=True).sum(1)[0], tile, vse.level_strides[number])
            for number, level in zip(numbers, decoded.levels, strict=True)
        ]
    return Evidence(
        draw=signal[0][keep].cpu().numpy(),
        variance=variance.cpu().numpy(),
        rates=tuple(rates),
        levels=numbers,
        bias=bias,
    )


def _on_pixels(rate: Tensor, tile: Tile, stride: tuple[int, ...]) -> FloatArray:
    """Divergence per position of a map centred on the outer area, as nats per pixel of the inner area."""
    found: FloatArray = rate.cpu().numpy() / math.prod(stride)
    window = zip(tile.inner.start, tile.inner.stop, tile.outer.start, tile.outer.shape, stride, strict=True)
    for axis, (first, last, origin, side, step) in enumerate(window):
        # Twice the distance of a pixel from the border of the map, which may reach beyond the image.
        margin = found.shape[axis] * step - side
        twice = 2 * (np.arange(first, last) - origin) + margin
        found = found.take(twice // (2 * step), axis=axis)
    return found
