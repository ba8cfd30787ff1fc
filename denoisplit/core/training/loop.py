"""The steps of a training, one after the other, on a device."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import final

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from denoisplit.core.devices import give_back_memory, is_shortage
from denoisplit.core.errors import RunError, SpecError
from denoisplit.core.network.objective import LossTerms, numbers_of, with_numbers
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.batches import Pair, moved
from denoisplit.core.training.descent import monitored, optimizer_of, schedule_of
from denoisplit.core.training.early_end import EarlyEnd
from denoisplit.core.training.parts import Part
from denoisplit.core.training.resuming import Identity, ResumePoint
from denoisplit.core.training.schedule import after_step, after_validation
from denoisplit.core.training.task import SplittingTask, values_of
from denoisplit.core.training.watching import Moment, RememberingWatcher, Watcher


@final
class Loop:
    """A training, step by step; every step is a function of its number and of the state before it.

    Args:
        task: what is learnt.
        spec: how.
        watchers: look on, in this order.
        device: where; the network is moved there, and stays.

    Attributes:
        step: optimiser steps done.
    """

    def __init__(
        self, task: SplittingTask, spec: TrainingSpec, watchers: Sequence[Watcher], device: torch.device
    ) -> None:
        self.step = 0
        self._task, self._spec, self._watchers = task, spec, tuple(watchers)
        # Not what a batch system says: one process trains.
        devices = [device.index] if device.index is not None else 1
        self._fabric = Fabric(accelerator=device.type, devices=devices, plugins=[LightningEnvironment()])
        self._learnt = [weight for weight in task.vse.parameters() if weight.requires_grad]
        optimizer = optimizer_of(self._learnt, spec)
        self._schedule = schedule_of(optimizer, spec)
        self._module, self._optimizer = self._fabric.setup(task, optimizer)
        self._values: dict[str, float] = {}

    def run(
        self, batches: Iterable[Pair], validation: Iterable[Pair], *, point: Path, identity: Identity
    ) -> None:
        """Do the steps that are left.

        Args:
            batches: of these steps.
            validation: batches to look at in between.
            point: file of the resume points.
            identity: of the training.

        Raises:
            NonFiniteLossError: the objective became NaN or infinite.
            SpecError: the memory is not enough for a batch; says what is.
        """
        spec = self._spec
        for watcher in self._watchers:
            watcher.begun(self._now)
        for batch in moved(batches, self._fabric.device):
            self._do_step(batch)
            if self.step % spec.validate_every == 0 or self.step == spec.steps:
                self._validate(validation)
            if any(watcher.due for watcher in self._watchers if isinstance(watcher, EarlyEnd)):
                break
            if self.step % spec.checkpoint_every == 0:
                self._task.unread.look()
                self._point(identity, done=False).save(point)
        for watcher in self._watchers:
            watcher.ended(self._now)
        self._point(identity, done=True).save(point)

    def go_on_from(self, point: ResumePoint, where: Path) -> None:
        """Take up the state of a resume point.

        Raises:
            RunError: it is that of another network.
        """
        state = point.state
        try:
            self._task.load_state_dict(state["network"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._schedule.load_state_dict(state["schedule"])
            for watcher in self._remembering():
                watcher.load_state_dict(state["watchers"][watcher.key])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise RunError(
                f"{where}: does not fit this network ({' '.join(str(error).split())[:200]}). "
                f"Train into another folder."
            ) from error
        self.step = point.step

    @property
    def _now(self) -> Moment:
        return Moment(
            step=self.step,
            steps=self._spec.steps,
            vse=self._task.vse,
            learning_rate=self._optimizer.param_groups[0]["lr"],
            values=self._values,
        )

    def _do_step(self, batch: Pair) -> None:
        spec = self._spec
        terms = self._gradients(batch, spec.accumulate)
        if isinstance(terms, str):
            what = f"training.batch: the memory is not enough (got: {terms})"
            raise SpecError([f"{what}. {self._advice(batch)}"])
        self._task.took(terms, self.step)
        torch.nn.utils.clip_grad_norm_(self._learnt, spec.gradient_clip)
        self._optimizer.step()
        after_step(self._schedule)
        self.step += 1
        if self.step % spec.validate_every == 0 or self.step == spec.steps:
            # Nobody looks at others, and on a GPU each waits for the step.
            self._values = values_of(terms)
        loss = terms.total.detach()
        for watcher in self._watchers:
            watcher.stepped(self._now, loss)

    def _gradients(self, batch: Pair, parts: int) -> LossTerms | str:
        """The objective of a batch, whose gradients are kept; or what is said where memory is not enough."""
        try:
            return self._summed(batch, parts)
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            return " ".join(str(error).split())[:200]

    def _summed(self, batch: Pair, parts: int) -> LossTerms:
        """The objective of a batch and its gradients, part by part."""
        self._optimizer.zero_grad()
        shares = []
        for part in Part.whole(len(batch[0])).divided(parts):
            terms: LossTerms = self._module(part.of(batch), self.step, part)
            self._fabric.backward(terms.total * part.share)
            shares.append(numbers_of(terms) * part.share)
        return with_numbers(terms, torch.stack(shares).sum(0))

    def _advice(self, batch: Pair) -> str:
        """What to do where the memory is not enough for a batch: in how many parts it is."""
        parts = self._spec.accumulate
        while parts < len(batch[0]):
            parts *= 2
            # Whatever a failed attempt has left is only given back when its error is gone.
            self._optimizer.zero_grad()
            give_back_memory(self._fabric.device)
            if not isinstance(self._gradients(batch, parts), str):
                fitting = -(-len(batch[0]) // parts)
                return (
                    f"It is for a step in {parts} parts: set training.accumulate to {parts}, "
                    f"or training.batch to {fitting}."
                )
        return "It is not for a single patch: choose a smaller training.patch, or a smaller network."

    def _validate(self, batches: Iterable[Pair]) -> None:
        self._task.unread.look()
        self._values = self._values | self._task.validated(batches, self.step)
        for watcher in self._watchers:
            watcher.validated(self._now)
        after_validation(self._schedule, monitored(self._spec, self._values))

    def _point(self, identity: Identity, *, done: bool) -> ResumePoint:
        state = {
            "network": self._task.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "watchers": {watcher.key: watcher.state_dict() for watcher in self._remembering()},
        }
        return ResumePoint(
            step=self.step,
            done=done,
            identity=identity,
            precision=self._task.vse.precision,
            state=state,
        )

    def _remembering(self) -> list[RememberingWatcher]:
        return [watcher for watcher in self._watchers if isinstance(watcher, RememberingWatcher)]
