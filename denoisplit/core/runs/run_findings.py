"""Everything that a report says about a run, from its files and from a few of its held-out images."""

import json
import logging
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
import torch

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.coverage import half_width
from denoisplit.core.assessment.noise_agreement import NoiseAgreement, noise_agreement
from denoisplit.core.assessment.scores import EvaluatedField, Scores
from denoisplit.core.devices import described
from denoisplit.core.errors import CalibrationError, DenoisplitError, ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.large_fields import centre_of_field, with_images
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixing import mix, mixed_image
from denoisplit.core.images.noise_correlation import NoiseCorrelation, noise_correlation
from denoisplit.core.images.physical import PixelSize
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.evidence import Evidence, gather_evidence
from denoisplit.core.prediction.outputs.offers import Calibrated
from denoisplit.core.prediction.outputs.posterior import Posterior, draw_samples, predict
from denoisplit.core.prediction.progress import Progress, within
from denoisplit.core.prediction.samples.sums_over import sum_intervals
from denoisplit.core.report.gathered import LEVEL, Looked, Predicted, RunFindings, shown_samples
from denoisplit.core.runs.evaluation import evaluate_run
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.calibration.calibration_fields import spread_out
from denoisplit.core.training.data.independence import independence
from denoisplit.core.training.data.open_dataset import open_dataset
from denoisplit.core.training.data.pairs import best_source, pairs_from
from denoisplit.core.training.data.prepare import OTHER_IMAGES, EvaluationData, evaluation_data
from denoisplit.core.training.data.supervision import supervision
from denoisplit.core.verdict.consistency import chi_square, mixed_variance, without_bias

_LOG: Final = logging.getLogger("denoisplit.runs")

THUMBNAILS: Final = 3
"""Number of training fields, and of held-out fields, on the data sheet."""


@attrs.frozen(kw_only=True)
class Extent:
    """How much a report looks at.

    Attributes:
        fields: largest number of held-out fields.
        side: pixels a side of their centres.
        samples: posterior samples of each.
    """

    fields: int = 3
    side: int = 176
    samples: int = 16


def run_findings(
    folder: RunFolder,
    vse: VSE,
    bundle: Bundle,
    extent: Extent,
    progress: Progress,
    data: EvaluationData | None = None,
) -> RunFindings:
    """Read and measure; what cannot be read is missing from the result, with the reason."""
    device = described(vse.device)
    looked = Looked(side=extent.side, samples=extent.samples)
    try:
        data = data or evaluation_data(bundle.spec, ceiling=bundle.ceiling)
    except DenoisplitError as error:
        others = f" {OTHER_IMAGES}" if isinstance(error, ImageError) else ""
        missing = attrs.evolve(looked, missing=" ".join(f"{error}{others}".split()))
        _LOG.warning("the report shows no images: %s", missing.missing)
        return RunFindings(folder=folder, bundle=bundle, device=device, looked=missing)
    train = _training_fields(folder, bundle, data)
    seen = independence(bundle, bundle.spec, data.given)
    told = [*seen.sentences(data.source)]
    if data.source == "validation" and seen.uses is not None and "" in seen.uses.values():
        told.append("Some of these fields are not those that were held out: the images have changed.")
    looked = attrs.evolve(
        looked,
        source=data.source,
        fields=len(data.fields),
        seen=tuple(told),
        supervision=supervision(bundle.spec, [*train, *data.given]),
    )
    cut = [_cut(field, extent.side, vse.spatial_rank) for field in spread_out(data.fields, extent.fields)]
    predicted, evaluated, scores = _predictions(vse, bundle, cut, extent, progress)
    noise, note = _noise(vse, bundle, cut)
    return RunFindings(
        folder=folder,
        bundle=bundle,
        device=device,
        looked=looked,
        train=train,
        held_out=spread_out(data.given, THUMBNAILS),
        predicted=predicted,
        evaluated=evaluated,
        scores=scores,
        noise=noise,
        noise_note=note,
        correlation=_correlations(bundle, cut),
    )


def _training_fields(folder: RunFolder, bundle: Bundle, data: EvaluationData) -> tuple[Field, ...]:
    """Some training fields as the data set gives them; none if they cannot be read."""
    try:
        names = json.loads(folder.splits.read_bytes())["train"]
        spec = bundle.spec
        given = data.whole or open_dataset(spec.data.train, spec.data.recorded or spec.channels).fields()
    except (DenoisplitError, OSError, ValueError, KeyError, TypeError) as error:
        _LOG.debug("no training fields for the report: %s", error)
        return ()
    return spread_out([field for field in given if field.name in names], THUMBNAILS)


def _cut(field: Field, side: int, rank: int) -> Field:
    """The centre of a field; its middle plane for a network of planes."""
    found = centre_of_field(field, side)
    if found.observed.ndim - 1 == rank:
        return found
    middle = found.observed.shape[1] // 2

    def plane(image: LazyArray) -> AnyArray:
        return np.ascontiguousarray(np.asarray(image)[..., middle, :, :])

    source = found.mixed_source
    if source is not None:
        source = attrs.evolve(source, noiseless=plane(source.noiseless), noise=plane(source.noise))
    size = found.pixel_size
    if size is not None:
        size = PixelSize(size.size[-2:], size.unit) if any(size.size[-2:]) else None
    return attrs.evolve(with_images(found, plane), mixed_source=source, pixel_size=size)


def _predictions(
    vse: VSE, bundle: Bundle, fields: Sequence[Field], extent: Extent, progress: Progress
) -> tuple[tuple[Predicted, ...], tuple[EvaluatedField, ...], Scores | None]:
    """Predict the fields, and score those with a clean reference."""
    spec, known = bundle.spec, [field for field in fields if _is_scored(field)]
    how = attrs.evolve(spec.prediction, samples=extent.samples)
    others = [field for field in fields if field not in known]
    scores, evaluated = None, tuple[EvaluatedField, ...]()
    if known:
        scores, evaluated = evaluate_run(
            vse,
            spec,
            bundle.calibration,
            known,
            samples=extent.samples,
            intervals=sum_intervals(bundle),
            progress=within(progress, 0, len(known), len(fields)),
        )
    calibrated = Calibrated.of(spec.calibrator, bundle.calibration)
    found = [
        _predicted(vse, bundle, field, how, one, calibrated, one.truth)
        for field, one in zip(known, evaluated, strict=True)
    ]
    for number, field in enumerate(others, start=len(known)):
        mixed = np.asarray(mixed_image(field, spec.data.mixing)[0])
        one = predict(vse, mixed, how, progress=within(progress, number, 1, len(fields)))
        found.append(_predicted(vse, bundle, field, how, one, calibrated, None))
    return tuple(found), evaluated, scores


def _is_scored(field: Field) -> bool:
    """Whether there is a clean reference with structure in every channel."""
    if field.clean is None:
        return False
    clean = np.asarray(field.clean)
    return bool(np.isfinite(clean).all() and all(np.ptp(channel) > 0 for channel in clean))


def _predicted(
    vse: VSE,
    bundle: Bundle,
    field: Field,
    how: PredictionSpec,
    found: EvaluatedField | Posterior,
    calibrated: Calibrated | None,
    truth: AnyArray | None,
) -> Predicted:
    spec, mean, std = bundle.spec, found.mean, found.std
    mixed = np.asarray(mixed_image(field, spec.data.mixing)[0])
    shown = shown_samples(len(spec.channels), how.samples)
    samples = draw_samples(vse, mixed, attrs.evolve(how, samples=shown))
    evidence = _evidence(vse, bundle, field, mixed)
    misfit = residual = None
    if evidence is not None:
        mixing = spec.data.mixing
        noise = mixed_variance(evidence.variance, mixing, spec.data.degradation)
        unbiased = without_bias(mixed, evidence.bias, mixing)
        misfit = chi_square(unbiased, mean, evidence.draw, noise, mixing)
        residual = (unbiased - mix(mean.astype(np.float64), mixing, axis=0)[0]) / np.sqrt(noise)
    after = None
    if std is not None and calibrated is not None and calibrated.has_std:
        after = calibrated.std(mean, std)
    return Predicted(
        name=field.name,
        mixed=mixed,
        mean=mean,
        std=std,
        calibrated_std=after,
        interval=interval_of(mean, std, calibrated),
        samples=samples,
        truth=truth,
        misfit=misfit,
        residual=residual,
        pixel_size=field.pixel_size,
    )


def interval_of(
    mean: AnyArray, std: AnyArray | None, calibrated: Calibrated | None
) -> tuple[AnyArray, AnyArray] | None:
    """The interval of ``LEVEL`` [c (z) y x], calibrated if possible; None if it is not known."""
    if std is None:
        return None
    if calibrated is None:
        return mean - half_width(LEVEL) * std, mean + half_width(LEVEL) * std
    try:
        return calibrated.interval(mean, std, LEVEL)
    except CalibrationError:
        return None


def _evidence(vse: VSE, bundle: Bundle, field: Field, mixed: AnyArray) -> Evidence | None:
    """The evidence on a mixed image; None for a network or noise model that gives none."""
    if vse.makes_a_plane:
        return None
    try:
        return gather_evidence(vse, mixed, bundle.spec.prediction, part=field.frame_part)
    except DenoisplitError as error:
        _LOG.debug("no evidence on field %s: %s", field.name, error)
        return None


def _noise(vse: VSE, bundle: Bundle, fields: Sequence[Field]) -> tuple[tuple[NoiseAgreement, ...], str]:
    """Measured against modelled noise of every channel, or why there is none."""
    model, channels = vse.noise_model, bundle.spec.channels
    if model.extra_maps or (bool(fields) and vse.camera(fields[0].frame_part) is not None):
        return (), (
            "This noise model gives every pixel a variance of its own, so there is no one curve to compare. "
            "Look at the misfit below."
        )
    try:
        source = best_source(fields)
        pairs = pairs_from(source, fields, len(channels), seed=bundle.spec.training.seed)
    except DenoisplitError as error:
        return (), f"The noise of these images could not be measured: {error}"
    found = []
    for number, (channel, own) in enumerate(zip(channels, pairs, strict=True)):
        signal = torch.zeros(1, len(channels), *[1] * (vse.spatial_rank - 1), own.signal.size)
        signal[0, number] = torch.from_numpy(np.asarray(own.signal, dtype=np.float32))
        with torch.inference_mode():
            variance = model.variance(signal.to(vse.device))[0, number].reshape(-1).cpu().numpy()
        one = noise_agreement(channel, own.origin, own.signal, own.observation, variance)
        if one is not None:
            found.append(one)
    return tuple(found), "" if found else "There are too few pixels to measure the noise."


def _correlations(bundle: Bundle, fields: Sequence[Field]) -> dict[str, NoiseCorrelation]:
    measured = {name: noise_correlation(fields, number) for number, name in enumerate(bundle.spec.channels)}
    return {name: found for name, found in measured.items() if found is not None}
