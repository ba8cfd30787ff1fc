"""Prediction plane by plane and tile by tile, independent of where pixels come from and results go."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import reduce

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.estimate import tile_memory
from denoisplit.core.prediction.files.elsewhere import Place, do_shard, finished, results
from denoisplit.core.prediction.files.in_file import File
from denoisplit.core.prediction.files.sinks import Asked, Memory, Sink
from denoisplit.core.prediction.files.spool import OtherTilesError, tiling_of
from denoisplit.core.prediction.image_work import ImageWork
from denoisplit.core.prediction.outputs.plane_judge import plane_verdict
from denoisplit.core.prediction.outputs.posterior import Posterior
from denoisplit.core.prediction.outputs.result import Prediction
from denoisplit.core.prediction.request import Request, Shard
from denoisplit.core.prediction.samples.engine import Found, Work, run
from denoisplit.core.prediction.samples.summaries import Facts
from denoisplit.core.prediction.samples.sums_over import summed
from denoisplit.core.prediction.tiles.memory import streamed_budget
from denoisplit.core.prediction.tiles.plan import Job
from denoisplit.core.prediction.tiles.seams import Seams, SeamStrips
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.verdict.judgement import Verdict, joined

_LOG = logging.getLogger("denoisplit.prediction")


def predict_image(vse: VSE, bundle: Bundle, image: Image, request: Request) -> Prediction:
    """Split and denoise an opened image; for errors, see ``Run.predict``."""
    image_work = ImageWork(vse, bundle, image, request, memory=None, workers=request.workers)
    flaws, samples = image_work.flaws(), image_work.samples()
    work = image_work.work(samples)
    found = run(work, workers=request.workers, progress=request.progress)
    return _gathered(image_work, bundle, samples, flaws, work, found, Memory())


def predict_to_file(
    vse: VSE, bundle: Bundle, image: Image, request: Request, place: Place, *, dtype: str
) -> Prediction:
    """Split and denoise an opened image into a file; for errors, see ``Run.predict_file``."""
    with ExitStack() as stack:
        sink = File(place.out, dtype=dtype, stack=stack)
        image_work, memory = _planned(vse, bundle, image, request, place)
        flaws, samples = image_work.flaws(), image_work.samples()
        work = image_work.work(samples)
        # The file appears when the stack ends without an error; the stored jobs are removed after that.
        found = results(work, request, place, memory=memory)
        prediction = _gathered(image_work, bundle, samples, flaws, work, found, sink)
    finished(place.out)
    return attrs.evolve(prediction, whole=sink.whole)


def predict_shard(
    vse: VSE, bundle: Bundle, image: Image, request: Request, place: Place, shard: Shard
) -> int:
    """Do the tiles of a shard; return how many of all tiles are still missing."""

    def done() -> int:
        image_work, memory = _planned(vse, bundle, image, request, place)
        image_work.flaws()
        return do_shard(image_work.work(image_work.samples()), request, place, shard, memory=memory)

    try:
        return done()
    except OtherTilesError:  # a shard that began at the same time, with other memory, was first: its tiles
        return done()


def _planned(vse: VSE, bundle: Bundle, image: Image, request: Request, place: Place) -> tuple[ImageWork, int]:
    """The work, and the memory of every process, bytes.

    Tiles that are finished were chosen for the workers that there were then, and so are the others.
    """
    threads = place.executor.threads(request.workers)
    memory = streamed_budget(vse.device, processes=request.workers // threads)
    chosen = tiling_of(place.out) if place.resume else None
    if chosen is None:
        return ImageWork(vse, bundle, image, request, memory=memory, workers=threads), memory
    asked = attrs.evolve(request, tile=chosen.side if request.tile is None else request.tile)
    work = ImageWork(vse, bundle, image, asked, memory=chosen.memory * threads, workers=threads)
    needed = tile_memory(vse, work.work(work.fewest).plan)
    if needed > memory // threads:
        told = "%s: goes on with the tiles of before, which take about %.1f GiB with %d workers at once"
        _LOG.warning(told, place.out, needed * request.workers / 2**30, request.workers)
    return work, chosen.memory * threads


def _gathered(
    image_work: ImageWork,
    bundle: Bundle,
    samples: int,
    flaws: Sequence[str],
    work: Work,
    results: Iterable[tuple[Job, Found]],
    sink: Sink,
) -> Prediction:
    """Put every result in its place, and judge the image."""
    planes, channels = image_work.planes, bundle.spec.channels
    sink.begin(
        Asked(
            planes=planes,
            outputs=image_work.outputs(samples),
            calibrated=image_work.calibrated,
            samples=samples,
            channels=channels,
        )
    )
    plan, gathered = work.plan, list[_Gathered]()
    for job, found in results:
        if job.tile is plan.tiles[0]:
            gathered.append(_Gathered(SeamStrips(plan.shape, plan.tiles, work.vse.level_strides[0])))
        here = gathered[job.plane]
        here.strips.add(job.tile, found.images["mean"])
        here.facts.extend(found.facts)
        sink.put(job.plane, job.tile, finite_posterior(found, samples))
        if job.tile is plan.tiles[-1]:
            recorded, mixed = image_work.seen(job.plane)
            here.verdict = plane_verdict(bundle, planes, recorded, mixed, here.facts, flaws[job.plane])
    verdict = joined([one.verdict for one in gathered], [planes.place(n) for n in range(len(gathered))])
    sums, divisions = None, image_work.divisions
    if divisions is not None:
        sums = summed(divisions, [one.facts for one in gathered], planes, bundle)
    return Prediction(
        images=sink.images,
        usual=sink.usual,
        layout=sink.layout,
        channel_names=channels,
        samples=samples,
        calibrated=image_work.calibrated is not None,
        path=sink.path,
        seam_score=_score([one.strips.measure() for one in gathered]),
        verdict=attrs.evolve(verdict, chi_square_map=sink.misfit),
        sums=sums,
    )


@attrs.define
class _Gathered:
    """Findings about a plane so far."""

    strips: SeamStrips
    facts: list[Facts] = attrs.field(factory=list)
    verdict: Verdict = attrs.field(factory=Verdict)


def finite_posterior(found: Found, samples: int) -> Posterior:
    """The images of a tile, checked to be finite.

    Raises:
        ImageError: a number is not finite.
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
