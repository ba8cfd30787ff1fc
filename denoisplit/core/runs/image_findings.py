"""Everything that a report says about the prediction of an image, from a part of one of its planes."""

import math
from collections.abc import Mapping
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Float32Array
from denoisplit.core.devices import described
from denoisplit.core.errors import DenoisplitError, ImageError
from denoisplit.core.images.bases import Image
from denoisplit.core.images.block_walks import picture
from denoisplit.core.images.derived_images import first_of
from denoisplit.core.images.io import Planes, iterate_planes
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.offers import CALIBRATED_STD, CHI_SQUARE, Calibrated
from denoisplit.core.prediction.outputs.plane_judge import misfit_of
from denoisplit.core.prediction.outputs.result import Prediction
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.samples.engine import Work, run
from denoisplit.core.prediction.samples.passes import evaluating
from denoisplit.core.prediction.samples.summaries import Samples, Spread, Summary, sample_name
from denoisplit.core.prediction.tiles.plan import plan_part
from denoisplit.core.prediction.tiles.tiling import Box
from denoisplit.core.report.gathered import ImageFindings, Predicted, shown_samples
from denoisplit.core.runs.run_findings import interval_of
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.run_folder import RunFolder

SIDE: Final = 176
"""Largest side of the part of an image that a report shows, pixels."""

DEPTH: Final = 8
"""Largest number of planes of a stack that are predicted for it."""

_USUAL: Final = ("mean", "std", CALIBRATED_STD)


def image_findings(
    folder: RunFolder,
    vse: VSE,
    bundle: Bundle,
    image: Image,
    prediction: Prediction,
    seed: int | None,
    progress: Progress,
) -> ImageFindings:
    """Choose a part of the image, and gather what its prediction says of it.

    Mean, std and calibrated std are those of the prediction, if it has them; the samples are drawn again, the
    same ones that it averaged.

    Args:
        folder: the run folder.
        vse: its network.
        bundle: its description.
        image: the predicted image.
        prediction: its prediction.
        seed: seed of the latent noise; None for that of the spec.
        progress: called with (done, total).

    Raises:
        ImageError: the image has other sides than the prediction.
    """
    _require_same_sides(image, prediction)
    planes = iterate_planes(image, bundle.spec.model.dimensions)
    number = len(planes) // 2
    recorded = first_of(planes.lazy(planes.index(number)))
    mixed = bundle.conditioned(recorded)
    part = _part(recorded, vse.stride)
    how = attrs.evolve(
        bundle.spec.prediction,
        samples=prediction.samples,
        seed=bundle.spec.prediction.seed if seed is None else seed,
    )
    given = _given(prediction, planes, number, part)
    found = _predicted_part(vse, bundle, mixed, how, part, given, progress)
    seen = np.asarray(mixed[part.slices])
    mean, std = found["mean"], found.get("std")
    calibrated = Calibrated.of(bundle.spec.calibrator, bundle.calibration)
    after = found.get(CALIBRATED_STD)
    if after is None and std is not None and calibrated is not None and calibrated.has_std:
        after = calibrated.std(mean, std)
    samples = [found[name] for name in map(sample_name, range(how.samples)) if name in found]
    return ImageFindings(
        folder=folder,
        bundle=bundle,
        device=described(vse.device),
        source=image.source,
        shape=tuple(image.data.shape),
        axes=image.axes,
        place=planes.place(number),
        plane=planes.plane_shape[1:],
        part=(part.start, part.stop),
        overview=np.asarray(picture(recorded)),
        predicted=Predicted(
            name=" ".join(filter(None, (image.source.rpartition("/")[2], planes.place(number)))),
            mixed=seen,
            mean=mean,
            std=std,
            calibrated_std=after,
            interval=interval_of(mean, std, calibrated),
            samples=np.stack(samples),
            misfit=found[CHI_SQUARE][0] if CHI_SQUARE in found else None,
            pixel_size=planes.pixel_size,
        ),
        seed=how.seed,
        prediction=prediction,
    )


def _require_same_sides(image: Image, prediction: Prediction) -> None:
    """Refuse an image that is not the one of a prediction, as far as its sides tell."""
    own, predicted = (
        {letter: side for letter, side in zip(one.axes, shape, strict=True) if letter != "c"}
        for one, shape in ((image, image.data.shape), (prediction, prediction.layout.shape))
    )
    if own != predicted:
        there, wanted = (
            f"{' x '.join(map(str, sides.values()))} ({''.join(sides)})" for sides in (own, predicted)
        )
        raise ImageError(
            f"{image.source}: is not the image that was predicted (got {there}, the prediction has "
            f"{wanted}). Give the image of this prediction, with the same axes."
        )


def _part(plane: LazyArray, stride: tuple[int, ...]) -> Box:
    """The part of a plane [(z) y x] with most contrast, beginning at multiples of the stride."""
    shown = np.asarray(picture(plane))
    shown = shown if shown.ndim == 2 else shown[len(shown) // 2]
    starts: list[int] = []
    stops: list[int] = []
    if plane.ndim == 3:
        depth = stride[0] * max(1, DEPTH // stride[0])
        first = (plane.shape[0] // 2) // stride[0] * stride[0]
        starts, stops = [first], [min(plane.shape[0], first + depth)]
    candidates = _grid(plane.shape[-2], stride[-2]), _grid(plane.shape[-1], stride[-1])
    scale = plane.shape[-2] / shown.shape[0]

    def contrast(y: int, x: int) -> float:
        height, width = (max(1, math.ceil(SIDE / scale)) for _ in range(2))
        top, left = int(y / scale), int(x / scale)
        return float(shown[top : top + height, left : left + width].std())

    y, x = max(((y, x) for y in candidates[0] for x in candidates[1]), key=lambda corner: contrast(*corner))
    starts += [y, x]
    stops += [min(side, start + SIDE) for side, start in zip(plane.shape[-2:], (y, x), strict=True)]
    return Box(tuple(starts), tuple(stops))


def _grid(side: int, stride: int) -> list[int]:
    """Where parts along an axis may begin: multiples of the stride, half a part apart."""
    last = max(0, side - SIDE) // stride * stride
    step = max(stride, SIDE // 2 // stride * stride)
    return sorted({*range(0, last + 1, step), last})


def _given(prediction: Prediction, planes: Planes, number: int, part: Box) -> dict[str, Float32Array]:
    """The images [c (z) y x] of a part that a prediction has."""
    places: dict[str, slice] = {
        letter: slice(i, i + 1) for letter, i in zip(planes.leading, planes.index(number), strict=True)
    }
    places |= {"c": slice(None), **dict(zip(planes.spatial, part.slices, strict=True))}
    key, found = tuple(places[letter] for letter in prediction.axes), {}
    for name in _USUAL:
        if name in prediction.usual:
            pixels = np.asarray(prediction.usual[name][key], dtype=np.float32)
            found[name] = pixels.reshape(len(prediction.channel_names), *part.shape)
    return found


def _predicted_part(
    vse: VSE,
    bundle: Bundle,
    mixed: LazyArray,
    how: PredictionSpec,
    part: Box,
    given: Mapping[str, AnyArray],
    progress: Progress,
) -> dict[str, AnyArray]:
    """Samples and misfit of a part, and mean and std where they are not given."""
    shown = shown_samples(len(bundle.spec.channels), how.samples)
    known = "mean" in given and ("std" in given or how.samples == 1)
    try:
        misfit = misfit_of(vse, bundle, tuple(mixed.shape), asked=True)
    except DenoisplitError:
        misfit = None  # camera maps of other sides
    with evaluating(vse):
        plan = plan_part(vse, mixed.shape, how, part)

    def images(samples: int, *summaries: Summary) -> dict[str, AnyArray]:
        work = Work(vse, plan, lambda _: mixed, (Spread(), *summaries), numbers=range(samples))
        ((_, found),) = run(work, progress=progress)
        return dict(found.images)

    # The expectation of chi-square is the same for any number of samples.
    found = images(shown, Samples(), *(() if misfit is None else (misfit,)))
    if known:
        found |= given
    elif shown < how.samples:
        found |= images(how.samples)
    return found
