"""Optimisation from the first weights, or a resume point, to the weights to keep."""

import logging
from collections.abc import Sequence

import attrs
from torch.utils.data import DataLoader

from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.network.named_term import NamedTerm
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.data.batches import Pair, training_loader
from denoisplit.core.training.processes.other_processes import Told
from denoisplit.core.training.processes.worker_start import explained
from denoisplit.core.training.starts.resuming import Identity, ResumePoint
from denoisplit.core.training.steps.averaging import AveragedWeights
from denoisplit.core.training.steps.computing import computing
from denoisplit.core.training.steps.early_end import EarlyEnd
from denoisplit.core.training.steps.keeping import KeptWeights
from denoisplit.core.training.steps.loop import Loop
from denoisplit.core.training.steps.monitor import MONITORS
from denoisplit.core.training.steps.ranks import Ranks
from denoisplit.core.training.steps.task import SplittingTask
from denoisplit.core.training.watchers.watching import Watcher

_LOG = logging.getLogger("denoisplit.training")


@attrs.frozen(kw_only=True)
class Learning:
    """Data and settings of a training, and its run folder.

    Attributes:
        training: settings of the training.
        sampler: sampler of the training patches.
        validation: validation batches.
        folder: the run folder.
        identity: identity of the training.
        bundle: description of the network before its first step.
        objectives: terms beside distortion and rate.
    """

    training: TrainingSpec
    sampler: PatchSampler
    validation: DataLoader[Pair]
    folder: RunFolder
    identity: Identity
    bundle: Bundle
    objectives: tuple[NamedTerm, ...] = ()


@attrs.frozen(kw_only=True)
class Learnt:
    """Result of a training."""

    steps: int
    kept: KeptWeights


def optimise(
    vse: VSE,
    learning: Learning,
    begun: ResumePoint | None,
    watchers: Sequence[Watcher],
    ranks: Ranks,
) -> Learnt:
    """Train the network, or continue an interrupted training; it stays on the device of this process.

    Raises:
        NonFiniteLossError: the objective became NaN or infinite.
        RunError: the resume point does not fit the network.
        SpecError: memory is too small, or a step that has to be deterministic cannot be.
    """
    training, folder = learning.training, learning.folder
    task = SplittingTask(vse, training, learning.objectives).to(ranks.device)
    averaged = (AveragedWeights(task, training.average),) if training.average else ()
    judged = averaged[0].task if averaged else task
    kept = KeptWeights(training, judged, learning.validation)
    if begun is not None and begun.done:
        _LOG.info("step %d of %d was the last one: going on after it", begun.step, training.steps)
        kept.load_state_dict(begun.state["watchers"][kept.key])
        return Learnt(steps=begun.step, kept=kept)
    # If the last weights are kept, there is no early end: it would cut off a cosine at a high rate.
    early = EarlyEnd(MONITORS[training.monitor], training.stop_patience, every=training.validate_every)
    end = () if training.keeps_last else (early,)
    # The average comes first, so that the others see it up to date.
    looking_on = (*averaged, kept, *end, *watchers)
    loop = Loop(task, training, looking_on, ranks, judged=judged)
    if begun is not None:
        _LOG.info("going on from step %d of %d", begun.step, training.steps)
        loop.go_on_from(begun, folder.resume_point)
    if ranks.number > 1:
        ranks.from_first(lambda: Told.of(vse, learning.bundle, loop.point(learning.identity)))
    batches = training_loader(
        learning.sampler,
        range(loop.step, training.steps),
        workers=training.workers,
        pinned=ranks.device.type == "cuda",
    )
    with computing(vse, training, ranks.device), explained(training.workers):
        loop.run(batches, learning.validation, point=folder.resume_point, identity=learning.identity)
    return Learnt(steps=loop.step, kept=kept)
