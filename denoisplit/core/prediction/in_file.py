"""What a trained model makes of one image, written tile by tile: neither has to fit into memory."""

import logging
import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, final

import attrs
import numpy as np

from denoisplit.core.assessment.label_sums import LabelSums
from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import AXES
from denoisplit.core.images.claims import LARGE
from denoisplit.core.images.interfaces import (
    AnyArray,
    FloatArray,
    Image,
    ImageFormat,
    ImageLayout,
    ImageWriter,
)
from denoisplit.core.images.io import Planes
from denoisplit.core.images.lazy import mapped
from denoisplit.core.images.scaled import require_dtype, scale_of, stretched
from denoisplit.core.images.writing import RegionWriter, pieces, raw_file
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.memory import streamed_budget
from denoisplit.core.prediction.outputs import Calibrated, Output, channels_of
from denoisplit.core.prediction.posterior import Posterior
from denoisplit.core.prediction.splitting import Split, Target, Wish, split
from denoisplit.core.prediction.tiling import Tile
from denoisplit.core.storage.atomic import write_text
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.image_files import installed_formats, writing_format
from denoisplit.core.verdict.judgement import Verdict

_LOG = logging.getLogger("denoisplit.prediction")

_FLOAT: Final[np.dtype[Any]] = np.dtype(np.float32)
_WHOLE: Final[np.dtype[Any]] = np.dtype(np.uint16)


@attrs.frozen(kw_only=True)
class FilePrediction:
    """What is known of a prediction besides its images, which are in a file.

    Attributes:
        path: of the file.
        layout: axes, shape, names of channels and sizes of what is in it.
        images: names of the images in it, such as ``mean`` and ``std``.
        samples: number of posterior samples.
        calibrated: whether the run has a calibration.
        seam_score: see ``Prediction``.
        verdict: see ``Prediction``; without its map.
        sums: over the regions of a label image; None without one.
    """

    path: Path
    layout: ImageLayout
    images: tuple[str, ...]
    samples: int
    calibrated: bool
    seam_score: float | None
    verdict: Verdict
    sums: LabelSums | None = attrs.field(default=None, repr=False)

    def save_sums(self, path: Path) -> None:
        """Write the sums over the regions of the label image as comma-separated values.

        Raises:
            ImageError: no label image was given.
        """
        if self.sums is None:
            raise ImageError(f"{path}: there are no sums to write (got no labels). Predict with labels.")
        write_text(path, self.sums.to_csv())


def predict_to_file(
    vse: VSE, bundle: Bundle, image: Image, path: Path, *, wish: Wish, dtype: str
) -> FilePrediction:
    """Split and denoise an opened image into a file; errors are those of ``Run.predict_file``."""
    require_dtype(dtype)
    chosen = writing_format(path, installed_formats())
    with ExitStack() as stack:
        target = _File(path, chosen, bundle.spec.channels, whole=dtype == _WHOLE, stack=stack)
        memory = streamed_budget(next(vse.parameters()).device)
        found = split(vse, bundle, image, wish, target, memory=memory)
        # The file appears when the stack ends without an error.
    return _described(target, found)


@final
class _File(Target):
    """Writes tiles to their place."""

    def __init__(
        self, path: Path, chosen: ImageFormat, channels: tuple[str, ...], *, whole: bool, stack: ExitStack
    ) -> None:
        self.path, self._format, self._names = path, chosen, channels
        self._whole, self._stack = whole, stack
        self.images: tuple[str, ...] = ()
        self.layout: ImageLayout | None = None

    def begin(self, planes: Planes, outputs: Sequence[Output], calibrated: Calibrated | None) -> None:
        """The file is made when the first tile tells which images there are."""
        self._planes, self._outputs, self._calibrated = planes, tuple(outputs), calibrated
        self._positions = list(np.ndindex(planes.shape))

    def put(self, number: int, tile: Tile, posterior: Posterior) -> None:
        """Write a tile of all images."""
        made: dict[str, FloatArray] = {}
        for one in self._outputs:
            made |= one.make(posterior, self._calibrated)
        if self.layout is None:
            self._open(made)
        planes, pixels = self._planes, np.concatenate(list(made.values())).astype(np.float32, copy=False)
        letters = f"c{planes.spatial}"
        places = dict(zip(planes.leading, self._positions[number], strict=True))
        parts = {"c": slice(0, len(pixels)), **dict(zip(planes.spatial, tile.inner.slices, strict=True))}
        region = tuple(parts.get(a) or slice(places[a], places[a] + 1) for a in self._axes)
        kept = [a for a in self._axes if a in letters]
        moved = np.transpose(pixels, [letters.index(a) for a in kept])
        shape = tuple(part.stop - part.start for part in region)
        self._writer.write(region, moved.reshape(shape))

    def _open(self, made: dict[str, FloatArray]) -> None:
        planes = self._planes
        axes = "".join(a for a in AXES if a in planes.leading or a == "c" or a in planes.spatial)
        names = tuple(f"{of} {kind}" for kind in made for of in channels_of(kind, self._names))
        sides = dict(zip(planes.leading, planes.shape, strict=True)) | {"c": len(names)}
        sides |= dict(zip(planes.spatial, planes.plane_shape[1:], strict=True))
        self._axes, self.images = axes, tuple(made)
        self.layout = ImageLayout(
            shape=tuple(sides[a] for a in axes),
            dtype=_FLOAT,
            axes=axes,
            channel_names=names,
            pixel_size=planes.image.pixel_size,
            time_interval=planes.image.time_interval,
        )
        held = math.prod(self.layout.shape) * _FLOAT.itemsize
        if type(self._format).create is ImageFormat.create and held > LARGE:
            _LOG.warning(
                "%s: this format is written whole, so all of the result (%.1f GiB) has to fit into memory in "
                "the end; others, such as .ome.zarr, are written piece by piece",
                self.path,
                held / 2**30,
            )
        make = _Stretching if self._whole else _direct
        self._writer: ImageWriter = self._stack.enter_context(make(self.path, self._format, self.layout))


def _direct(path: Path, chosen: ImageFormat, layout: ImageLayout) -> ImageWriter:
    return chosen.create(path, layout)


@final
class _Stretching(ImageWriter):
    """Writes float32 into a file beside ``path`` until the scale of every channel is known, then uint16."""

    def __init__(self, path: Path, chosen: ImageFormat, layout: ImageLayout) -> None:
        self._path, self._format, self._layout = path, chosen, layout
        self._channel = layout.axes.index("c")
        count = layout.shape[self._channel]
        self._lowest, self._highest = np.full(count, np.inf), np.full(count, -np.inf)
        self._raw = RegionWriter(
            path,
            layout,
            stored=layout.axes,
            begin=lambda raw: raw_file(raw, layout.shape, layout.dtype),
            complete=self._complete,
            replaceable=lambda _: True,
        )

    def write(self, region: tuple[slice, ...], pixels: AnyArray) -> None:
        """Keep the pixels, and their ends."""
        others = tuple(axis for axis in range(pixels.ndim) if axis != self._channel)
        channels = region[self._channel]
        # NaN is to stay NaN, and be refused in the end.
        self._lowest[channels] = np.minimum(self._lowest[channels], pixels.min(axis=others))
        self._highest[channels] = np.maximum(self._highest[channels], pixels.max(axis=others))
        self._raw.write(region, pixels)

    def finish(self) -> None:
        """Write the file."""
        self._raw.finish()

    def discard(self) -> None:
        """Forget what was kept."""
        self._raw.discard()

    def _complete(self, raw: Path, path: Path) -> None:
        layout = self._layout
        scale = scale_of(self._lowest.tolist(), self._highest.tolist(), "prediction")
        data = mapped(raw, shape=layout.shape, dtype=layout.dtype, where=str(path))
        shape = [1] * len(layout.shape)
        shape[self._channel] = -1
        with self._format.create(path, attrs.evolve(layout, dtype=_WHOLE, intensity_scale=scale)) as writer:
            for region in pieces(layout.shape, np.dtype(np.float64).itemsize):
                channels = region[self._channel]
                low = np.reshape(scale.offset[channels], shape)
                step = np.reshape(scale.factor[channels], shape)
                writer.write(region, stretched(data[region], low, step))


def _described(target: _File, found: Split) -> FilePrediction:
    if target.layout is None:
        raise ValueError("nothing was predicted")
    return FilePrediction(
        path=target.path,
        layout=target.layout,
        images=target.images,
        samples=found.samples,
        calibrated=found.calibrated,
        seam_score=found.seam_score,
        verdict=found.verdict,
        sums=found.sums,
    )
