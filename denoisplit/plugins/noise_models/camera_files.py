"""Maps of a camera, one number per pixel, from image files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import NoiseModelError
from denoisplit.core.images.bases import Image, ImageFormat
from denoisplit.core.images.io import open_image
from denoisplit.core.images.single import in_single

Files = tuple[Path, ...]
"""Files of one map: one for all channels, or one per channel."""


def read_maps(files: Mapping[str, Files], formats: Sequence[ImageFormat], *, channels: int) -> list[Tensor]:
    """Read the maps of a camera [c y x], float32, in the order of ``files``; c is 1 where channels share it.

    Args:
        files: by name of the option: one image [y x] or [c y x], or one image [y x] per channel.
        formats: installed formats.
        channels: number of channels of the noise model.

    Raises:
        ImageError: a file that cannot be read.
        NoiseModelError: not a map of a camera, or a different number of channels; numbers that are not
            finite or, for a gain or read noise, not above 0; maps that differ in size.
    """
    planes = {
        name: [_planes(name, path, open_image(path, formats)) for path in own] for name, own in files.items()
    }
    sizes = [
        (f"{name} of {path.name}", _sides(plane))
        for name, own in planes.items()
        for path, plane in zip(files[name], own, strict=True)
    ]
    if len({size for _, size in sizes}) > 1:
        told = ", ".join(f"{map_} {size}" for map_, size in sizes)
        raise NoiseModelError(
            f"noise model scmos: all maps must have one size (got {told}). Give maps of the same pixels of "
            f"one camera."
        )
    return [_map(name, files[name], np.concatenate(own), channels) for name, own in planes.items()]


def _map(what: str, files: Files, found: Float32Array, channels: int) -> Tensor:
    """Return a map [c y x] of one channel or of all, with possible numbers."""
    if len(found) not in (1, channels):
        raise NoiseModelError(
            f"noise model scmos: {what} has maps of {len(found)} channels (got "
            f"{', '.join(path.name for path in files)}), and the model {channels}. Give one map for all "
            f"channels, or one for each."
        )
    wrong = ~np.isfinite(found)
    if what != "offset":
        wrong |= found <= 0
    if wrong.any():
        needed = "finite" if what == "offset" else "finite and above 0"
        raise NoiseModelError(
            f"noise model scmos: {what} of {files[0].name} must be {needed} everywhere (got {wrong.sum()} "
            f"other pixels of {wrong.size}). Give such pixels the median of their neighbours."
        )
    return torch.from_numpy(found)


def _planes(what: str, path: Path, image: Image) -> Float32Array:
    """Return an image as [c y x]."""
    data, axes = image.pixels, image.axes
    for axis in reversed(range(data.ndim)):
        if axes[axis] not in "yx" and data.shape[axis] == 1:
            data, axes = data.squeeze(axis), axes[:axis] + axes[axis + 1 :]
    if sorted(axes) not in (["x", "y"], ["c", "x", "y"]):
        sides = ", ".join(f"{axis} {n}" for axis, n in zip(axes, data.shape, strict=True))
        raise NoiseModelError(
            f"noise model scmos: {what} must be an image with axes y and x, or c, y and x (got {path.name} "
            f"with {sides}). Average what was recorded over time before."
        )
    order = [axes.index(axis) for axis in ("cyx" if "c" in axes else "yx")]
    plane = np.transpose(data, order)
    return in_single(plane.reshape(-1, *plane.shape[-2:]), f"noise model scmos: {what} of {path.name}")


def _sides(plane: Float32Array) -> str:
    return f"{plane.shape[-2]} x {plane.shape[-1]}"
