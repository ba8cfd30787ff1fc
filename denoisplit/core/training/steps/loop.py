"""Loop over the steps of a training, on a device."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import final

import torch

from denoisplit.core.devices import give_back_memory, is_shortage
from denoisplit.core.errors import RunError, SpecError, in_one_line
from denoisplit.core.network.objective import LossTerms, numbers_of, with_numbers
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.data.batches import Mover, Pair
from denoisplit.core.training.optimizer import trainable
from denoisplit.core.training.starts.resuming import Identity, ResumePoint
from denoisplit.core.training.steps.descent import Descent, monitored
from denoisplit.core.training.steps.early_end import EarlyEnd
from denoisplit.core.training.steps.parts import Part
from denoisplit.core.training.steps.ranks import Ranks
from denoisplit.core.training.steps.task import SplittingTask, values_of
from denoisplit.core.training.watchers.watching import Moment, RememberingWatcher, Watcher


@final
class Loop:
    """A training, step by step; every step is a function of its number and of the state before it.

    Args:
        task: the objective, with the network to train.
        spec: settings of the training.
        watchers: observers, notified in this order; only in the first process.
        ranks: the processes that train together; the network is moved to the device of this one, and stays.
        judged: task that is validated and shown to watchers, if it is not ``task``.

    Attributes:
        step: optimiser steps done.
    """

    def __init__(
        self,
        task: SplittingTask,
        spec: TrainingSpec,
        watchers: Sequence[Watcher],
        ranks: Ranks,
        *,
        judged: SplittingTask | None = None,
    ) -> None:
        self.step = 0
        self._task, self._spec = task.to(ranks.device), spec
        self._judged = judged or self._task
        self._watchers, self._ranks = tuple(watchers), ranks
        self._learnt = trainable(task.vse)
        self._descent = Descent(task.vse, spec)
        self._values: dict[str, float] = {}

    def run(
        self, batches: Iterable[Pair], validation: Iterable[Pair], *, point: Path, identity: Identity
    ) -> None:
        """Do the remaining steps.

        Args:
            batches: batches of these steps; only the first process has them.
            validation: validation batches; only the first process has them.
            point: file of the resume points, which the first process writes.
            identity: identity of the training.

        Raises:
            BrokenPluginError: the optimiser, the schedule or an objective fails.
            NonFiniteLossError: the objective became NaN or infinite.
            SpecError: memory is too small for a batch; says what fits.
        """
        for watcher in self._watchers:
            watcher.begun(self._now)
        move = Mover(self._ranks.device)
        with self._ranks.sharing(self._task.vse):
            for part, batch in self._ranks.parts(self._until_due(batches)):
                self._do_step(part, move(batch))
                if self._is_watched:
                    self._validate(validation)
                if self.step % self._spec.checkpoint_every == 0 and not self._ranks.rank:
                    self._task.unread.look()
                    self.point(identity, done=False).save(point)
        for watcher in self._watchers:
            watcher.ended(self._now)
        if not self._ranks.rank:
            self.point(identity, done=True).save(point)

    def go_on_from(self, point: ResumePoint, where: Path) -> None:
        """Restore the state of a resume point.

        Raises:
            RunError: the point is that of another network.
        """
        state = point.state
        try:
            self._task.load_state_dict(state["network"])
            self._descent.load_state_dict(state)
            for watcher in self._remembering():
                # A logger may be new; the others refuse a state without what they remember.
                watcher.load_state_dict(state["watchers"].get(watcher.key, {}))
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise RunError(
                f"{where}: does not fit this network ({in_one_line(error)}). Train into another folder."
            ) from error
        self.step = point.step

    def _until_due(self, batches: Iterable[Pair]) -> Iterator[Pair]:
        """Yield batches until an early end is due."""
        ends = [watcher for watcher in self._watchers if isinstance(watcher, EarlyEnd)]
        return itertools.takewhile(lambda _: not any(end.due for end in ends), batches)

    def point(self, identity: Identity, *, done: bool = False) -> ResumePoint:
        """Return a point from which another process, or a later one, can continue."""
        state = {
            "network": self._task.state_dict(),
            **self._descent.state_dict(),
            "watchers": {watcher.key: watcher.state_dict() for watcher in self._remembering()},
        }
        return ResumePoint(
            step=self.step,
            done=done,
            identity=identity,
            precision=self._task.vse.precision,
            state=state,
        )

    @property
    def _is_watched(self) -> bool:
        """Whether a validation follows the last step."""
        return self.step % self._spec.validate_every == 0 or self.step == self._spec.steps

    @property
    def _now(self) -> Moment:
        return Moment(
            step=self.step,
            steps=self._spec.steps,
            vse=self._judged.vse,
            learning_rate=self._descent.optimizer.param_groups[0]["lr"],
            values=self._values,
        )

    def _do_step(self, part: Part, batch: Pair) -> None:
        spec = self._spec
        terms = self._gradients(part, batch, spec.accumulate)
        if isinstance(terms, str):
            what = f"training.batch: the memory is not enough (got: {terms})"
            raise SpecError(f"{what}. {self._advice(part, batch)}")
        self._task.took(terms, self.step)
        torch.nn.utils.clip_grad_norm_(self._learnt, spec.gradient_clip)
        self._descent.step(self.step)
        self.step += 1
        if self._is_watched:
            # Only these are needed, and on a GPU, reading them waits for the step.
            self._values = values_of(terms)
        loss = terms.total.detach()
        for watcher in self._watchers:
            watcher.stepped(self._now, loss)

    def _gradients(self, part: Part, batch: Pair, number: int) -> LossTerms | str:
        """Compute the objective of the batch of a step, and its gradients.

        Args:
            part: this process's part of the batch.
            batch: the patches of this part.
            number: number of pieces in which they are computed, one after the other.

        Returns:
            The objective, or the error message if memory is too small.
        """
        try:
            return self._summed(part, batch, number)
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            return in_one_line(error)

    def _summed(self, part: Part, batch: Pair, number: int) -> LossTerms:
        self._descent.optimizer.zero_grad()
        shares = []
        for own, within in zip(part.divided(number), Part.whole(len(batch[0])).divided(number), strict=True):
            terms: LossTerms = self._task(within.of(batch), self.step, own)
            self._ranks.fabric.backward(terms.total * own.share)
            shares.append(numbers_of(terms) * own.share)
        numbers = torch.stack(shares).sum(0)
        self._ranks.add([numbers, *(weight.grad for weight in self._learnt if weight.grad is not None)])
        return with_numbers(terms, numbers)

    def _advice(self, part: Part, batch: Pair) -> str:
        """Advice if memory is too small for a batch: the number of pieces for which it suffices."""
        number = self._spec.accumulate
        while self._ranks.number == 1 and number < len(batch[0]):
            number *= 2
            # Memory of a failed attempt is only released when its error is gone.
            self._descent.optimizer.zero_grad()
            give_back_memory(self._ranks.device)
            if not isinstance(self._gradients(part, batch, number), str):
                fitting = -(-len(batch[0]) // number)
                return (
                    f"A step in {number} parts fits: set training.accumulate to {number}, "
                    f"or training.batch to {fitting}."
                )
        if number < len(batch[0]):  # a trial would need all processes
            return f"Set training.accumulate to {2 * number}, or choose a smaller training.batch."
        return "Not even a single patch fits: choose a smaller training.patch, or a smaller network."

    def _validate(self, batches: Iterable[Pair]) -> None:
        self._task.unread.look()
        found = self._ranks.from_first(lambda: self._judged.validated(batches, self.step))
        self._values = self._values | found
        for watcher in self._watchers:
            watcher.validated(self._now)
        self._descent.validated(monitored(self._spec, self._values), self.step)

    def _remembering(self) -> list[RememberingWatcher]:
        return [watcher for watcher in self._watchers if isinstance(watcher, RememberingWatcher)]
