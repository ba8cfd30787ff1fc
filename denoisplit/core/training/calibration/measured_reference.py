"""Reference statistics of mixed images, measured after the training and stored with the run."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from denoisplit.core.errors import DenoisplitError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.mixing import mixed_image
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.evidence import gather_evidence
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.training.calibration.calibration_fields import spread_out
from denoisplit.core.verdict.consistency import (
    FAR_FROM_ONE,
    chi_square,
    mixed_variance,
    network_statistics,
    without_bias,
)
from denoisplit.core.verdict.image_statistics import image_statistics, share_at_maximum
from denoisplit.core.verdict.reference import Reference, Spread, parts, spreads, spreads_of_new

_LOG = logging.getLogger("denoisplit.training")

MOST_FIELDS = 64
MOST_PASSES = 24
"""Largest number of training fields, and of held-out fields, that the network predicts."""


def measure_reference(
    vse: VSE,
    spec: ResolvedSpec,
    train: Sequence[Field],
    held_out: Sequence[Field],
    progress: Progress | None = None,
) -> Reference:
    """Measure statistics of training and held-out fields, and of the network's predictions of them."""
    seen = [mixed_image(field, spec.data.mixing)[0] for field in spread_out([*train, *held_out], MOST_FIELDS)]
    centre, scale = vse.statistics.mixed_mean, vse.statistics.mixed_std
    units = [
        image_statistics(image[cell], centre=centre, scale=scale)
        for image, cells in zip(seen, parts([image.shape for image in seen]), strict=True)
        for cell in cells
    ]
    found = spreads(units, sum(image.size for image in seen) / len(units))
    try:
        found |= _of_network(
            vse, spec, spread_out(held_out, MOST_PASSES), spread_out(train, MOST_PASSES), progress
        )
    except DenoisplitError as error:
        # Hours of training must not be lost because a check is not possible.
        _LOG.warning("verdicts will not know the network's view of images: %s", error)
    if "mixture" in found:
        tell_misfit(float(np.exp(found["mixture"].mean)))
    if not found:
        _LOG.warning("verdicts on new images will be unknown: the fields are too few or too small")
    return Reference(
        spreads=found,
        saturated=max(share_at_maximum(image) for image in seen),
        pixel=_usual_pixel(train),
    )


def _usual_pixel(fields: Sequence[Field]) -> tuple[float | None, ...]:
    """Most frequent known pixel size of the fields, µm; empty if none is known."""
    known = Counter(field.pixel_size.sizes_in("µm") for field in fields if field.pixel_size is not None)
    return max(known, key=lambda size: known[size]) if known else ()


def tell_misfit(found: float) -> None:
    """Log the chi-square of held-out fields, as a warning if it is far from 1."""
    _LOG.info("channels of held-out fields add up to the mixed image: chi-square %.3g (1 is expected)", found)
    if found < 1 / FAR_FROM_ONE:
        _LOG.warning(
            "chi-square %.3g is far below 1: the noise model has too much variance, so the network was free "
            "to smooth. Look at what was said of the noise models, or try noise_model: {use: "
            "poisson_gaussian}",
            found,
        )
    elif found > FAR_FROM_ONE:
        _LOG.warning(
            "chi-square %.3g is far above 1: the predicted channels do not add up to the mixed image, or the "
            "noise model has too little variance. Train longer, or look at what was said of the noise models",
            found,
        )


def _of_network(
    vse: VSE,
    spec: ResolvedSpec,
    held_out: Sequence[Field],
    train: Sequence[Field],
    progress: Progress | None,
) -> Mapping[str, Spread]:
    if vse.makes_a_plane:
        return {}
    fields = (*held_out, *train)
    images = [mixed_image(field, spec.data.mixing)[0] for field in fields]
    _LOG.info("measuring reference statistics of %d images", len(images))
    units: tuple[list[dict[str, float]], list[dict[str, float]]] = ([], [])
    for number, (image, cells) in enumerate(
        zip(images, parts([image.shape for image in images]), strict=True)
    ):
        evidence = gather_evidence(
            vse,
            image,
            spec.prediction,
            part=fields[number].frame_part,
        )
        # The expectation is the same for any number of samples, so one will do.
        misfit = chi_square(
            without_bias(image, evidence.bias, spec.data.mixing),
            evidence.draw,
            evidence.draw,
            mixed_variance(evidence.variance, spec.data.mixing, spec.data.degradation),
            spec.data.mixing,
        )
        units[number >= len(held_out)].extend(
            network_statistics(misfit[cell], [rate[cell] for rate in evidence.rates], evidence.levels)
            for cell in cells
        )
        if progress is not None:
            progress(number + 1, len(images))
    pixels = sum(image.size for image in images) / sum(len(group) for group in units)
    return spreads_of_new(*units, pixels)
