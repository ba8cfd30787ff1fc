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
    """Read the maps of a camera, in the order of ``files``; see ``read_map``.

    Raises:
        ImageError, NoiseModelError: see ``read_map``; also maps that differ in size.
    """
    found = [read_map(name, own, formats, channels=channels) for name, own in files.items()]
    sizes = {name: _sides(one) for name, one in zip(files, found, strict=True)}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise NoiseModelError(
            f"noise model scmos: all maps must have one size (got {told}). Give maps of the same pixels of "
            f"one camera."
        )
    return found


def read_map(what: str, files: Files, formats: Sequence[ImageFormat], *, channels: int) -> Tensor:
    """Read one map [c y x], float32; with a single channel where all channels share it.

    Args:
        what: name of the option, for messages.
        files: one image [y x] or [c y x], or one image [y x] per channel.
        formats: installed formats.
        channels: number of channels of the noise model.

    Raises:
        ImageError: a file that cannot be read.
        NoiseModelError: not a map of a camera, or a different number of channels; numbers that are not
            finite or, for a gain or read noise, not above 0.
    """
    planes = [_planes(what, path, open_image(path, formats)) for path in files]
    if len({plane.shape[-2:] for plane in planes}) > 1:
        sizes = ", ".join(f"{path.name} {_sides(plane)}" for path, plane in zip(files, planes, strict=True))
        raise NoiseModelError(
            f"noise model scmos: the {what} maps of all channels must have one size (got {sizes}). "
            f"Cut them to the pixels that the images show."
        )
    found = np.concatenate(planes)
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
    return in_single(plane if plane.ndim == 3 else plane[None], f"noise model scmos: {what} of {path.name}")


def _sides(plane: Float32Array | Tensor) -> str:
    return f"{plane.shape[-2]} x {plane.shape[-1]}"
