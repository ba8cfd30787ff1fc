"""What became of a prediction."""

import os
from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.given import path_of
from denoisplit.core.images.bases import Image, ImageLayout, PixelSize, TimeInterval
from denoisplit.core.images.scaled import as_dtype
from denoisplit.core.prediction.offers import CALIBRATED_STD
from denoisplit.core.prediction.output_words import channels_of
from denoisplit.core.storage.atomic import write_text
from denoisplit.core.storage.image_files import ImageInputs, save_image
from denoisplit.core.sums.label_sums import LabelSums
from denoisplit.core.verdict.judgement import Verdict

PathLike = str | os.PathLike[str]


@attrs.frozen(kw_only=True)
class Prediction:
    """The channels of one image, in detector counts.

    Axes are those of the input with a channel axis ``c``: [(s) (t) c (z) y x].

    Attributes:
        images: what was asked for by ``output``, by name, in this order; ``chi-square`` has a single channel.
            Those in a file are read when they are asked for.
        usual: mean, std and calibrated std, as far as they can be had; of a file, ``images``.
        layout: of all images together, whose channels are named ``<channel> <image>``, such as ``actin
            mean``. What is of the mixed image, and not of a channel, is named ``mixed <image>``.
        channel_names: names of the channels.
        samples: number of posterior samples.
        calibrated: whether the run has a calibration.
        path: of the file that the images are in; None in memory.
        seam_score: mean step across the borders of tiles over that beside them, of the channel where it is
            furthest from 1; 1 where tiles do not show, None without borders.
        verdict: whether the image looks like the training images.
        sums: over the regions of a label image; None without one.
        read: files and folders that it was made from, which ``save`` never replaces.
    """

    images: Mapping[str, AnyArray] = attrs.field(eq=False, repr=False)
    usual: Mapping[str, AnyArray] = attrs.field(eq=False, repr=False)
    layout: ImageLayout
    channel_names: tuple[str, ...]
    samples: int
    calibrated: bool
    path: Path | None = None
    seam_score: float | None = None
    verdict: Verdict = attrs.field(factory=Verdict)
    sums: LabelSums | None = attrs.field(default=None, repr=False)
    read: tuple[Path, ...] = attrs.field(default=(), repr=False)

    @property
    def mean(self) -> AnyArray:
        """Posterior mean of every channel.

        Raises:
            ImageError: it is not in the file.
        """
        found = self.usual.get("mean")
        if found is None:
            there = ", ".join(self.images)
            raise ImageError(f"{self.path}: has no mean (got {there}). Ask for the output mean.")
        return found

    @property
    def std(self) -> AnyArray | None:
        """Spread of the posterior samples; None for a single sample."""
        return self.usual.get("std")

    @property
    def calibrated_std(self) -> AnyArray | None:
        """Spread calibrated to the real error; None without a calibration or without ``std``."""
        return self.usual.get(CALIBRATED_STD)

    @property
    def axes(self) -> str:
        """One letter per axis."""
        return self.layout.axes

    @property
    def pixel_size(self) -> PixelSize | None:
        """That of the input, if known."""
        return self.layout.pixel_size

    @property
    def time_interval(self) -> TimeInterval | None:
        """That of the input, if known."""
        return self.layout.time_interval

    def to_image(self) -> Image:
        """One image of all ``images``, as ``layout`` says."""
        return Image(
            data=np.concatenate(list(self.images.values()), axis=self.axes.index("c")),
            axes=self.axes,
            channel_names=self.layout.channel_names,
            pixel_size=self.pixel_size,
            time_interval=self.time_interval,
            source="prediction",
        )

    def save(self, path: PathLike, *, dtype: str = "float32") -> None:
        """Write all images into one file; the ending of its name chooses the format, such as .ome.tif.

        Args:
            path: of the file.
            dtype: of the pixels: ``float32``, or ``uint16`` with a scale per image that is noted in the file.

        Raises:
            ImageError: no installed format has this ending, or something that is no image has this name.
            RunError: it is, contains or lies in an input or a run.
        """
        file = path_of(path, "path")
        ImageInputs(self.read).require_other(file)
        save_image(file, as_dtype(self.to_image(), dtype))

    def save_sums(self, path: PathLike) -> None:
        """Write the sums over the regions of the label image as comma-separated values.

        Raises:
            ImageError: no label image was given.
        """
        if self.sums is None:
            raise ImageError(f"{path}: there are no sums to write (got no labels). Predict with labels.")
        write_text(path_of(path, "path"), self.sums.to_csv())


def names_of(images: Mapping[str, object], channels: tuple[str, ...]) -> tuple[str, ...]:
    """What the channels of all images together are called."""
    return tuple(f"{of} {kind}" for kind in images for of in channels_of(kind, channels))
