"""The training steps, from the first weights or a resume point to the weights that are kept."""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Final

import attrs
import lightning
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Callback, EarlyStopping
from torch.utils.data import DataLoader

from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.network.objective_terms import NamedTerm
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.batches import Pair, training_loader
from denoisplit.core.training.callbacks import MetricsFile
from denoisplit.core.training.compiling import compiled_regions
from denoisplit.core.training.keeping import KeptWeights
from denoisplit.core.training.monitor import MONITORS
from denoisplit.core.training.resume_files import ResumeFiles
from denoisplit.core.training.resuming import Identity, ResumePoint, ResumePoints
from denoisplit.core.training.task import SplittingTask
from denoisplit.core.training.worker_start import explained

_LOG = logging.getLogger("denoisplit.training")

MIN_IMPROVEMENT: Final = 1e-6


@attrs.frozen(kw_only=True)
class Learning:
    """What a network learns from, and where the traces go.

    Attributes:
        training: how.
        sampler: of the patches.
        validation: batches to look at in between.
        folder: of the run.
        identity: of the training.
        objectives: terms beside distortion and rate.
    """

    training: TrainingSpec
    sampler: PatchSampler
    validation: DataLoader[Pair]
    folder: RunFolder
    identity: Identity
    objectives: tuple[NamedTerm, ...] = ()


@attrs.frozen(kw_only=True)
class Learnt:
    """The end of a training.

    Attributes:
        steps: optimiser steps done.
        kept: the weights to keep, and what is known of them.
    """

    steps: int
    kept: KeptWeights


def optimise(vse: VSE, learning: Learning, begun: ResumePoint | None, watchers: Sequence[Callback]) -> Learnt:
    """Train the network, or go on from where it was interrupted.

    Raises:
        NonFiniteLossError: the objective became NaN or infinite.
        RunError: the resume point does not fit the network.
    """
    training = learning.training
    task = SplittingTask(vse, training, learning.objectives)
    kept = KeptWeights(training, task, learning.validation)
    if begun is not None and begun.done:
        _LOG.info("step %d of %d was the last one: going on after it", begun.step, training.steps)
        kept.load_state_dict(begun.callbacks[kept.state_key])
        return Learnt(steps=begun.step, kept=kept)
    if begun is not None:
        _LOG.info("going on from step %d of %d", begun.step, training.steps)
    with _quiet_lightning():
        trainer = _trainer(learning, kept, watchers)
        compiling = compiled_regions(vse) if training.compile else nullcontext()
        with _interruptible(), compiling, explained(training.workers):
            trainer.fit(
                task,
                training_loader(
                    learning.sampler,
                    steps=training.steps,
                    current=lambda: trainer.global_step,
                    workers=training.workers,
                ),
                learning.validation,
                ckpt_path=None if begun is None else begun.path,
                weights_only=True,
            )
    return Learnt(steps=trainer.global_step, kept=kept)


def _trainer(learning: Learning, kept: KeptWeights, watchers: Sequence[Callback]) -> lightning.Trainer:
    training, folder = learning.training, learning.folder
    return lightning.Trainer(
        max_epochs=1,
        max_steps=training.steps,
        accelerator="auto",
        devices=1,
        logger=False,
        # Not what a batch system says: one process trains, and goes on from nothing but its own points.
        plugins=[ResumeFiles(), LightningEnvironment()],
        default_root_dir=folder.path,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
        val_check_interval=min(training.validate_every, training.steps),
        check_val_every_n_epoch=None,
        gradient_clip_val=training.gradient_clip,
        gradient_clip_algorithm="norm",
        callbacks=[
            kept,
            *_early_end(training),
            MetricsFile(folder.metrics),
            ResumePoints(folder.resume_point, learning.identity, every=training.checkpoint_every),
            *watchers,
        ],
    )


def _early_end(training: TrainingSpec) -> tuple[EarlyStopping, ...]:
    """Where the last weights are kept there is none: a cosine that is cut off ends at a high rate."""
    if training.keeps_last:
        return ()
    monitor = MONITORS[training.monitor]
    return (
        EarlyStopping(
            monitor.name,
            mode=monitor.mode,
            min_delta=MIN_IMPROVEMENT,
            patience=training.stop_patience,
            check_on_train_epoch_end=False,
            check_finite=False,
        ),
    )


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
