"""From a resolved spec to a finished run folder."""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.metadata import version

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from torch.utils.data import DataLoader

from denoisplit.core.errors import RunError
from denoisplit.core.images.centres import CENTRE, in_memory
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.inference.progress import Stages, silent
from denoisplit.core.network.composer import compose, patch_sides
from denoisplit.core.network.interfaces import FitReport, NoisePairs
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import Registry, installed_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.core.spec import component_versions, components, is_text_of, schema_text, spec_schema, to_yaml
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.storage.atomic import write_text
from denoisplit.core.storage.bundle import Bundle, save_bundle
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.states import load_weights
from denoisplit.core.training.batches import Pair, training_loader, validation_loader
from denoisplit.core.training.calibrate import calibrate_run
from denoisplit.core.training.callbacks import BestWeights, MetricsFile, ResumePoints
from denoisplit.core.training.compiling import compiled_regions
from denoisplit.core.training.log_file import log_file
from denoisplit.core.training.monitor import MONITORS
from denoisplit.core.training.precision import network_dtype
from denoisplit.core.training.prepare import PreparedData, noise_pairs, prepare, splits_text
from denoisplit.core.training.reference import measure_reference
from denoisplit.core.training.resume_files import ResumeFiles
from denoisplit.core.training.step_progress import StepProgress
from denoisplit.core.training.task import SplittingTask, step_seed

_LOG = logging.getLogger("denoisplit.training")
_INITIAL_WEIGHTS = -1_000_000
MIN_IMPROVEMENT = 1e-6


def fit(
    spec: ResolvedSpec,
    folder: RunFolder,
    *,
    resume: bool,
    stages: Stages = silent,
    watchers: Sequence[Callback] = (),
) -> None:
    """Train, calibrate and store a model.

    Args:
        spec: the experiment.
        folder: where the run goes; empty unless ``resume``.
        resume: continue from the last resume point, or start anew when there is none.
        stages: shows how far training, calibration and reference have come.
        watchers: Lightning callbacks that look on.

    Raises:
        RunError: the folder is not empty.
        ImageError, NoiseModelError, SpecError: the data or the components do not allow this experiment.
        NonFiniteLossError: the objective became NaN or infinite.
    """
    if resume:
        _require_same(spec, folder)
    else:
        folder.require_free()
    data = prepare(spec)
    splits = splits_text(data)
    if resume and folder.splits.is_file() and folder.splits.read_text(encoding="utf-8") != splits:
        raise RunError(
            f"{folder.splits}: names other fields than the data has now (got {len(data.train)} for training, "
            f"{len(data.validation)} for validation). Restore the images, or train into another folder."
        )
    vse = _initial(spec, data)
    sampler = _sampler(spec, data, vse.context)
    validation = validation_loader(data.validation, spec.data.mixing, context=vse.context)
    pairs = _noise_pairs(vse, spec, data)
    reports = vse.noise_model.fit(pairs, seed=spec.training.seed) if pairs else ()
    # Only now is all found that a spec or its images can have wrong: nothing was written for a mistake.
    folder.path.mkdir(parents=True, exist_ok=True)
    write_text(folder.spec, to_yaml(spec))
    write_text(folder.schema, _schema_text(spec))
    write_text(folder.splits, splits)
    with log_file(folder.log):
        _describe(spec, data, pairs, reports)
        with stages("Training") as tell:
            looking_on = (StepProgress(spec.training.steps, tell), *watchers)
            best, steps = _optimise(vse, spec, sampler, validation, folder, looking_on)
        vse.load_state_dict(load_weights(folder.best_weights), strict=True)
        vse.eval()
        for channel, sentence in vse.noise_model.concerns():
            _LOG.warning("noise model of %s after training: %s", spec.channels[channel], sentence)
        held_out = in_memory(data.validation, CENTRE, "calibration and verdicts")
        learnt = in_memory(data.conditioned, CENTRE, "verdicts")
        with stages("Calibrating") as tell:
            calibrations = calibrate_run(vse, spec, held_out, tell)
        with stages("Looking at the images") as tell:
            reference = measure_reference(vse, spec, learnt, held_out, tell)
        save_bundle(
            folder,
            vse,
            Bundle(
                spec=spec,
                statistics=data.statistics,
                noise_reports=reports,
                calibration=calibrations.pixels,
                region_calibration=calibrations.regions,
                fitted_range=data.fitted,
                reference=reference,
                components=component_versions(spec),
                data_fingerprint=data.fingerprint,
                served=data.served,
                versions={name: version(name) for name in ("denoisplit", "torch", "lightning")},
                steps=steps,
                best_step=best.step,
                best_loss=best.loss,
            ),
        )
        _LOG.info("finished: weights of step %d in %s", best.step, folder.path)


def check(spec: ResolvedSpec) -> None:
    """Find what a spec or its images have wrong, without training and without writing anything.

    Raises:
        ImageError, SpecError, ChannelCountError: as ``fit`` would.
    """
    data = prepare(spec)
    _sampler(spec, data, _initial(spec, data).context)


def _require_same(spec: ResolvedSpec, folder: RunFolder) -> None:
    """A run can only be continued with the spec that it was begun with."""
    if folder.spec.is_file() and not is_text_of(folder.spec.read_text(encoding="utf-8"), spec):
        raise RunError(
            f"{folder.spec}: differs from the spec given with --resume. "
            f"Continue with the same spec and --set options, or train into another folder."
        )


def _schema_text(spec: ResolvedSpec) -> str:
    """JSON Schema with the built-ins and the packages that the spec uses; imports no other plugin."""
    used = {BUILTIN, *(component.package for component in components(spec))}
    rows = [row for row in installed_registry().components() if row.package in used]
    return schema_text(spec_schema(Registry(rows))[0])


def _initial(spec: ResolvedSpec, data: PreparedData) -> VSE:
    """The network with its first weights, a function of the seed alone."""
    with torch.random.fork_rng():
        torch.manual_seed(step_seed(spec.training.seed, _INITIAL_WEIGHTS, 0))
        vse = compose(spec.model, data.statistics, channels=spec.channels, patch=spec.training.patch)
    vse.network_dtype = network_dtype(spec.training.precision)
    return vse


def _sampler(spec: ResolvedSpec, data: PreparedData, context: int) -> PatchSampler:
    training = spec.training
    return PatchSampler(
        data.train,
        patch=patch_sides(training.patch, spec.model.dimensions),
        batch=training.batch,
        seed=training.seed,
        augment=training.augment,
        mixing=spec.data.mixing,
        fresh=data.fresh,
        context=context,
        foreground=training.foreground,
    )


def _noise_pairs(vse: VSE, spec: ResolvedSpec, data: PreparedData) -> tuple[NoisePairs, ...]:
    """What the noise models are fitted to; nothing if they need no fit."""
    if not vse.noise_model.needs_fit:
        return ()
    return noise_pairs(spec.data, data.conditioned, len(spec.channels), seed=spec.training.seed)


def _describe(
    spec: ResolvedSpec, data: PreparedData, pairs: Sequence[NoisePairs], reports: Sequence[FitReport]
) -> None:
    """Log what training starts from."""
    _LOG.info(
        "%d training fields, %d validation fields, channels %s",
        len(data.train),
        len(data.validation),
        ", ".join(spec.channels),
    )
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


def _optimise(
    vse: VSE,
    spec: ResolvedSpec,
    sampler: PatchSampler,
    validation: DataLoader[Pair],
    folder: RunFolder,
    watchers: Sequence[Callback],
) -> tuple[BestWeights, int]:
    """Train; the best weights and the number of steps done."""
    training = spec.training
    monitor = MONITORS[training.monitor]
    best = BestWeights(folder.best_weights, monitor)
    with _quiet_lightning():
        trainer = lightning.Trainer(
            max_epochs=1,
            max_steps=training.steps,
            accelerator="auto",
            devices=1,
            logger=False,
            plugins=[ResumeFiles()],
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            num_sanity_val_steps=0,
            val_check_interval=min(training.validate_every, training.steps),
            check_val_every_n_epoch=None,
            gradient_clip_val=training.gradient_clip,
            gradient_clip_algorithm="norm",
            callbacks=[
                best,
                EarlyStopping(
                    monitor.name,
                    mode=monitor.mode,
                    min_delta=MIN_IMPROVEMENT,
                    patience=training.stop_patience,
                    check_on_train_epoch_end=False,
                    check_finite=False,
                ),
                MetricsFile(folder.metrics),
                ResumePoints(folder.resume_point, every=training.checkpoint_every),
                *watchers,
            ],
        )
        compiling = compiled_regions(vse) if training.compile else nullcontext()
        with _interruptible(), compiling:
            trainer.fit(
                SplittingTask(vse, training),
                training_loader(
                    sampler,
                    steps=training.steps,
                    current=lambda: trainer.global_step,
                    workers=training.workers,
                ),
                validation,
                ckpt_path=folder.resume_point if folder.resume_point.is_file() else None,
                weights_only=True,
            )
    return best, trainer.global_step


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let an interrupt be an interrupt: Lightning exits the process, and leaves it deaf to further ones."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Only errors of Lightning are shown: it advises on workers, devices and loggers, all chosen here."""
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", module="torch.utils.data")
        try:
            yield
        finally:
            logger.setLevel(before)
