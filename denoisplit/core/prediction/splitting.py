"""Split an image plane by plane and tile by tile, wherever its pixels are and wherever the results go."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import TypedDict, final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.assessment.label_sums import LabelSums
from denoisplit.core.errors import ImageError
from denoisplit.core.images.checks import check_channels, check_pixels
from denoisplit.core.images.interfaces import AnyArray, FloatArray, Image
from denoisplit.core.images.io import Planes, iterate_planes
from denoisplit.core.images.streamed import first_of, is_lazy
from denoisplit.core.network.composer import MIXED_CHANNELS
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.label_counting import Counting
from denoisplit.core.prediction.outputs import (
    Calibrated,
    Output,
    default_outputs,
    parse_outputs,
    require_possible,
    summaries_of,
)
from denoisplit.core.prediction.plane_judge import PlaneJudge, verdict_on
from denoisplit.core.prediction.posterior import Posterior
from denoisplit.core.prediction.progress import Progress, part_of
from denoisplit.core.prediction.sample_count import LEAST, PILOT, AutoSamples, parse_samples
from denoisplit.core.prediction.seams import Seams, SeamStrips
from denoisplit.core.prediction.summaries import Images, Summary
from denoisplit.core.prediction.tilewise import Put, Visit, plan, predict_tiles
from denoisplit.core.prediction.tiling import Tile
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.image_files import open_labels
from denoisplit.core.verdict.judgement import Verdict


class How(TypedDict, total=False):
    """Keyword arguments of ``Run.predict``."""

    samples: int | str | None
    seed: int | None
    tile: int | None
    axes: str | None
    output: str | Sequence[str] | None
    workers: int
    labels: AnyArray | str | os.PathLike[str] | None
    progress: Progress | None


@attrs.frozen(kw_only=True)
class Wish:
    """What to make of an image; attributes are the arguments of ``Run.predict``."""

    samples: int | str | None
    seed: int | None
    tile: int | None
    output: str | Sequence[str] | None
    workers: int
    labels: AnyArray | None
    progress: Progress | None

    @classmethod
    def of(cls, how: How, *, lazily: bool) -> "Wish":
        """From arguments, with their defaults; ``lazily`` leaves large labels in their file."""
        labels = how.get("labels")
        if labels is not None and not isinstance(labels, np.ndarray):
            labels = open_labels(Path(labels), lazily=lazily)
        return cls(
            samples=how.get("samples"),
            seed=how.get("seed"),
            tile=how.get("tile"),
            output=how.get("output"),
            workers=how.get("workers", 1),
            labels=labels,
            progress=how.get("progress"),
        )


class Target(ABC):
    """Where the results go."""

    @abstractmethod
    def begin(self, planes: Planes, outputs: Sequence[Output], calibrated: Calibrated | None) -> None:
        """Get to know the image, what was asked for, and the calibration."""

    @abstractmethod
    def put(self, number: int, tile: Tile, posterior: Posterior) -> None:
        """Take the inner area of a tile of the plane ``number``; the images of ``posterior`` are of it."""


@attrs.frozen(kw_only=True)
class Split:
    """What is known of a prediction besides its images; see ``Prediction``.

    Attributes:
        samples: number of posterior samples.
        calibrated: whether the run is calibrated.
        seam_score, verdict, sums: see ``Prediction``.
    """

    samples: int
    calibrated: bool
    seam_score: float | None
    verdict: Verdict
    sums: LabelSums | None


def split(
    vse: VSE, bundle: Bundle, image: Image, wish: Wish, target: Target, *, memory: float | None = None
) -> Split:
    """Predict an opened image.

    Args:
        vse: the network.
        bundle: of the run.
        image: mixed image, in memory or not.
        wish: what to make of it.
        target: gets the results.
        memory: working memory, bytes; None asks the machine. Given, the image is not read as a whole.

    Raises:
        DenoisplitError: see ``Run.predict``.
    """
    planes = iterate_planes(image, bundle.spec.model.dimensions)
    return _Splitting(vse, bundle, planes, wish, memory).run(target)


@final
@attrs.frozen
class _Splitting:
    vse: VSE
    bundle: Bundle
    planes: Planes
    wish: Wish
    memory: float | None

    def run(self, target: Target) -> Split:
        """Choose the number of samples, predict all planes, judge them."""
        wish, calibrated = self.wish, _calibrated(self.bundle)
        prediction = self.bundle.spec.prediction
        wanted = parse_samples(prediction.samples if wish.samples is None else wish.samples)
        asked = () if wish.output is None else parse_outputs(wish.output)
        fewest = max([LEAST, *(one.least for one in asked)]) if isinstance(wanted, AutoSamples) else wanted
        require_possible(asked, samples=fewest, calibrated=calibrated is not None)
        self._check()
        counting = None if wish.labels is None else Counting.of(wish.labels, self.planes, self.bundle)
        count = fewest
        if isinstance(wanted, AutoSamples):
            count = wanted.choose_for(self._pilot(), self.vse.statistics, least=fewest)
        outputs = asked or default_outputs(samples=count, calibrated=calibrated is not None)
        target.begin(self.planes, outputs, calibrated)
        collected = [] if counting is None else counting.begin(count)
        visits: Sequence[Visit | None] = [one.add for one in collected] or [None] * len(self.planes)
        asks = any(one.misfit for one in outputs)
        judges, seams = [], []
        for number, recorded in enumerate(self._recorded()):
            mixed = self.bundle.conditioned(recorded)
            judge = PlaneJudge(self.vse, self.bundle, recorded, mixed, self.planes, asks_misfit=asks)
            put = partial(_put, target, number, count)
            seams.append(self._plane(number, mixed, count, summaries_of(outputs), put, judge, visits[number]))
            judges.append(judge)
        return Split(
            samples=count,
            calibrated=calibrated is not None,
            seam_score=_score(seams),
            verdict=verdict_on(judges, self.planes),
            sums=None if counting is None else counting.finish(collected),
        )

    def _recorded(self) -> Iterator[FloatArray]:
        """Every plane [(z) y x] as it was recorded, counts."""
        lazily = self.memory is not None or is_lazy(self.planes.image.data)
        for index in np.ndindex(self.planes.shape):
            yield first_of(self.planes.lazy(index) if lazily else self.planes.read(index))

    def _check(self) -> None:
        """All are checked before the first is predicted, which may take a while."""
        for index, recorded in zip(np.ndindex(self.planes.shape), self._recorded(), strict=True):
            place = (f"{a}={i}" for a, i in zip(self.planes.leading, index, strict=True))
            where = " ".join([self.planes.image.source, *place])
            check_channels(
                self.planes.plane_shape[0],
                MIXED_CHANNELS,
                where,
                "Give the mixed image, which has a single channel.",
            )
            check_pixels(recorded, where)

    def _pilot(self) -> Iterator[npt.NDArray[np.float64]]:
        """Mean variance of every channel [c], plane by plane, from a few samples."""
        for number, recorded in enumerate(self._recorded()):
            squares = _Squares()
            self._plane(number, self.bundle.conditioned(recorded), PILOT, (), squares.put, None, None)
            yield squares.total / np.prod(recorded.shape, dtype=np.int64)

    def _plane(
        self,
        number: int,
        mixed: FloatArray,
        samples: int,
        summaries: Sequence[Summary],
        put: Put,
        judge: PlaneJudge | None,
        visit: Visit | None,
    ) -> Seams | None:
        """Predict one plane; its seams."""
        wish, defaults = self.wish, self.bundle.spec.prediction
        told = None if wish.progress is None else part_of(wish.progress, number, len(self.planes))
        passes = plan(
            self.vse,
            mixed,
            samples=samples,
            seed=defaults.seed if wish.seed is None else wish.seed,
            tile=defaults.tile if wish.tile is None else wish.tile,
            workers=wish.workers,
            summaries=summaries,
            memory=self.memory,
        )
        strips = SeamStrips(passes.shape, passes.tiles)

        def take(tile: Tile, images: Images) -> None:
            strips.add(tile, images["mean"])
            put(tile, images)

        predict_tiles(
            passes,
            take,
            samples=samples,
            workers=wish.workers,
            summaries=summaries,
            progress=told,
            visit=visit,
            further=None if judge is None else judge.further,
        )
        return strips.measure()


class _Squares:
    """Adds up the variance of the samples of every channel [c]."""

    def __init__(self) -> None:
        self.total: npt.NDArray[np.float64] = np.zeros(())

    def put(self, _: Tile, images: Images) -> None:
        std = images["std"].astype(np.float64)
        self.total = self.total + np.square(std).sum(axis=tuple(range(1, std.ndim)))


def _put(target: Target, number: int, samples: int, tile: Tile, images: Images) -> None:
    for name, image in images.items():
        if not np.isfinite(image).all():
            raise ImageError(
                f"prediction: the {name} is not finite (got NaN or infinity). Look for counts in the image "
                f"that are far from those of the training images."
            )
    rest = {name: image for name, image in images.items() if name not in ("mean", "std")}
    posterior = Posterior(mean=images["mean"], std=images.get("std"), samples=samples, images=rest)
    target.put(number, tile, posterior)


def _score(found: Sequence[Seams | None]) -> float | None:
    seams = [one for one in found if one is not None]
    return reduce(Seams.__add__, seams).score if seams else None


def _calibrated(bundle: Bundle) -> Calibrated | None:
    if bundle.calibration is None:
        return None
    return Calibrated(bundle.spec.calibrator.build(), bundle.calibration)
