"""Evaluation: predicts fields of known truth and scores the prediction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import AnyArray, Float32Array
from denoisplit.core.assessment.catalogue import USUAL, chosen_metrics
from denoisplit.core.assessment.coverage import LEVELS
from denoisplit.core.assessment.scores import EvaluatedField, Scores, evaluate_fields
from denoisplit.core.assessment.sum_errors import SumErrors, sum_errors
from denoisplit.core.errors import CalibrationError, ImageError
from denoisplit.core.given import items_of, texts_of
from denoisplit.core.images.bases import Field, Image
from denoisplit.core.images.image_checks import check_pixels
from denoisplit.core.images.io import Planes, iterate_planes
from denoisplit.core.images.lazy import without_mask
from denoisplit.core.images.mixing import mixed_image
from denoisplit.core.network.interfaces import Calibration
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.offers import Calibrated
from denoisplit.core.prediction.outputs.posterior import draw_samples, predict
from denoisplit.core.prediction.progress import Progress, part_of
from denoisplit.core.prediction.request import number_of
from denoisplit.core.prediction.samples.sums_over import SumsOver
from denoisplit.core.spec.records import Chosen, ResolvedSpec
from denoisplit.core.staging import staged
from denoisplit.core.sums.divisions import BLOCK_SIDES, LABELS, Division, block_division, label_divisions
from denoisplit.core.sums.sum_intervals import SumIntervals
from denoisplit.core.sums.tile_sums import gathered_sums

GALLERY: Final = 4
"""Number of samples in the gallery."""
FIGURE_DPI: Final = 150
FIGURES: Final = ("samples", "maps", "errors", "calibration", "coverage", "regions")
"""Names of the figures that ``write_figures`` can write."""


def evaluate_run(
    vse: VSE,
    spec: ResolvedSpec,
    calibration: Calibration | None,
    fields: Sequence[Field],
    *,
    samples: int | None = None,
    metrics: Sequence[str] | None = None,
    further: Sequence[str | Chosen] = (),
    labels: Sequence[AnyArray] | None = None,
    intervals: SumIntervals | None = None,
    progress: Progress | None = None,
) -> tuple[Scores, tuple[EvaluatedField, ...]]:
    """Score a network on fields with a clean reference; return the scores and the evaluated fields.

    Args:
        vse: the network.
        spec: the spec of its training.
        calibration: calibration of its std; None without one.
        fields: fields as from ``evaluation_fields``, with background and ceiling corrected.
        samples: posterior samples; None takes the spec's.
        metrics: names of scores; None for the usual ones and those of the spec.
        further: names of additional scores.
        labels: label images [(z) y x], one per field, whose regions' sums are assessed in addition to those
            of blocks. A network of planes treats every plane of a stack, and its regions, separately.
        intervals: calibration of sums over regions; None without one.
        progress: called with (done, total) over all fields.

    Raises:
        ImageError: a field without a clean reference, or labels that do not fit the fields.
        SpecError: an unknown score.
        MissingPackageError: a score needs a package that is not installed.
    """
    fields = items_of(fields, Field, "fields", "fields, as evaluation_fields gives them")
    wanted: tuple[str | Chosen, ...] = (
        (*USUAL, *spec.metrics) if metrics is None else texts_of(metrics, "metrics")
    )
    scores = chosen_metrics([*wanted, *items_of(further, str | Chosen, "further_metrics", "names")])
    if labels is not None:
        given = items_of(labels, np.ndarray, "labels", "arrays")
        labels = [without_mask(one, "labels", "0") for one in given]
    if labels is not None and len(labels) != len(fields):
        raise ImageError(
            f"labels: every field needs one label image (got {len(labels)} for {len(fields)} fields: "
            f"{', '.join(field.name for field in fields)}). Give them in the order of the fields."
        )
    how = _How(
        vse=vse,
        spec=spec,
        calibrated=Calibrated.of(spec.calibrator, calibration),
        intervals=intervals,
        samples=spec.prediction.samples if samples is None else number_of("samples", samples),
    )
    walks = [how.walk(field) for field in fields]
    divisions = [
        how.divisions(field, walk, None if labels is None else labels[number])
        for number, (field, walk) in enumerate(zip(fields, walks, strict=True))
    ]
    if labels is not None and not any(
        one.name == LABELS for own in divisions for part in own for one in part
    ):
        raise ImageError(
            f"labels: there is no region in any field (got only 0 in {len(labels)}). Give other label images."
        )
    evaluated = tuple(
        how.evaluated(*given, None if progress is None else part_of(progress, number, len(fields)))
        for number, given in enumerate(zip(fields, walks, divisions, strict=True))
    )
    found = evaluate_fields(evaluated, channel_names=spec.channels, mixing=spec.data.mixing, metrics=scores)
    return found, evaluated


def draw_field_samples(vse: VSE, spec: ResolvedSpec, mixed: AnyArray, *, samples: int) -> Float32Array:
    """The first posterior samples [s c (z) y x] of an evaluated field, for inspection.

    A network of planes samples the middle plane of a stack.

    Args:
        vse: the network.
        spec: the spec of its training.
        mixed: the mixed image of the field [1 (z) y x], counts.
        samples: number of samples.
    """
    image = mixed[0] if mixed.ndim - 1 == vse.spatial_rank else mixed[0, mixed.shape[1] // 2]
    return draw_samples(vse, image.astype(np.float32), attrs.evolve(spec.prediction, samples=samples))


def write_figures(
    folder: Path,
    vse: VSE,
    spec: ResolvedSpec,
    evaluated: Sequence[EvaluatedField],
    scores: Scores,
    *,
    calibration: Calibration | None,
) -> tuple[Path, ...]:
    """Write the figures of an evaluation as PNG files; images show the first field.

    Args:
        folder: folder of the files, created if needed; files of the same names are replaced.
        vse: the network.
        spec: the spec of its training.
        evaluated: the evaluated fields.
        scores: their scores.
        calibration: calibration of the run, for the intervals; None without one.

    Returns:
        Paths of the files; figures that need a std are left out without one.
    """
    # Only figures need matplotlib.
    from denoisplit.core.assessment import field_figures, uncertainty_figures

    first, names = evaluated[0], spec.channels
    known = Calibrated.of(spec.calibrator, calibration)
    interval_of = None if known is None else known.interval
    samples = draw_field_samples(vse, spec, first.mixed, samples=GALLERY)
    shown = {"samples": field_figures.sample_gallery(first, samples, names)}
    maps = field_figures.uncertainty_maps(first, names, interval_of)
    errors = field_figures.error_figure(evaluated, names, interval_of)
    if maps is not None and errors is not None:
        shown |= {"maps": maps, "errors": errors}
        shown |= {"calibration": uncertainty_figures.calibration_figure(scores)}
        shown |= {"coverage": uncertainty_figures.coverage_figure(scores)}
    if scores.regions:
        shown |= {"regions": uncertainty_figures.region_figure(scores)}
    for name, figure in shown.items():
        with staged(folder / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=FIGURE_DPI, format="png")
    return tuple(folder / f"{name}.png" for name in shown)


@attrs.frozen(kw_only=True)
class _How:
    """Settings that all fields share."""

    vse: VSE
    spec: ResolvedSpec
    calibrated: Calibrated | None
    intervals: SumIntervals | None
    samples: int

    def walk(self, field: Field) -> Planes:
        """The mixed image of a field, cut into the planes or stacks that the network takes."""
        if field.clean is None:
            raise ImageError(
                f"field {field.name}: has no clean reference. Leave it out, or name its clean image."
            )
        mixed = mixed_image(field, self.spec.data.mixing)[0]
        image = Image(data=mixed, axes="zyx"[-mixed.ndim :], source=f"field {field.name}")
        return iterate_planes(image, self.spec.model.dimensions)

    def divisions(self, field: Field, walk: Planes, labels: AnyArray | None) -> list[list[Division]]:
        """The regions of every plane or stack of a field."""
        plane = walk.plane_shape[1:]
        blocks = [block_division(plane, side) for side in BLOCK_SIDES]
        marked: Sequence[Division | None] = [None] * len(walk)
        if labels is not None:
            marked = label_divisions(labels, walk.shape, plane, f"labels of field {field.name}")
        return [[division for division in (*blocks, own) if division] for own in marked]

    def evaluated(
        self,
        field: Field,
        walk: Planes,
        divisions: Sequence[Sequence[Division]],
        progress: Progress | None,
    ) -> EvaluatedField:
        """Predict a field."""
        clean = np.asarray(field.clean)
        how, names = attrs.evolve(self.spec.prediction, samples=self.samples), self.spec.channels
        means, stds, calibrated, covered = [], [], [], []
        regions: list[SumErrors] = []
        for number, (index, plane) in enumerate(walk):
            check_pixels(plane[0], f"field {field.name}")
            truth = clean[:, index[0]] if index else clean
            posterior = predict(
                self.vse,
                plane[0],
                how,
                progress=None if progress is None else part_of(progress, number, len(walk)),
                summaries=[SumsOver([divisions[number]])],
            )
            means.append(posterior.mean)
            if posterior.std is None:
                continue
            stds.append(posterior.std)
            known, after = self.calibrated, None
            if known is not None:
                covered.append(_covered(known, posterior.mean, posterior.std, truth))
            if known is not None and known.has_std:
                after = known.std(posterior.mean, posterior.std).astype(np.float32)
                calibrated.append(after)
            spread = posterior.std if after is None else after
            sums = gathered_sums(divisions[number], posterior.facts)
            regions += [
                sum_errors(division, samples, posterior.mean, spread, truth, self.intervals)
                for division, samples in zip(divisions[number], sums, strict=True)
            ]
        return EvaluatedField(
            name=field.name,
            mixed=np.asarray(mixed_image(field, self.spec.data.mixing)),
            truth=clean,
            mean=walk.assemble(means, names).pixels,
            std=walk.assemble(stds, names).pixels if stds else None,
            calibrated_std=walk.assemble(calibrated, names).pixels if calibrated else None,
            covered=_assembled(walk, covered) if covered else None,
            regions=tuple(regions),
            pixel_size=field.pixel_size,
        )


def _covered(
    calibrated: Calibrated, mean: Float32Array, std: Float32Array, truth: AnyArray
) -> dict[float, npt.NDArray[np.bool_]]:
    """For each level, where the truth lies within the calibrated interval [c (z) y x]."""
    covered = {}
    for level in LEVELS:
        try:
            low, high = calibrated.interval(mean, std, level)
        except CalibrationError:
            continue  # some calibrators support certain levels only; the others are not reported
        covered[level] = (low <= truth) & (truth <= high)
    return covered


def _assembled(
    walk: Planes, covered: Sequence[dict[float, npt.NDArray[np.bool_]]]
) -> dict[float, npt.NDArray[np.bool_]]:
    """Stack planes in their original order."""
    if not walk.leading:
        return covered[0]
    return {level: np.stack([inside[level] for inside in covered], axis=1) for level in covered[0]}
