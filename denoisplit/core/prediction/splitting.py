"""Split an image plane by plane and tile by tile, wherever its pixels are and wherever the results go."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache, reduce
from pathlib import Path
from typing import final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.assessment.regions import TileSums
from denoisplit.core.errors import ImageError
from denoisplit.core.images.checks import check_channels, check_values
from denoisplit.core.images.interfaces import FloatArray, Image
from denoisplit.core.images.io import iterate_planes
from denoisplit.core.images.streamed import first_of, is_lazy
from denoisplit.core.network.composer import MIXED_CHANNELS
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.engine import Found, Work, run
from denoisplit.core.prediction.in_file import File
from denoisplit.core.prediction.label_counting import Counting, SumsOver
from denoisplit.core.prediction.memory import streamed_budget
from denoisplit.core.prediction.outputs import (
    Calibrated,
    default_outputs,
    parse_outputs,
    require_possible,
    summaries_of,
)
from denoisplit.core.prediction.passes import evaluating
from denoisplit.core.prediction.plan import plan_planes
from denoisplit.core.prediction.plane_judge import TileMisfit, misfit_of, plane_verdict
from denoisplit.core.prediction.posterior import Posterior
from denoisplit.core.prediction.request import Request
from denoisplit.core.prediction.result import Prediction
from denoisplit.core.prediction.sample_count import LEAST, PILOT, AutoSamples
from denoisplit.core.prediction.seams import Seams, SeamStrips
from denoisplit.core.prediction.sinks import Asked, Memory, Sink
from denoisplit.core.prediction.summaries import Spread, Summary
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.verdict.judgement import Verdict, joined

_KEPT = 2
"""Planes that are kept: tiles come of one after the other."""


def predict_image(vse: VSE, bundle: Bundle, image: Image, request: Request) -> Prediction:
    """Split and denoise an opened image; errors are those of ``Run.predict``."""
    return _Splitting(vse, bundle, image, request, memory=None).run(Memory())


def predict_to_file(
    vse: VSE, bundle: Bundle, image: Image, path: Path, request: Request, *, dtype: str
) -> Prediction:
    """Split and denoise an opened image into a file; errors are those of ``Run.predict_file``."""
    memory = streamed_budget(next(vse.parameters()).device)
    with ExitStack() as stack:
        sink = File(path, dtype=dtype, stack=stack)
        # The file appears when the stack ends without an error.
        return _Splitting(vse, bundle, image, request, memory=memory).run(sink)


@final
class _Splitting:
    """The prediction of one image.

    Args:
        vse: the network.
        bundle: of the run.
        image: mixed image, in memory or not.
        request: what to make of it.
        memory: working memory, bytes; None asks the machine. Given, the image is not read as a whole.
    """

    def __init__(
        self, vse: VSE, bundle: Bundle, image: Image, request: Request, *, memory: float | None
    ) -> None:
        self._vse, self._bundle, self._request, self._memory = vse, bundle, request, memory
        self._planes = iterate_planes(image, bundle.spec.model.dimensions)
        self._lazily = memory is not None or is_lazy(image.data)
        self._seen = lru_cache(_KEPT)(self._read)
        self._flaws: list[str] = []

    def run(self, sink: Sink) -> Prediction:
        """Choose the number of samples, predict all planes, judge them."""
        request, planes, bundle = self._request, self._planes, self._bundle
        calibrated = _calibrated(bundle)
        wanted = request.wanted_samples(bundle.spec.prediction)
        asked = () if request.output is None else parse_outputs(request.output)
        fewest = max([LEAST, *(one.least for one in asked)]) if isinstance(wanted, AutoSamples) else wanted
        require_possible(asked, samples=fewest, calibrated=calibrated)
        self._flaws = self._examined()
        labels = request.label_image(lazily=self._memory is not None)
        counting = None if labels is None else Counting.of(labels, planes, bundle)
        count = fewest
        if isinstance(wanted, AutoSamples):
            count = wanted.choose_for(self._pilot(), self._vse.statistics, least=fewest)
        outputs = asked or default_outputs(samples=count, calibrated=calibrated)
        misfit = misfit_of(
            self._vse, bundle, planes.plane_shape[1:], asked=any(one.misfit for one in outputs)
        )
        sums = None if counting is None else SumsOver(counting.divisions)
        further = [one for one in (misfit, sums) if one is not None]
        work = self._work(count, [Spread(), *summaries_of(outputs), *further])
        sink.begin(
            Asked(
                planes=planes,
                outputs=outputs,
                calibrated=calibrated,
                samples=count,
                channels=bundle.spec.channels,
            )
        )
        gathered = self._gathered(work, sink)
        return Prediction(
            images=sink.images,
            usual=sink.usual,
            layout=sink.layout,
            channel_names=bundle.spec.channels,
            samples=count,
            calibrated=calibrated is not None,
            path=sink.path,
            seam_score=_score([one.strips.measure() for one in gathered]),
            verdict=attrs.evolve(self._verdict(gathered), chi_square_map=sink.misfit),
            sums=None if counting is None else counting.finish([one.sums for one in gathered]),
        )

    def _gathered(self, work: Work, sink: Sink) -> list["_Gathered"]:
        """Predict everything; what is known of every plane then."""
        plan, gathered = work.plan, []
        for job, found in run(work, workers=self._request.workers, progress=self._request.progress):
            if job.tile is plan.tiles[0]:
                gathered.append(_Gathered(SeamStrips(plan.shape, plan.tiles)))
            here = gathered[job.plane]
            here.strips.add(job.tile, found.images["mean"])
            here.misfits += [fact for fact in found.facts if isinstance(fact, TileMisfit)]
            here.sums += [fact for fact in found.facts if isinstance(fact, TileSums)]
            sink.put(job.plane, job.tile, finite_posterior(found, plan.how.samples))
            if job.tile is plan.tiles[-1]:
                recorded, mixed = self._seen(job.plane)
                flaw = self._flaws[job.plane]
                here.verdict = plane_verdict(self._bundle, self._planes, recorded, mixed, here.misfits, flaw)
        return gathered

    def _work(self, samples: int, summaries: Sequence[Summary]) -> Work:
        request, vse = self._request, self._vse
        how = request.settled(self._bundle.spec.prediction, samples)
        with evaluating(vse):
            plan = plan_planes(
                vse,
                self._planes.plane_shape[1:],
                how,
                planes=len(self._planes),
                held=sum(summary.held(samples) for summary in summaries),
                workers=request.workers,
                memory=self._memory,
            )
            return Work(vse, plan, lambda number: self._seen(number)[1], summaries)

    def _read(self, number: int) -> tuple[FloatArray, FloatArray]:
        """A plane [(z) y x] as it was recorded, and as the network sees it, counts."""
        recorded = self._recorded(number)
        return recorded, self._bundle.conditioned(recorded)

    def _recorded(self, number: int) -> FloatArray:
        index = self._index(number)
        return first_of(self._planes.lazy(index) if self._lazily else self._planes.read(index))

    def _index(self, number: int) -> tuple[int, ...]:
        shape = self._planes.shape
        return tuple(int(i) for i in np.unravel_index(number, shape)) if shape else ()

    def _place(self, number: int) -> str:
        """What a plane is called, such as ``t=3``; empty for the only one."""
        pairs = zip(self._planes.leading, self._index(number), strict=True)
        return " ".join(f"{axis}={place}" for axis, place in pairs)

    def _examined(self) -> list[str]:
        """All are checked before the first is predicted, which may take a while: why planes hold nothing.

        Raises:
            ImageError: pixels that no network can use, or no plane holds a structure.
        """
        source = self._planes.image.source
        advice = "Give the mixed image, which has a single channel."
        names = [" ".join(filter(None, (source, self._place(n)))) for n in range(len(self._planes))]
        check_channels(self._planes.plane_shape[0], MIXED_CHANNELS, names[0], advice)
        flaws = [check_values(self._recorded(number), name) for number, name in enumerate(names)]
        if all(flaws):
            raise ImageError(f"{names[0]}: {flaws[0]}")
        return flaws

    def _pilot(self) -> Iterator[npt.NDArray[np.float64]]:
        """Mean variance of every channel [c], plane by plane, from a few samples."""
        work = self._work(PILOT, [Spread()])
        total: npt.NDArray[np.float64] = np.zeros(())
        for job, found in run(work, workers=self._request.workers, progress=self._request.progress):
            std = found.images["std"].astype(np.float64)
            total = total + np.square(std).sum(axis=tuple(range(1, std.ndim)))
            if job.tile is work.plan.tiles[-1]:
                yield total / math.prod(work.plan.shape)
                total = np.zeros(())

    def _verdict(self, gathered: Sequence["_Gathered"]) -> Verdict:
        """On all planes, which have to be usual all of them."""
        places = [self._place(number) for number in range(len(gathered))]
        return joined([one.verdict for one in gathered], places)


@attrs.define
class _Gathered:
    """What is known of a plane."""

    strips: SeamStrips
    misfits: list[TileMisfit] = attrs.field(factory=list)
    sums: list[TileSums] = attrs.field(factory=list)
    verdict: Verdict = attrs.field(factory=Verdict)


def finite_posterior(found: Found, samples: int) -> Posterior:
    """The images of a tile, all of whose numbers are finite.

    Raises:
        ImageError: they are not.
    """
    for name, image in found.images.items():
        if not np.isfinite(image).all():
            raise ImageError(
                f"prediction: the {name} is not finite (got NaN or infinity). Look for counts in the image "
                f"that are far from those of the training images."
            )
    rest = {name: image for name, image in found.images.items() if name not in ("mean", "std")}
    mean, std = found.images["mean"], found.images.get("std")
    return Posterior(mean=mean, std=std, samples=samples, images=rest)


def _score(found: Sequence[Seams | None]) -> float | None:
    seams = [one for one in found if one is not None]
    return reduce(Seams.__add__, seams).score if seams else None


def _calibrated(bundle: Bundle) -> Calibrated | None:
    if bundle.calibration is None:
        return None
    return Calibrated(bundle.spec.calibrator.build(), bundle.calibration)
