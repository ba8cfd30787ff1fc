"""Images of any size, made piece by piece, and what a process needs to train on them and predict them.

``python -m tests.e2e.large train SPEC RUN``, ``... check SPEC SHEET`` and ``... predict RUN IMAGE OUT ROWS``
print the peak memory of the process as the operating system counts it, in MiB.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tifffile

from denoisplit.core.images.bases import Image, ImageLayout
from denoisplit.core.images.io import open_image
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.storage.image_files import installed_formats, writing_format

TILE: Final = 256
SPEC: Final = """
spec_version: 1
preset: denoisplit
channels: [a, b]
data:
  train: {{path: {folder}, memory: {memory}, {files}}}
  degradation: {{gaussian: {noise}}}
  validation_fraction: 0.1
  split: {{rule: regions}}
model:
  encoder: {{levels: 2, width: 4}}
  decoder: {{latent_channels: 2}}
  noise_model: {{use: gaussian}}
training: {{steps: 20, batch: 4, patch: 64, validate_every: 10, precision: float32}}
prediction: {{samples: 2, tile: 512}}
"""


def tiles(channels: int, side: int) -> Iterator[npt.NDArray[np.uint16]]:
    """Noise with structure, no two tiles alike, in the order in which TIFF stores them."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:TILE, :TILE]
    wave = (200 * (1 + np.sin(y / 9) * np.cos(x / 7))).astype(np.uint16)
    for _ in range(channels * (side // TILE) ** 2):
        yield wave + rng.integers(100, 200, (TILE, TILE), dtype=np.uint16)


def write_tiff(path: Path, channels: int, side: int) -> None:
    """A tiled BigTIFF [c y x]; the sides are multiples of ``TILE``."""
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(
            tiles(channels, side),
            shape=(channels, side, side),
            dtype=np.uint16,
            tile=(TILE, TILE),
            photometric="minisblack",
            metadata={"axes": "CYX"},
        )


def write_zarr(path: Path, channels: int, side: int) -> None:
    """The same as OME-Zarr."""
    layout = ImageLayout(shape=(channels, side, side), dtype=np.uint16, axes="cyx")
    pixels, across = tiles(channels, side), side // TILE
    with writing_format(path, installed_formats()).create(path, layout) as writer:
        for channel in range(channels):
            for row in range(0, side, TILE):
                band = np.concatenate([next(pixels) for _ in range(across)], axis=1)
                writer.write(
                    (slice(channel, channel + 1), slice(row, row + TILE), slice(0, side)), band[None]
                )


def first_channel(image: Image, rows: int) -> Image:
    """The first rows of the first channel, still in their file: some of a large mixed image."""
    data: Any = image.data
    rows = min(rows, data.shape[1])

    def read(region: tuple[slice, ...]) -> npt.NDArray[Any]:
        return np.asarray(data[(0, *region)])

    return Image(
        data=LazyPixels(shape=(rows, data.shape[2]), dtype=data.dtype, read=read, source=image.source),
        axes="yx",
        source=image.source,
    )


def peak() -> float:
    """Peak memory of this process, MiB."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) / 1024


def main(what: str, *arguments: str) -> float:
    """One of the commands above; the peak memory."""
    import torch

    import denoisplit
    from denoisplit.cli import main as commands
    from denoisplit.core.images import lazy

    torch.set_num_threads(1)
    lazy.LAZY_FROM = 1  # type: ignore[misc]  # small images have to stand for large ones
    if what == "train":
        denoisplit.train(arguments[0], arguments[1])
    elif what == "check":
        commands.main(["data", "check", arguments[0], "--sheet", arguments[1]], standalone_mode=False)
    else:
        run, image, out, rows = arguments
        loaded = denoisplit.load(run)
        opened = first_channel(open_image(Path(image), installed_formats()), int(rows))
        loaded.predict_file(opened, out, output="mean,std")
    return peak()


if __name__ == "__main__":
    sys.stdout.write(f"{main(*sys.argv[1:]):.0f}\n")
