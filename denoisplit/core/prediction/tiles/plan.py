"""The plan of a prediction, and its jobs. Planning reads no pixels."""

import math
from collections.abc import Iterator, Sequence
from operator import add
from typing import Any

import attrs
import numpy as np
import torch

from denoisplit.core.devices import memory_budget
from denoisplit.core.errors import ImageError, PluginError, counted
from denoisplit.core.network.alike import require_alike
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.tiles.canvas import canvas_multiple
from denoisplit.core.prediction.tiles.memory import (
    BESIDE,
    MAX_SAMPLE_BATCH,
    bytes_per_pixel,
    largest_tile,
)
from denoisplit.core.prediction.tiles.receptive_field import halo as measured_halo
from denoisplit.core.prediction.tiles.tiling import (
    Box,
    Clipped,
    Moved,
    Surround,
    Tile,
    canvas_shape,
    plan_tiles,
    round_up,
)
from denoisplit.core.spec.records import PredictionSpec


@attrs.frozen
class Job:
    """One tile of a plane: one pass of the encoder and all samples."""

    plane: int
    tile: Tile


@attrs.frozen(kw_only=True)
class Plan:
    """How the planes of an image are predicted.

    Attributes:
        planes: number of planes, all of one shape.
        shape: shape of each plane [(z) y x].
        how: number of posterior samples, and the seed of their latent noise.
        tiles: tiles of each plane.
        batch: samples per pass of the decoder.
        part: which pixels of a camera a plane shows.
    """

    planes: int
    shape: tuple[int, ...]
    how: PredictionSpec
    tiles: tuple[Tile, ...]
    batch: int
    part: FramePart

    def jobs(self) -> Iterator[Job]:
        """Yield jobs plane after plane, and tile after tile of each."""
        return (Job(plane, tile) for plane in range(self.planes) for tile in self.tiles)

    def __len__(self) -> int:
        return self.planes * len(self.tiles)

    def __str__(self) -> str:
        largest = max((tile.inner.shape for tile in self.tiles), key=math.prod)
        return (
            f"{counted(self.planes, 'plane')} of {sides(self.shape)} pixels, "
            f"{counted(len(self.tiles), 'tile')} of up to {sides(largest)} each, "
            f"{counted(self.how.samples, 'sample')}"
        )


def plan_planes(
    vse: VSE,
    shape: Sequence[int],
    how: PredictionSpec,
    *,
    planes: int = 1,
    batch: int = 0,
    halo: tuple[int, ...] | None = None,
    held: int = 0,
    workers: int = 1,
    memory: float | None = None,
    part: FramePart | None = None,
) -> Plan:
    """Choose tiles and batches; they affect speed and memory, not the result.

    Args:
        vse: the network.
        shape: shape of every plane [(z) y x].
        how: samples, seed, and the side of a tile; 0 takes the whole plane if it fits into memory, else the
            largest tile that does.
        planes: number of planes.
        batch: samples per pass of the decoder on a GPU; 0 chooses by memory. A processor takes one at a time.
        halo: pixels per axis that a tile needs around it; None measures it if there is more than one tile.
        held: number of samples of a tile that are kept until the tile is done.
        workers: tiles at the same time, which share the memory.
        memory: bytes; None asks the machine.
        part: which pixels of a camera a plane shows; None for all pixels of one.

    Raises:
        ImageError: the planes have another number of axes than the network, or no pixels.
        PluginError: the network makes one plane of a stack, or looks at the whole image where tiles are
            needed.
        SpecError: several orientations are asked for, which the network does not see alike.
    """
    if len(shape) != vse.spatial_rank or 0 in shape:
        raise ImageError(
            f"predict: the network needs an image with {vse.spatial_rank} spatial axes, none empty "
            f"(got shape {tuple(shape)}). Predict one frame at a time."
        )
    if vse.makes_a_plane:
        raise PluginError(
            f"predict: the network makes one plane of a stack, and predictions have all planes (got "
            f"{vse.spatial_rank} spatial axes of images and {len(vse.stride)} of features). Use a network of "
            f"another encoder."
        )
    device = vse.device
    budget = (memory_budget(device) if memory is None else memory) / workers
    require_alike(vse, how.orientations)
    per_pass = bytes_per_pixel(vse, how.orientations)
    kept = float(held * vse.channels * output_dtype(vse).itemsize)
    if memory is not None:  # a limit holds even where the network needs little
        kept += BESIDE * (1 + vse.channels)
    tiles = _tiles(vse, tuple(shape), how, halo, budget / (per_pass + kept))
    largest = max(tile.outer.pixels for tile in tiles)
    batch = batch or max(1, min(MAX_SAMPLE_BATCH, int((budget / largest - kept) // per_pass)))
    if device.type == "cpu":
        # Kernels for several images round differently from those for one, and are no faster on a processor.
        batch = 1
    return Plan(
        planes=planes,
        shape=tuple(shape),
        how=how,
        tiles=tiles,
        batch=min(batch, how.samples),
        part=part or FramePart.whole(tuple(shape)),
    )


def plan_part(vse: VSE, shape: Sequence[int], how: PredictionSpec, inner: Box) -> Plan:
    """Plan the prediction of a part of a plane, with the same pixels as in that of the whole.

    Args:
        vse: the network.
        shape: shape of the plane [(z) y x].
        how: samples and seed; the side of a tile does not count.
        inner: the part; begins at multiples of the stride.

    Raises:
        ImageError: see ``plan_planes``.
    """
    plan = plan_planes(vse, shape, attrs.evolve(how, tile=0))
    try:
        around = _surround(vse, plan.shape, _halo(vse, how))
        tile = around.tile(inner, tuple(map(round_up, inner.shape, vse.stride)))
    except PluginError:  # the network looks at the whole plane
        canvas = canvas_shape(plan.shape, canvas_multiple(vse))
        tile = Tile(outer=Box((0,) * len(canvas), canvas), inner=inner)
    return attrs.evolve(plan, tiles=(tile,))


def output_dtype(vse: VSE) -> np.dtype[Any]:
    """Dtype of predicted images: float32, or float64 for a float64 network."""
    return np.dtype(np.float64 if next(vse.parameters()).dtype is torch.float64 else np.float32)


def halved(vse: VSE, plan: Plan, tile: Tile) -> Plan:
    """The plan for one tile, cut in two; for the tile itself if it cannot be cut.

    Raises:
        PluginError: the network looks at the whole image.
    """
    return attrs.evolve(plan, tiles=_surround(vse, plan.shape, _halo(vse, plan.how)).halves(tile))


def _surround(vse: VSE, shape: tuple[int, ...], halo: Sequence[int]) -> Surround:
    """The surround that the network needs to see around the inner area of a tile."""
    kind = Moved if vse.context else Clipped
    return kind(
        halo=tuple(-(-h // s) * s for h, s in zip(halo, vse.stride, strict=True)),
        stride=vse.stride,
        canvas=canvas_shape(shape, canvas_multiple(vse)),
    )


def _halo(vse: VSE, how: PredictionSpec) -> tuple[int, ...]:
    """The measured halo; in images that are turned, what is needed along y is needed along x."""
    found = measured_halo(vse)
    return found if how.orientations == 1 else (*found[:-2], max(found[-2:]), max(found[-2:]))


def _tiles(
    vse: VSE, shape: tuple[int, ...], how: PredictionSpec, halo: tuple[int, ...] | None, pixels: float
) -> tuple[Tile, ...]:
    """Tiles for an image, ``pixels`` pixels of which fit into memory; measures the halo only if needed."""
    stride, tile = vse.stride, how.tile
    canvas = canvas_shape(shape, canvas_multiple(vse))
    inner = tuple(round_up(tile, s) for s in stride)
    if tile == 0:
        whole = math.prod(canvas) <= pixels
    else:
        whole = all(t >= n for t, n in zip(inner, canvas, strict=True))
    if whole:
        inner = tuple(map(round_up, canvas, stride))
        return plan_tiles(shape, tile=inner, around=_surround(vse, shape, (0,) * len(shape)))
    around = _surround(vse, shape, _halo(vse, how) if halo is None else halo)
    if tile == 0:
        # A window is up to two strides wider than an inner area with its halo.
        margin = tuple(map(add, around.halo, stride)) if vse.context else around.halo
        inner = largest_tile(shape, halo=margin, stride=stride, pixels=pixels)
    return plan_tiles(shape, tile=inner, around=around)


def sides(shape: Sequence[int]) -> str:
    """A shape in words, for example ``40 x 20``."""
    return " x ".join(map(str, shape))
