"""Weights averaged over steps: what a step changes by chance is not in them."""

from collections.abc import Sequence
from typing import Any, Final, cast, final

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from denoisplit.core.training.task import SplittingTask
from denoisplit.core.training.watching import Moment, RememberingWatcher

_FIRST: Final = 10.0
"""The n-th average looks back over a tenth of n steps at most, so that it forgets the first weights."""


@final
class AveragedWeights(RememberingWatcher):
    """Follows the weights and batch statistics of a network, as an exponential moving average.

    After step n, average = d average + (1 - d) weights, with d = min(decay, n / (9 + n)) for n > 1.

    Args:
        task: of the network that learns, where it learns.
        decay: between 0 and 1.

    Attributes:
        task: the same with the averaged network, to be validated and kept.

    Source: Polyak & Juditsky, SIAM Journal on Control and Optimization 1992.
    """

    key = "averaged weights"

    def __init__(self, task: SplittingTask, decay: float) -> None:
        self._learning, self._decay = task, decay
        self._model = AveragedModel(task, multi_avg_fn=self._mix, use_buffers=True)
        self.task = cast(SplittingTask, self._model.module)

    def stepped(self, now: Moment, loss: Tensor) -> None:
        """Take in the weights of a step."""
        del now, loss
        self._model.update_parameters(self._learning)

    def state_dict(self) -> dict[str, Any]:
        """The average, and of how many steps it is."""
        return self._model.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._model.load_state_dict(state_dict)

    def _mix(
        self, averages: Sequence[Tensor | None], weights: Sequence[Tensor | None], number: Tensor | int
    ) -> None:
        """Take in tensors of one type, after so many steps that have been."""
        seen = torch.as_tensor(number, dtype=torch.float32)
        rest = 1 - torch.clamp((1 + seen) / (_FIRST + seen), max=self._decay)
        for average, weight in zip(averages, weights, strict=True):
            if average is None or weight is None:
                continue
            if average.is_floating_point():
                average.lerp_(weight, rest.to(average))
            else:
                average.copy_(weight)
