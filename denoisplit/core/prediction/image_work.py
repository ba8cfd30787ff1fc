"""The work for one image: its planes, the number of samples, and what its jobs share."""

import logging
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, final

import numpy as np
import numpy.typing as npt

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image
from denoisplit.core.images.derived_images import first_of
from denoisplit.core.images.image_checks import check_channels, check_values
from denoisplit.core.images.io import Planes, iterate_planes
from denoisplit.core.images.lazy import LazyArray, is_lazy
from denoisplit.core.network.calibrating import ENOUGH, too_few
from denoisplit.core.network.composer import MIXED_CHANNELS
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.offers import Calibrated, Output
from denoisplit.core.prediction.outputs.output_words import (
    default_outputs,
    parse_outputs,
    require_possible,
    summaries_of,
)
from denoisplit.core.prediction.outputs.plane_judge import misfit_of
from denoisplit.core.prediction.request import Request
from denoisplit.core.prediction.samples.engine import Work, run
from denoisplit.core.prediction.samples.passes import evaluating
from denoisplit.core.prediction.samples.sample_count import LEAST, PILOT, AutoSamples
from denoisplit.core.prediction.samples.summaries import Grain, Spread, Summary
from denoisplit.core.prediction.samples.sums_over import SumsOver
from denoisplit.core.prediction.tiles.plan import plan_planes
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.sums.divisions import Division, label_divisions

_LOG: Final = logging.getLogger("denoisplit.prediction")

_KEPT = 2
"""Number of planes kept in memory; tiles come from one plane after the other."""


@final
class ImageWork:
    """The prediction of one image, up to its jobs.

    Args:
        vse: the network.
        bundle: the run's weights and records.
        image: mixed image, in memory or not.
        request: settings of the prediction.
        memory: working memory of the process, bytes; None asks the machine. If given, the image is never read
            as a whole.
        workers: number of jobs at the same time, which share the memory.

    Attributes:
        planes: planes of the image.
        calibrated: the calibration of the run; None without one.
        divisions: division of every plane into the regions of a label image; None without one.
        fewest: least number of posterior samples.

    Raises:
        SpecError: an invalid number of samples, or too few for the outputs that were asked for.
        CalibrationError: a calibrated output, but a run without calibration.
        ImageError: the image or the labels cannot be used.
    """

    def __init__(
        self,
        vse: VSE,
        bundle: Bundle,
        image: Image,
        request: Request,
        *,
        memory: float | None,
        workers: int,
    ) -> None:
        self._vse, self._bundle, self._request = vse, bundle, request
        self._memory, self._workers = memory, workers
        self.planes: Planes = iterate_planes(image, bundle.spec.model.dimensions)
        self.calibrated = Calibrated.of(bundle.spec.calibrator, bundle.calibration)
        self._wanted = request.wanted_samples(bundle.spec.prediction)
        self._asked = () if request.output is None else parse_outputs(request.output)
        self.fewest = (
            max([LEAST, *(one.least for one in self._asked)])
            if isinstance(self._wanted, AutoSamples)
            else self._wanted
        )
        require_possible(self._asked, samples=self.fewest, calibrated=self.calibrated)
        self.divisions: tuple[Division | None, ...] | None = None
        marked = request.label_image()
        if marked is not None:
            where, plane = f"labels of {image.source}", self.planes.plane_shape[1:]
            placed = marked.placed(image, self.planes)
            labels = placed if memory is not None else np.asarray(placed[...])
            self.divisions = label_divisions(labels, self.planes.shape, plane, where)
        self._lazily = memory is not None or is_lazy(image.data)
        self.seen = lru_cache(_KEPT)(self._read)

    def flaws(self) -> list[str]:
        """Why planes hold no structure, one message per plane; all are checked before the first is predicted.

        Raises:
            ImageError: pixels that no network can use, or no plane with a structure.
        """
        source = self.planes.image.source
        advice = "Give the mixed image, which has a single channel."
        names = [" ".join(filter(None, (source, self.planes.place(n)))) for n in range(len(self.planes))]
        check_channels(self.planes.plane_shape[0], MIXED_CHANNELS, names[0], advice)
        flaws = [check_values(self._recorded(number), name) for number, name in enumerate(names)]
        if all(flaws):
            raise ImageError(f"{names[0]}: {flaws[0]}")
        return flaws

    def samples(self) -> int:
        """Number of posterior samples; a few are drawn from every plane if it is chosen automatically."""
        if isinstance(self._wanted, AutoSamples):
            return self._wanted.choose(self._pilot(), self._vse.statistics, least=self.fewest)
        return self.fewest

    def outputs(self, samples: int) -> tuple[Output, ...]:
        """The outputs of the prediction."""
        return self._asked or default_outputs(samples=samples, calibrated=self.calibrated)

    def work(self, samples: int) -> Work:
        """The work that all jobs share."""
        outputs, shape = self.outputs(samples), self.planes.plane_shape[1:]
        fitted = self._bundle.spec.prediction.samples
        if any(one.calibrated for one in outputs) and too_few(samples, fitted):
            _LOG.warning(
                "%s: with %d samples, calibrated std and intervals are too narrow, as they were calibrated "
                "with %d. Take %d samples or more",
                self.planes.image.source,
                samples,
                fitted,
                ENOUGH,
            )
        misfit = misfit_of(self._vse, self._bundle, shape, asked=any(one.misfit for one in outputs))
        further: list[Summary] = [] if misfit is None else [misfit]
        if self.divisions is not None:
            further.append(SumsOver([[] if one is None else [one] for one in self.divisions]))
        return self._work(samples, [Spread(), *summaries_of(outputs), *further])

    def _work(self, samples: int, summaries: Sequence[Summary]) -> Work:
        request, vse = self._request, self._vse
        how = request.settled(self._bundle.spec.prediction, samples)
        with evaluating(vse):
            plan = plan_planes(
                vse,
                self.planes.plane_shape[1:],
                how,
                planes=len(self.planes),
                held=sum(summary.held(samples) for summary in summaries),
                workers=self._workers,
                memory=self._memory,
            )
            return Work(vse, plan, lambda number: self.seen(number)[1], summaries)

    def _read(self, number: int) -> tuple[LazyArray, LazyArray]:
        """A plane [(z) y x] as recorded and as the network sees it, counts."""
        recorded = self._recorded(number)
        return recorded, self._bundle.conditioned(recorded)

    def _recorded(self, number: int) -> LazyArray:
        index = self.planes.index(number)
        return first_of(self.planes.lazy(index) if self._lazily else self.planes.read(index))

    def _pilot(self) -> Iterator[npt.NDArray[np.float64]]:
        """Yield the mean variance of every channel [c], plane by plane, from a few samples."""
        work = self._work(PILOT, [Grain()])
        total: npt.NDArray[np.float64] = np.zeros(())
        for job, found in run(work, workers=self._workers, progress=self._request.progress):
            std = found.images["grain"].astype(np.float64)
            total = total + np.square(std).sum(axis=tuple(range(1, std.ndim)))
            if job.tile is work.plan.tiles[-1]:
                yield total / math.prod(work.plan.shape)
                total = np.zeros(())
