"""Training of a resolved spec into a run folder."""

import logging
from collections.abc import Callable, Sequence
from importlib.metadata import version

import attrs
import torch

from denoisplit.core.arrays import FloatArray
from denoisplit.core.devices import AUTO, described, seeded
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.network.alike import require_alike
from denoisplit.core.network.composer import compose, patch_sides
from denoisplit.core.network.freezing import freeze
from denoisplit.core.network.interfaces import FitReport, NoisePairs
from denoisplit.core.network.vse import VSE
from denoisplit.core.precision.choice import Choice, choose
from denoisplit.core.precision.probe import Purpose
from denoisplit.core.prediction.progress import Stages, silent
from denoisplit.core.spec import component_versions, to_yaml
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.spec.schema_of_a_spec import schema_of
from denoisplit.core.storage.atomic import write_text
from denoisplit.core.storage.bundle import Bundle, save_bundle
from denoisplit.core.storage.claim import Claim
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.start_folder import require_start_here
from denoisplit.core.training.calibration.completing import complete
from denoisplit.core.training.data.augmenting import augmentation_of
from denoisplit.core.training.data.batches import validation_loader
from denoisplit.core.training.data.cameras import read_camera
from denoisplit.core.training.data.noise_fits import fitted, pairs_for
from denoisplit.core.training.data.prepare import PreparedData, prepare, splits_text
from denoisplit.core.training.optimise import Learning, Learnt, optimise
from denoisplit.core.training.processes.meeting import met
from denoisplit.core.training.processes.other_processes import take_part, together
from denoisplit.core.training.processes.seat import seat_of
from denoisplit.core.training.processes.worker_start import require_start
from denoisplit.core.training.rehearsal import rehearse
from denoisplit.core.training.starts.resuming import (
    Identity,
    ResumePoint,
    point_of,
    require_same_data,
    require_same_spec,
)
from denoisplit.core.training.starts.same_training import without_devices
from denoisplit.core.training.starts.starting import start
from denoisplit.core.training.steps.drawing import step_seed
from denoisplit.core.training.steps.tried_objectives import objectives_of
from denoisplit.core.training.trainable import require_all_axes, require_trainable
from denoisplit.core.training.watchers.log_file import training_log
from denoisplit.core.training.watchers.logged import loggers_of, logging_to
from denoisplit.core.training.watchers.step_progress import StepProgress
from denoisplit.core.training.watchers.watchers_of_plugins import watchers_of_plugins
from denoisplit.core.training.watchers.watching import Watcher

_LOG = logging.getLogger("denoisplit.training")
_INITIAL_WEIGHTS = -1_000_000


def fit(
    spec: ResolvedSpec,
    folder: RunFolder,
    *,
    resume: bool,
    stages: Stages = silent,
    watchers: Sequence[Watcher] = (),
    read: Callable[[ResolvedSpec], PreparedData] = prepare,
    device: str = AUTO,
) -> None:
    """Train, calibrate and store a model; or, on a host that is not the first, take part in its training.

    Args:
        spec: the experiment.
        folder: the run folder; empty unless ``resume``.
        resume: continue from the last resume point, or begin if there is none.
        stages: shows the progress of training, calibration and reference statistics.
        watchers: observers of the training.
        read: reads the images of the spec.
        device: device of the training; ``auto`` takes that of the spec.

    Raises:
        RunError: no such device; or the folder is not empty, belongs to another training, or holds a run with
            another spec or other images.
        ImageError, NoiseModelError, SpecError: the data or the components do not allow this experiment.
        NonFiniteLossError: the objective became NaN or infinite.
        TrainingError: the trained network does not describe the images at all.
    """
    where = require_trainable(spec, device)
    seat = seat_of(spec.training, where)
    spec = without_devices(spec)
    if resume:
        require_same_spec(folder, spec)
        if folder.is_finished:
            folder.sweep()
            _LOG.info("%s: is finished and stays as it is", folder.path)
            return
    if seat.host:
        with met(seat, spec) as is_first_there:
            take_part(seat, is_first_there)
        return
    require_start(spec.training.workers)
    loggers = loggers_of(spec, folder.path)
    with training_log() as log, Claim(folder.path, resume=resume) as claim, met(seat, spec):
        begun = point_of(folder, spec) if claim.goes_on else None
        if begun is None:
            require_start_here(spec.training)
        data = read(spec)
        if begun is not None:
            require_same_data(folder, begun, data)
        vse = _initial(spec, data)
        precision = _precision(vse, spec, where, begun)
        sampler = _sampler(spec, data, vse.context, _camera(spec, data, vse))
        validation = validation_loader(
            data.validation, spec.data.mixing, context=vse.context, camera=vse.camera
        )
        objectives = objectives_of(spec, data.statistics)
        pairs = pairs_for(vse.noise_model, spec, data)
        reports = fitted(vse.noise_model, spec, pairs) if pairs else ()
        if begun is None:
            origin = start(vse, spec.training, spec.channels)
        else:  # its point has the weights, and the run that they came from may be another by now, or gone
            freeze(vse, spec.training.freeze)
            origin = begun.identity.start
        bundle = attrs.evolve(_bundle(spec, data, reports), start=origin, device=described(where))
        learning = Learning(
            training=spec.training,
            sampler=sampler,
            validation=validation,
            folder=folder,
            identity=Identity.of(spec, data.known.of_training, bundle.start),
            bundle=bundle,
            objectives=objectives,
        )
        rehearse(vse, bundle, clean=any(field.clean is not None for field in data.validation))
        # All mistakes in a spec or its images are found by now, before anything is written.
        claim.take()
        write_text(folder.spec, to_yaml(spec))
        write_text(folder.schema, schema_of(spec))
        write_text(folder.splits, splits_text(data))
        log.go_to(folder.log)
        _LOG.info("training on %s", described(where))
        _describe(spec, data, pairs, reports, precision)
        with together(seat, where) as ranks:
            with stages("Training") as tell, logging_to(loggers, spec, validation) as logged:
                looking_on = (*logged, StepProgress(tell), *watchers)
                looking_on += watchers_of_plugins(spec, folder.path)
                learnt = optimise(vse, learning, begun, looking_on, ranks)
            _finish(vse, bundle, data, folder, learnt, stages, where)


def _bundle(spec: ResolvedSpec, data: PreparedData, reports: tuple[FitReport, ...]) -> Bundle:
    """Description of a network before its first step."""
    return Bundle(
        spec=spec,
        statistics=data.statistics,
        noise_reports=reports,
        calibration=None,
        fitted_range=data.fitted,
        components=component_versions(spec),
        data_fingerprint=data.fingerprint,
        served=data.served,
        versions={name: version(name) for name in ("denoisplit", "torch", "lightning-fabric")},
        steps=0,
        best_step=0,
        best_loss=None,
        calibration_due=True,
    )


def _finish(
    vse: VSE,
    bundle: Bundle,
    data: PreparedData,
    folder: RunFolder,
    learnt: Learnt,
    stages: Stages,
    device: torch.device,
) -> None:
    """Calibrate and store the trained network.

    Raises:
        TrainingError: it does not describe the images at all.
    """
    learnt.kept.require_success()
    kept = learnt.kept.kept
    vse.load_state_dict(kept.weights, strict=True)
    vse.eval()
    for channel, sentence in vse.noise_model.concerns():
        _LOG.warning("noise model of %s after training: %s", bundle.spec.channels[channel], sentence)
    bundle = attrs.evolve(bundle, steps=learnt.steps, best_step=kept.step, best_loss=kept.loss)
    # First of all, so that hours of training are not lost because the calibration fails.
    save_bundle(folder, vse, bundle)
    # The precision of predictions on this machine.
    choice = choose(bundle.spec, vse, device, Purpose.PREDICTION)
    _LOG.info("precision of the calibration: %s", choice)
    vse.precision = choice.name
    complete(vse, bundle, data, folder, stages)
    _LOG.info("finished: weights of step %d in %s", kept.step, folder.path)


def check(spec: ResolvedSpec, device: str = AUTO) -> None:
    """Find mistakes in a spec or its images, without training and without writing anything.

    Raises:
        ImageError, SpecError, ChannelCountError: see ``fit``.
    """
    require_trainable(spec, device)
    require_start_here(spec.training)
    data = prepare(spec)
    vse = _initial(spec, data)
    _sampler(spec, data, vse.context, _camera(spec, data, vse))
    objectives_of(spec, data.statistics)
    start(vse, spec.training, spec.channels)


def _initial(spec: ResolvedSpec, data: PreparedData) -> VSE:
    """Build the network with its first weights, a function of the seed only."""
    with seeded(step_seed(spec.training.seed, _INITIAL_WEIGHTS)):
        vse = compose(spec.model, data.statistics, channels=spec.channels, patch=spec.training.patch)
    require_alike(vse, spec.prediction.orientations)
    require_all_axes(vse)
    return vse


def _precision(vse: VSE, spec: ResolvedSpec, device: torch.device, begun: ResumePoint | None) -> Choice:
    """Choose the precision of the steps; a resumed training keeps its first one."""
    if begun is None:
        choice = choose(spec, vse, device, Purpose.TRAINING)
    else:
        choice = Choice(begun.precision, "as the training was begun")
    vse.precision = choice.name
    return choice


def _camera(spec: ResolvedSpec, data: PreparedData, vse: VSE) -> tuple[FloatArray, ...]:
    return read_camera(vse, spec.data, data.train, data.validation)


def _sampler(
    spec: ResolvedSpec, data: PreparedData, context: int, camera: Sequence[FloatArray] = ()
) -> PatchSampler:
    training = spec.training
    patch = patch_sides(training.patch, spec.model.dimensions)
    return PatchSampler(
        data.train,
        patch=patch,
        batch=training.batch,
        seed=training.seed,
        augmentation=augmentation_of(training, patch),
        mixing=spec.data.mixing,
        fresh=data.fresh,
        context=context,
        foreground=training.foreground,
        camera=camera,
    )


def _describe(
    spec: ResolvedSpec,
    data: PreparedData,
    pairs: Sequence[NoisePairs],
    reports: Sequence[FitReport],
    precision: Choice,
) -> None:
    """Log the data, the precision and the noise models at the start of a training."""
    _LOG.info(
        "%d training fields, %d validation fields, channels %s",
        len(data.train),
        len(data.validation),
        ", ".join(spec.channels),
    )
    _LOG.info("precision of the training: %s", precision)
    for report in reports:
        _LOG.info(
            "noise model of %s: fitted to %d pairs (%s), %.4f nats per pixel, calibration error %.3f",
            spec.channels[report.channel],
            report.pairs,
            pairs[report.channel].origin,
            report.nll,
            report.calibration_error,
        )
        for sentence in report.warnings:
            _LOG.warning("noise model of %s: %s", spec.channels[report.channel], sentence)
