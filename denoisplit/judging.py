"""What a run says about an image that it predicted: the verdict."""

from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.images.interfaces import FloatArray
from denoisplit.core.images.io import Planes
from denoisplit.core.inference.evidence import gather_evidence
from denoisplit.core.network.vse import VSE
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.verdict.consistency import chi_square, mixed_variance, network_statistics
from denoisplit.core.verdict.judgement import FALSE_ALARMS, Measured, Verdict, joined, judge
from denoisplit.core.verdict.statistics import image_statistics, share_at_maximum


def verdict_on(
    vse: VSE,
    bundle: Bundle,
    planes: Planes,
    means: Sequence[FloatArray],
    *,
    seed: int,
    tile: int,
    asks_misfit: bool = False,
) -> tuple[Verdict, list[FloatArray]]:
    """Verdict on all planes of an image, and the map of chi-square [1 (z) y x] of each where it was measured.

    It costs one pass through encoder and decoder per plane, and nothing where the run knows no training
    images and nobody asks for the misfit.

    Args:
        vse: the network.
        bundle: of the run.
        planes: the image.
        means: posterior mean of every plane [c (z) y x], counts.
        seed: that the means were predicted with.
        tile: see ``posterior.predict``.
        asks_misfit: whether to measure chi-square, too, where there is nothing to compare it with.
    """
    verdicts: list[Verdict] = []
    maps: list[FloatArray] = []
    for (_, plane), mean in zip(planes, means, strict=True):
        found, misfit = _of_plane(
            vse, bundle, plane[0], mean, planes, seed=seed, tile=tile, asks_misfit=asks_misfit
        )
        verdicts.append(found)
        maps += [] if misfit is None else [misfit[None]]
    names = [
        " ".join(f"{axis}={i}" for axis, i in zip(planes.leading, index, strict=True))
        for index in np.ndindex(planes.shape)
    ]
    verdict = joined(verdicts, names)
    if not maps:
        return verdict, maps
    image = planes.assemble(maps, ("chi-square",))
    channel = image.axes.index("c")
    return attrs.evolve(verdict, chi_square_map=image.pixels.squeeze(axis=channel)), maps


def _of_plane(
    vse: VSE,
    bundle: Bundle,
    recorded: FloatArray,
    mean: FloatArray,
    planes: Planes,
    *,
    seed: int,
    tile: int,
    asks_misfit: bool,
) -> tuple[Verdict, FloatArray | None]:
    """Verdict and map of chi-square of one plane [(z) y x], counts."""
    reference, mixing = bundle.reference, bundle.spec.data.mixing
    centre, scale = bundle.statistics.mixed_mean, bundle.statistics.mixed_std
    statistics: dict[str, float] = {}
    misfit: FloatArray | None = None
    image = bundle.conditioned(recorded)
    if reference is not None:
        statistics = image_statistics(image, centre=centre, scale=scale)
    if asks_misfit or (reference is not None and "mixture" in reference.spreads):
        evidence = gather_evidence(vse, image, seed=seed, tile=tile)
        noise = mixed_variance(evidence.variance, mixing, bundle.spec.data.degradation)
        squares = chi_square(image, mean, evidence.draw, noise, mixing)
        statistics |= network_statistics(squares, evidence.rates)
        misfit = squares.astype(np.float32)
    dtype = planes.image.data.dtype
    measured = Measured(
        statistics=statistics,
        pixels=recorded.size,
        saturated=share_at_maximum(recorded),
        at_limit=dtype.kind in "ui" and recorded.max() >= np.float32(np.iinfo(dtype).max),
    )
    rate = FALSE_ALARMS / len(planes)
    return judge(measured, reference, centre=centre, scale=scale, rate=rate), misfit
