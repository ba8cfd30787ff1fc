"""The steps of a training, one after the other, on a device."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import final

import torch

from denoisplit.core.devices import give_back_memory, is_shortage
from denoisplit.core.errors import RunError, SpecError, in_one_line
from denoisplit.core.network.objective import LossTerms, numbers_of, with_numbers
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.batches import Mover, Pair
from denoisplit.core.training.descent import monitored, optimizer_of, schedule_of
from denoisplit.core.training.early_end import EarlyEnd
from denoisplit.core.training.parts import Part
from denoisplit.core.training.ranks import Ranks
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
        watchers: look on, in this order; in the first process alone.
        ranks: the processes that train together; the network is moved to the device of this one, and stays.
        judged: what is validated and shown to watchers, where that is not what is learnt.

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
        self._learnt = [weight for weight in task.vse.parameters() if weight.requires_grad]
        self._optimizer = optimizer_of(self._learnt, spec)
        self._schedule = schedule_of(self._optimizer, spec)
        self._values: dict[str, float] = {}

    def run(
        self, batches: Iterable[Pair], validation: Iterable[Pair], *, point: Path, identity: Identity
    ) -> None:
        """Do the steps that are left.

        Args:
            batches: of these steps; the first process has them.
            validation: batches to look at in between; the first process has them.
            point: file of the resume points, which the first process writes.
            identity: of the training.

        Raises:
            NonFiniteLossError: the objective became NaN or infinite.
            SpecError: the memory is not enough for a batch; says what is.
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
                f"{where}: does not fit this network ({in_one_line(error)}). Train into another folder."
            ) from error
        self.step = point.step

    def _until_due(self, batches: Iterable[Pair]) -> Iterator[Pair]:
        """As long as nobody says that it is time to end."""
        ends = [watcher for watcher in self._watchers if isinstance(watcher, EarlyEnd)]
        return itertools.takewhile(lambda _: not any(end.due for end in ends), batches)

    def point(self, identity: Identity, *, done: bool = False) -> ResumePoint:
        """What another process, or a later one, goes on from."""
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

    @property
    def _is_watched(self) -> bool:
        """Whether a validation follows the step before."""
        return self.step % self._spec.validate_every == 0 or self.step == self._spec.steps

    @property
    def _now(self) -> Moment:
        return Moment(
            step=self.step,
            steps=self._spec.steps,
            vse=self._judged.vse,
            learning_rate=self._optimizer.param_groups[0]["lr"],
            values=self._values,
        )

    def _do_step(self, part: Part, batch: Pair) -> None:
        spec = self._spec
        terms = self._gradients(part, batch, spec.accumulate)
        if isinstance(terms, str):
            what = f"training.batch: the memory is not enough (got: {terms})"
            raise SpecError([f"{what}. {self._advice(part, batch)}"])
        self._task.took(terms, self.step)
        torch.nn.utils.clip_grad_norm_(self._learnt, spec.gradient_clip)
        self._optimizer.step()
        after_step(self._schedule)
        self.step += 1
        if self._is_watched:
            # Nobody looks at others, and on a GPU each waits for the step.
            self._values = values_of(terms)
        loss = terms.total.detach()
        for watcher in self._watchers:
            watcher.stepped(self._now, loss)

    def _gradients(self, part: Part, batch: Pair, number: int) -> LossTerms | str:
        """The objective of the batch of a step, whose gradients are kept.

        Args:
            part: of the batch, which falls to this process.
            batch: the patches of that part.
            number: parts in which they are taken.

        Returns:
            what is said where memory is not enough, instead.
        """
        try:
            return self._summed(part, batch, number)
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            return in_one_line(error)

    def _summed(self, part: Part, batch: Pair, number: int) -> LossTerms:
        self._optimizer.zero_grad()
        shares = []
        for own, within in zip(part.divided(number), Part.whole(len(batch[0])).divided(number), strict=True):
            terms: LossTerms = self._task(within.of(batch), self.step, own)
            self._ranks.fabric.backward(terms.total * own.share)
            shares.append(numbers_of(terms) * own.share)
        numbers = torch.stack(shares).sum(0)
        self._ranks.add([numbers, *(weight.grad for weight in self._learnt if weight.grad is not None)])
        return with_numbers(terms, numbers)

    def _advice(self, part: Part, batch: Pair) -> str:
        """What to do where the memory is not enough for a batch: in how many parts it is."""
        number = self._spec.accumulate
        while self._ranks.number == 1 and number < len(batch[0]):
            number *= 2
            # Whatever a failed attempt has left is only given back when its error is gone.
            self._optimizer.zero_grad()
            give_back_memory(self._ranks.device)
            if not isinstance(self._gradients(part, batch, number), str):
                fitting = -(-len(batch[0]) // number)
                return (
                    f"It is for a step in {number} parts: set training.accumulate to {number}, "
                    f"or training.batch to {fitting}."
                )
        if number < len(batch[0]):  # the others would have to try with this process
            return f"Set training.accumulate to {2 * number}, or choose a smaller training.batch."
        return "It is not for a single patch: choose a smaller training.patch, or a smaller network."

    def _validate(self, batches: Iterable[Pair]) -> None:
        self._task.unread.look()
        found = self._ranks.from_first(lambda: self._judged.validated(batches, self.step))
        self._values = self._values | found
        for watcher in self._watchers:
            watcher.validated(self._now)
        after_validation(self._schedule, monitored(self._spec, self._values))

    def _remembering(self) -> list[RememberingWatcher]:
        return [watcher for watcher in self._watchers if isinstance(watcher, RememberingWatcher)]
