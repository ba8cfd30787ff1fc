"""Posterior samples of one image of any size in memory, and their summaries."""

from collections.abc import Iterable, Sequence

import attrs
import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.samples.engine import Found, Work, joined, run
from denoisplit.core.prediction.samples.passes import evaluating
from denoisplit.core.prediction.samples.summaries import Facts, Images, Samples, Spread, Summary
from denoisplit.core.prediction.tiles.plan import Job, plan_planes
from denoisplit.core.prediction.tiles.seams import Seams, measure_seams
from denoisplit.core.prediction.tiles.tiling import Box
from denoisplit.core.spec.records import PredictionSpec


@attrs.frozen(kw_only=True)
class Posterior:
    """Summary of the posterior samples of one image.

    Attributes:
        mean: [c (z) y x], counts.
        std: unbiased, [c (z) y x], counts; None for a single sample, which has no spread.
        samples: number of samples.
        images: images [c (z) y x] of the summaries that were asked for, by name.
        facts: what the summaries found in every tile besides images.
        seams: visibility of tiles in the mean; None without borders between tiles.
    """

    mean: FloatArray = attrs.field(eq=False, repr=False)
    std: FloatArray | None = attrs.field(eq=False, repr=False)
    samples: int
    images: Images = attrs.field(factory=dict, eq=False, repr=False)
    facts: tuple[Facts, ...] = attrs.field(default=(), eq=False, repr=False)
    seams: Seams | None = None


def predict(
    vse: VSE,
    mixed: LazyArray,
    how: PredictionSpec,
    *,
    batch: int = 0,
    halo: tuple[int, ...] | None = None,
    workers: int = 1,
    summaries: Sequence[Summary] = (),
    progress: Progress | None = None,
) -> Posterior:
    """Mean and spread of the posterior of an image, and any further summaries.

    Samples are not kept: the memory for mean and std does not grow with their number.

    Args:
        vse: the network; it is in evaluation mode while this runs.
        mixed: image [(z) y x] of any size, counts.
        how: samples, seed of the latent noise field, side of a tile.
        batch: see ``plan_planes``.
        halo: see ``plan_planes``.
        workers: tiles predicted at the same time, each by a thread of its own that shares the network.
        summaries: further summaries of the samples; see ``summaries``.
        progress: called after every sample of every tile.

    Returns:
        Arrays of the dtype of the network's output (float32; float64 for a float64 network).

    Raises:
        ImageError: the image has another number of axes than the network, or no pixels.
        SpecError: fewer than one worker.
        PluginError: tiles are needed, but the network, or a noise model that a summary asks, looks at the
            whole image.
    """
    wanted = (Spread(), *summaries)
    held = sum(summary.held(how.samples) for summary in wanted)
    with evaluating(vse):
        plan = plan_planes(vse, mixed.shape, how, batch=batch, halo=halo, held=held, workers=workers)
        work = Work(vse, plan, lambda _: mixed, wanted)
    whole, facts = assembled(mixed.shape, run(work, workers=workers, progress=progress))
    mean, std = whole.pop("mean"), whole.pop("std", None)
    return Posterior(
        mean=mean,
        std=std,
        samples=how.samples,
        images=whole,
        facts=facts,
        seams=measure_seams(mean, plan.tiles, vse.level_strides[0]),
    )


def draw_samples(
    vse: VSE,
    mixed: LazyArray,
    how: PredictionSpec,
    *,
    first: int = 0,
    batch: int = 0,
    halo: tuple[int, ...] | None = None,
) -> FloatArray:
    """Posterior samples of an image, for inspection; the same ones that ``predict`` averages.

    Args:
        vse: the network.
        mixed: image [(z) y x] of any size, counts.
        how: see ``predict``.
        first: number of the first sample.
        batch: see ``plan_planes``.
        halo: see ``plan_planes``.

    Returns:
        [s c (z) y x], counts.

    Raises:
        ImageError, PluginError: see ``predict``.
    """
    with evaluating(vse):
        plan = plan_planes(vse, mixed.shape, how, batch=batch, halo=halo)
        work = Work(vse, plan, lambda _: mixed, [Samples()], numbers=range(first, first + how.samples))
    return np.stack(list(assembled(mixed.shape, run(work))[0].values()))


def assembled(
    shape: tuple[int, ...], results: Iterable[tuple[Job, Found]]
) -> tuple[dict[str, FloatArray], tuple[Facts, ...]]:
    """Whole images [c (z) y x] from the tiles of one plane, and the facts about each tile."""
    found = joined(Box((0,) * len(shape), shape), ((job.tile, one) for job, one in results))
    return dict(found.images), found.facts
