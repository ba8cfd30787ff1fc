"""What a trained model makes of one image, of any size and with any axes."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.assessment.label_sums import LabelSums
from denoisplit.core.errors import ImageError
from denoisplit.core.images.interfaces import FloatArray, Image, PixelSize, TimeInterval
from denoisplit.core.images.io import Planes
from denoisplit.core.images.scaled import as_dtype
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs import CHI_SQUARE, Calibrated, Output, channels_of, default_outputs
from denoisplit.core.prediction.posterior import Posterior
from denoisplit.core.prediction.splitting import Target, Wish, split
from denoisplit.core.prediction.tiling import Tile
from denoisplit.core.storage.atomic import write_text
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.image_files import save_image
from denoisplit.core.verdict.judgement import Verdict

AnyArray = npt.NDArray[Any]
PathLike = str | os.PathLike[str]


@attrs.frozen(kw_only=True)
class Prediction:
    """The channels of one image, in detector counts.

    Axes are those of the input with a channel axis ``c``: [(s) (t) c (z) y x].

    Attributes:
        mean: posterior mean of every channel.
        std: spread of the posterior samples; None for a single sample.
        calibrated_std: spread calibrated to the real error; None without a calibration or without ``std``.
        images: what was asked for by ``output``, by name, in this order; ``chi-square`` has a single channel.
        axes: one letter per axis.
        channel_names: names of the channels.
        pixel_size: that of the input, if known.
        samples: number of posterior samples.
        time_interval: that of the input, if known.
        seam_score: mean step across the borders of tiles over that beside them, of the channel where it is
            furthest from 1; 1 where tiles do not show, None without borders.
        verdict: whether the image looks like the training images.
        sums: over the regions of a label image; None without one.
    """

    mean: AnyArray = attrs.field(eq=False, repr=False)
    std: AnyArray | None = attrs.field(eq=False, repr=False)
    calibrated_std: AnyArray | None = attrs.field(eq=False, repr=False)
    images: Mapping[str, AnyArray] = attrs.field(eq=False, repr=False)
    axes: str
    channel_names: tuple[str, ...]
    pixel_size: PixelSize | None
    samples: int
    time_interval: TimeInterval | None = None
    seam_score: float | None = None
    verdict: Verdict = attrs.field(factory=Verdict)
    sums: LabelSums | None = attrs.field(default=None, repr=False)

    def to_image(self) -> Image:
        """One image of all ``images``, with channels named ``<channel> <image>``, such as ``actin mean``.

        What is of the mixed image, and not of a channel, is named ``mixed <image>``.
        """
        names = {kind: channels_of(kind, self.channel_names) for kind in self.images}
        return Image(
            data=np.concatenate(list(self.images.values()), axis=self.axes.index("c")),
            axes=self.axes,
            channel_names=tuple(f"{name} {kind}" for kind, of in names.items() for name in of),
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
            ImageError: no installed format has this ending.
        """
        save_image(Path(path), as_dtype(self.to_image(), dtype))

    def save_sums(self, path: PathLike) -> None:
        """Write the sums over the regions of the label image as comma-separated values.

        Raises:
            ImageError: no label image was given.
        """
        if self.sums is None:
            raise ImageError(f"{path}: there are no sums to write (got no labels). Predict with labels.")
        write_text(Path(path), self.sums.to_csv())


def predict_image(vse: VSE, bundle: Bundle, image: Image, wish: Wish) -> Prediction:
    """Split and denoise an opened image; errors are those of ``Run.predict``."""
    target = _Arrays()
    found = split(vse, bundle, image, wish, target)
    prediction = _prediction(target, found.samples, bundle)
    verdict = attrs.evolve(found.verdict, chi_square_map=target.misfit())
    return attrs.evolve(prediction, seam_score=found.seam_score, verdict=verdict, sums=found.sums)


@final
class _Arrays(Target):
    """Puts the planes together in memory."""

    def __init__(self) -> None:
        self.outputs: tuple[Output, ...] = ()
        self.calibrated: Calibrated | None = None
        self._planes: Planes | None = None
        self._found: list[dict[str, FloatArray]] = []

    def begin(self, planes: Planes, outputs: Sequence[Output], calibrated: Calibrated | None) -> None:
        """Nothing is known of the results yet."""
        self._planes, self.outputs, self.calibrated = planes, tuple(outputs), calibrated

    def put(self, number: int, tile: Tile, posterior: Posterior) -> None:
        """Copy the images of a tile to their place."""
        shape = self.planes.plane_shape[1:]
        while len(self._found) <= number:
            self._found.append({})
        std = {} if posterior.std is None else {"std": posterior.std}
        for name, image in {"mean": posterior.mean, **std, **posterior.images}.items():
            if name not in self._found[number]:
                self._found[number][name] = np.empty((len(image), *shape), dtype=image.dtype)
            self._found[number][name][:, *tile.inner.slices] = image

    @property
    def planes(self) -> Planes:
        """Of the image."""
        if self._planes is None:
            raise ValueError("there is no image yet. Call begin first.")
        return self._planes

    def posteriors(self, samples: int) -> list[Posterior]:
        """Of every plane."""
        return [
            Posterior(
                mean=images["mean"],
                std=images.get("std"),
                samples=samples,
                images={name: image for name, image in images.items() if name not in ("mean", "std")},
            )
            for images in self._found
        ]

    def misfit(self) -> npt.NDArray[np.float32] | None:
        """Map of chi-square with the axes of the prediction but ``c``; None where it was not measured."""
        maps = [images[CHI_SQUARE] for images in self._found if CHI_SQUARE in images]
        if not maps:
            return None
        image = self.planes.assemble(maps, (CHI_SQUARE,))
        return image.pixels.squeeze(axis=image.axes.index("c"))


def _prediction(target: _Arrays, samples: int, bundle: Bundle) -> Prediction:
    """Put the planes together again."""
    posteriors, planes = target.posteriors(samples), target.planes
    chosen, calibrated = target.outputs, target.calibrated
    usual = default_outputs(samples=samples, calibrated=calibrated is not None)
    made = [
        {one.word: one.make(posterior, calibrated) for one in (*usual, *chosen)} for posterior in posteriors
    ]
    names = bundle.spec.channels
    whole = {
        word: {
            kind: planes.assemble([parts[word][kind] for parts in made], channels_of(kind, names))
            for kind in images
        }
        for word, images in made[0].items()
    }
    usually = {kind: image.pixels for one in usual for kind, image in whole[one.word].items()}
    mean = whole["mean"]["mean"]
    return Prediction(
        mean=mean.pixels,
        std=usually.get("std"),
        calibrated_std=usually.get("calibrated std"),
        images={kind: image.pixels for one in chosen for kind, image in whole[one.word].items()},
        axes=mean.axes,
        channel_names=names,
        pixel_size=mean.pixel_size,
        time_interval=mean.time_interval,
        samples=samples,
    )
