"""The abstract base of optimisers: how the weights of a network follow their gradients."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import Optimizer as Stepping


class Optimizer(ABC):
    """Gives the optimiser of ``torch.optim`` that moves the weights of a training.

    What it gives steps without a closure, goes by the ``lr`` of its groups, which the schedule changes, draws
    nothing at random, and has a state of tensors and plain numbers: a training that goes on from it does what
    one does that never stopped. The gradient is bounded before a step (``training.gradient_clip``).

    Nest a frozen attrs class ``Options``; the constructor takes an instance of it.
    """

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> Stepping:
        """The optimiser of these weights.

        Args:
            weights: all that are learnt.
            learning_rate: of the first step, before the schedule has its say.
        """
