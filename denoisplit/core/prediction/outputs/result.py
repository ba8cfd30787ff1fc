"""The result of a prediction."""

import base64
import os
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.given import path_of
from denoisplit.core.hypertext import facts
from denoisplit.core.images.bases import Image, ImageLayout, PixelSize, TimeInterval
from denoisplit.core.images.scaled import WholeNumbers, as_dtype
from denoisplit.core.prediction.outputs.offers import CALIBRATED_STD, CHI_SQUARE
from denoisplit.core.prediction.outputs.output_words import channels_of
from denoisplit.core.storage.atomic import write_text
from denoisplit.core.storage.image_files import ImageInputs, save_image
from denoisplit.core.sums.label_sums import LabelSums
from denoisplit.core.verdict.judgement import Verdict

if TYPE_CHECKING:
    from denoisplit.core.assessment.prediction_figure import ShownFigure

PathLike = str | os.PathLike[str]


@attrs.frozen(kw_only=True)
class Prediction:
    """The channels of one image, in detector counts.

    Axes are those of the input with a channel axis ``c``: [(s) (t) c (z) y x].

    Attributes:
        images: images that ``output`` asked for, by name, in this order; ``chi-square`` has a single channel.
            Those in a file are read on demand.
        usual: mean, std and calibrated std, if available; for a file, the same as ``images``.
        layout: layout of all images together, whose channels are named ``<channel> <image>``, such as ``actin
            mean``. Images of the mixed image instead of a channel are named ``mixed <image>``.
        channel_names: names of the channels.
        samples: number of posterior samples.
        calibrated: whether the run has a calibration.
        path: file with the images; None in memory.
        whole: how the file stores counts as whole numbers; None for float32, and in memory.
        seam_score: mean step across the borders of tiles over the mean step beside them, for the channel
            where it is furthest from 1; 1 where tiles do not show, None without borders.
        verdict: whether the image looks like the training images.
        sums: sums over the regions of a label image; None without one.
        read: files and folders that the prediction was made from; ``save`` never replaces them.
    """

    images: Mapping[str, AnyArray] = attrs.field(eq=False, repr=False)
    usual: Mapping[str, AnyArray] = attrs.field(eq=False, repr=False)
    layout: ImageLayout
    channel_names: tuple[str, ...]
    samples: int
    calibrated: bool
    path: Path | None = None
    whole: WholeNumbers | None = None
    seam_score: float | None = None
    verdict: Verdict = attrs.field(factory=Verdict)
    sums: LabelSums | None = attrs.field(default=None, repr=False)
    read: tuple[Path, ...] = attrs.field(default=(), repr=False)

    @property
    def mean(self) -> AnyArray:
        """Posterior mean of every channel.

        Raises:
            ImageError: the file has no mean.
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
        """Spread calibrated to the real error; None without a calibration or ``std``."""
        return self.usual.get(CALIBRATED_STD)

    @property
    def axes(self) -> str:
        """Axes of the images, one letter each."""
        return self.layout.axes

    @property
    def pixel_size(self) -> PixelSize | None:
        """Pixel size of the input, if known."""
        return self.layout.pixel_size

    @property
    def time_interval(self) -> TimeInterval | None:
        """Time interval of the input, if known."""
        return self.layout.time_interval

    def to_image(self) -> Image:
        """All images as one, with the axes and channel names of ``layout``."""
        return Image(
            data=np.concatenate(list(self.images.values()), axis=self.axes.index("c")),
            axes=self.axes,
            channel_names=self.layout.channel_names,
            pixel_size=self.pixel_size,
            time_interval=self.time_interval,
            source="prediction",
        )

    def save(self, path: PathLike, *, dtype: str = "float32") -> None:
        """Write all images to one file; the ending of its name, such as .ome.tif, chooses the format.

        Args:
            path: the file.
            dtype: type of the pixels: ``float32``, or ``uint16``, for which counts are rounded as in
                ``Run.predict_file``.

        Raises:
            ImageError: no installed format has this ending, or something other than an image has this name.
            RunError: the file is, contains or lies in an input or a run.
        """
        file = path_of(path, "path")
        ImageInputs(self.read).require_other(file)
        save_image(file, as_dtype(self.to_image(), dtype))

    def plot(self) -> "ShownFigure":
        """Draw the images: a row per channel, a column per image.

        Chi-square, which all channels share, is in the first row. Of series, the first image is drawn, and of
        stacks the middle plane. Notebooks show the figure; elsewhere, its method ``savefig`` writes it into a
        file.
        """
        # Only figures need matplotlib.
        from denoisplit.core.assessment.prediction_figure import prediction_figure

        return prediction_figure(
            self.images,
            self.axes,
            channel_names=self.channel_names,
            pixel_size=self.pixel_size,
            without_unit=(CHI_SQUARE,),
        )

    def _repr_html_(self) -> str:
        """Facts and figure, for notebooks."""
        encoded = base64.b64encode(self.plot()._repr_png_()).decode()
        alt = f"images of {' and '.join(self.channel_names)}: {', '.join(self.images)}"
        picture = f'<img src="data:image/png;base64,{encoded}" alt="{escape(alt)}">'
        return f"<div>{facts(self._facts())}{picture}</div>"

    def _facts(self) -> Iterator[tuple[str, str]]:
        yield "channels", ", ".join(self.channel_names)
        shape = next(iter(self.images.values())).shape
        yield "shape", f"{' x '.join(map(str, shape))} ({self.axes})"
        yield "pixel size", "unknown" if self.pixel_size is None else str(self.pixel_size)
        yield "posterior samples", f"{self.samples}{'' if self.calibrated else ', not calibrated'}"
        yield "verdict", str(self.verdict)
        if self.path is not None:
            yield "file", str(self.path)

    def save_sums(self, path: PathLike) -> None:
        """Write the sums over the regions of the label image as comma-separated values.

        Raises:
            ImageError: no label image was given.
        """
        if self.sums is None:
            raise ImageError(f"{path}: there are no sums to write (got no labels). Predict with labels.")
        write_text(path_of(path, "path"), self.sums.to_csv())


def names_of(images: Mapping[str, object], channels: tuple[str, ...]) -> tuple[str, ...]:
    """Channel names of all images together."""
    return tuple(f"{of} {kind}" for kind in images for of in channels_of(kind, channels))
