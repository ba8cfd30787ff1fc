"""Weights averaged over steps, so that random changes of single steps cancel."""

from collections.abc import Sequence
from typing import Any, Final, cast, final

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from denoisplit.core.training.steps.task import SplittingTask
from denoisplit.core.training.watchers.watching import Moment, RememberingWatcher

_FIRST: Final = 10.0
"""Makes the n-th average look back over a ninth of n steps, about, so that it forgets the first weights."""


@final
class AveragedWeights(RememberingWatcher):
    """Exponential moving average of the weights and batch statistics of a network.

    After step n, average = d average + (1 - d) weights, with d = min(decay, n / (9 + n)) for n > 1.

    Args:
        task: task of the network that learns, on its device.
        decay: share of the average that is kept in a step, between 0 and 1.

    Attributes:
        task: the same task with the averaged network, to be validated and kept.

    Source: Polyak & Juditsky, SIAM Journal on Control and Optimization 1992.
    """

    key = "averaged weights"

    def __init__(self, task: SplittingTask, decay: float) -> None:
        self._learning, self._decay = task, decay
        self._model = AveragedModel(task, multi_avg_fn=self._mix, use_buffers=True)
        self.task = cast(SplittingTask, self._model.module)

    def stepped(self, now: Moment, loss: Tensor) -> None:
        """Average in the weights of a step."""
        del now, loss
        self._model.update_parameters(self._learning)

    def state_dict(self) -> dict[str, Any]:
        """State: the average and its number of steps."""
        return self._model.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._model.load_state_dict(state_dict)

    def _mix(
        self, averages: Sequence[Tensor | None], weights: Sequence[Tensor | None], number: Tensor | int
    ) -> None:
        """Average in tensors of one type; ``number`` is the number of steps in the average so far."""
        seen = torch.as_tensor(number, dtype=torch.float32)
        rest = 1 - torch.clamp((1 + seen) / (_FIRST + seen), max=self._decay)
        for average, weight in zip(averages, weights, strict=True):
            if average is None or weight is None:
                continue
            if average.is_floating_point():
                average.lerp_(weight, rest.to(average))
            else:
                average.copy_(weight)
