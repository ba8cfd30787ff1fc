"""Training of the sequential baseline: from two specs to the folder of a sequence."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from denoisplit.core.arrays import AnyArray, Float32Array
from denoisplit.core.assessment.scores import Scores
from denoisplit.core.devices import AUTO
from denoisplit.core.given import path_of, require, require_function
from denoisplit.core.images.bases import Field, Image
from denoisplit.core.images.channel_names import MIXED
from denoisplit.core.images.mixing import mixed_image
from denoisplit.core.main_guard import stop_in_worker
from denoisplit.core.prediction.notebook_bar import notebook_bar
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.prediction.outputs.result import PathLike
from denoisplit.core.prediction.progress import Progress, Stages, part_of
from denoisplit.core.runs import after_training
from denoisplit.core.runs.run import Run, load
from denoisplit.core.runs.sequence import SequentialRun, load_sequence
from denoisplit.core.spec import load_spec, read_spec
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.storage.atomic import write_text
from denoisplit.core.storage.claim import Claim
from denoisplit.core.storage.image_files import save_image, save_mixed
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.sequence_folder import CHANNELS, CLEAN, SequenceFolder
from denoisplit.core.training.data.prepare import PreparedData, evaluation_fields, prepare, prepare_denoised

if TYPE_CHECKING:
    from denoisplit.core.training.sequence_specs import SequencePlan

_LOG = logging.getLogger("denoisplit.sequence")


def train_sequence(
    denoise: PathLike,
    split: PathLike,
    out: PathLike,
    *,
    denoise_overrides: Sequence[str] = (),
    split_overrides: Sequence[str] = (),
    resume: bool = False,
    stages: Stages = notebook_bar,
    device: str = AUTO,
) -> SequentialRun:
    """Train a denoiser per channel and one for the mixed image, denoise all images, train a splitter on them.

    Args:
        denoise: spec of the denoisers; images and seed come from the other spec.
        split: spec of the splitter, with the noisy images.
        out: folder to write; must be empty or missing unless ``resume``. It will contain the runs
            ``denoise-<channel>`` and ``denoise-mixed``, the images ``denoised``, the run ``split`` and
            ``summary.json``.
        denoise_overrides: ``a.b=c`` as on the command line.
        split_overrides: ``a.b=c`` as on the command line.
        resume: continue an interrupted sequence; finished parts are kept.
        stages: shows progress; see ``train``.
        device: see ``train``.

    Raises:
        DenoisplitError: says what is wrong and what to do.
    Source: Ashesh & Jug, denoiSplit, ECCV 2024 (HDN, then muSplit).
    """
    stop_in_worker()
    require_function(stages, "stages")
    require(isinstance(resume, bool), "resume", resume, "True or False")
    # The training modules take seconds to import.
    from denoisplit.core.training.fit import check
    from denoisplit.core.training.sequence_specs import parts_of, plan_sequence

    folder = SequenceFolder(path_of(out, "out"))
    denoising = read_spec(path_of(denoise, "denoise"), denoise_overrides)
    plan = plan_sequence(denoising, load_spec(path_of(split, "split"), split_overrides))
    if resume:
        folder.require_same(plan.differences_from)
        folder.sweep()
        if folder.is_finished:
            _LOG.info("%s: is finished and stays as it is", folder.path)
            return load_sequence(folder.path, device=device)
    with Claim(folder.path, resume=resume) as claim:
        # Nothing is written before: errors in the last run should not show after all the others.
        for spec in (plan.splitter, next(iter(plan.denoisers.values()))):
            check(spec, device)
        parts, fingerprint = parts_of(plan.splitter)
        folder.require_same_data(fingerprint)
        claim.take()
        folder.begin(plan.to_json(), fingerprint)
        return _run(plan, folder, parts, stages, device)


def _run(
    plan: "SequencePlan",
    folder: SequenceFolder,
    parts: Mapping[str, tuple[Field, ...]],
    stages: Stages,
    device: str,
) -> SequentialRun:
    """Train all runs of a sequence except those that are finished."""
    from denoisplit.core.training.sequence_specs import on_denoised

    count = len(plan.denoisers) + 2
    for number, (name, spec) in enumerate(plan.denoisers.items(), start=1):
        _train(spec, folder.denoiser(name), f"{number} of {count}: denoise {name}", stages, device)
    denoisers = {name: load(folder.denoiser(name).path, device=device) for name in plan.denoisers}
    _LOG.info("%d of %d: denoise all images", count - 1, count)
    with stages("Denoising") as tell:
        for number, (part, fields) in enumerate(parts.items()):
            _denoise(fields, part, denoisers, plan.splitter, folder, part_of(tell, number, len(parts)))
    final = on_denoised(plan.splitter, folder, parts)
    title = f"{count} of {count}: split {' + '.join(final.channels)}"
    _train(final, folder.splitter, title, stages, device, read=prepare_denoised)
    splitter = load(folder.splitter.path, device=device)
    origin, fields = evaluation_fields(final)
    known = [field for field in fields if field.clean is not None]
    with stages("Evaluating") as tell:
        scores = splitter.evaluate(known, progress=tell)[0] if known else None
    _summarise(folder, denoisers, splitter, parts, origin, scores)
    after_training.report_after_training(splitter.folder, splitter.vse, splitter.bundle, stages)
    return SequentialRun(folder=folder, denoiser=denoisers[MIXED], splitter=splitter, scores=scores)


def _train(
    spec: ResolvedSpec,
    folder: RunFolder,
    title: str,
    stages: Stages,
    device: str,
    *,
    read: Callable[[ResolvedSpec], PreparedData] = prepare,
) -> None:
    """Train or resume a run; a finished one is left alone."""
    from denoisplit.core.training.fit import fit

    if folder.is_finished:
        _LOG.info("%s: finished before", title)
        return
    _LOG.info("%s", title)
    fit(spec, folder, resume=True, stages=stages, read=read, device=device)


def _denoise(
    fields: Sequence[Field],
    part: str,
    denoisers: Mapping[str, Run],
    spec: ResolvedSpec,
    folder: SequenceFolder,
    progress: Progress,
) -> None:
    """Write the denoised channels, the denoised mixed image and the clean reference of all fields."""
    for number, field in enumerate(fields):
        paths = {kind: folder.image(part, number, kind) for kind in (CHANNELS, MIXED, CLEAN)}
        if paths[CHANNELS].is_file():
            continue
        mixed = _mean(denoisers[MIXED], mixed_image(field, spec.data.mixing)[0])
        save_mixed(paths[MIXED], mixed[0], field.pixel_size)
        if field.clean is not None:
            _save(paths[CLEAN], np.asarray(field.clean), field, spec)
        images = [
            _mean(denoisers[name], channel)
            for name, channel in zip(spec.channels, field.observed, strict=True)
        ]
        # The channels come last: if they exist, the field is done.
        _save(paths[CHANNELS], np.concatenate(images), field, spec)
        _LOG.info("denoised %s (%s, %d of %d)", field.name, part, number + 1, len(fields))
        progress(number + 1, len(fields))


def _mean(run: Run, image: AnyArray) -> Float32Array:
    """Posterior mean [1 (z) y x] of an image [(z) y x] as in training, counts."""
    return predict(run.vse, image, run.spec.prediction).mean


def _save(path: Path, channels: Float32Array, field: Field, spec: ResolvedSpec) -> None:
    axes = f"c{'zyx'[1 - channels.ndim :]}"
    save_image(
        path,
        Image(data=channels, axes=axes, channel_names=spec.channels, pixel_size=field.pixel_size),
    )


def _summarise(
    folder: SequenceFolder,
    denoisers: Mapping[str, Run],
    splitter: Run,
    parts: Mapping[str, tuple[Field, ...]],
    origin: str,
    scores: Scores | None,
) -> None:
    """Write the summary: the runs, their fields, and the scores of the splitter."""
    runs = {**{f"denoise {name}": run for name, run in denoisers.items()}, "split": splitter}
    plain = {
        "channels": list(splitter.spec.channels),
        "runs": {
            name: {
                "folder": run.path.name,
                "steps": run.bundle.steps,
                "best_step": run.bundle.best_step,
                "best_loss": run.bundle.best_loss,
            }
            for name, run in runs.items()
        },
        "denoising_samples": denoisers[MIXED].spec.prediction.samples,
        "fields": {part: [field.name for field in fields] for part, fields in parts.items()},
        "evaluated": origin if scores else None,
        **(scores.to_json() if scores else {}),
    }
    write_text(folder.summary, json.dumps(plain, indent=2, allow_nan=False) + "\n")
