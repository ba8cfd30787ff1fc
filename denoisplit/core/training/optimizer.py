"""The abstract base of optimisers, which update the weights of a network from their gradients."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import Optimizer as Stepping


class Optimizer(ABC):
    """Builds the optimiser of ``torch.optim`` that updates the weights in a training.

    The built optimiser steps without a closure, uses the ``lr`` of its groups, which the schedule changes,
    draws nothing at random, and has a state of tensors and plain numbers, so that a resumed training gives
    the same result as an uninterrupted one. Gradients are clipped before a step (``training.gradient_clip``).

    Nest a frozen attrs class ``Options``; the constructor takes an instance of it.
    """

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> Stepping:
        """Build the optimiser of these weights.

        Args:
            weights: all trainable weights.
            learning_rate: learning rate before any change by the schedule.
        """

    def over_network(self, network: nn.Module, learning_rate: float) -> Stepping:
        """Build the optimiser of all trainable weights of a network; this is what a training calls.

        To be overridden where it matters what a weight is part of.

        Args:
            network: has the parts ``encoder``, ``decoder``, ``noise_model`` and ``kl_scheme``.
            learning_rate: learning rate before any change by the schedule.
        """
        return self.over(trainable(network), learning_rate)


def trainable(network: nn.Module) -> list[nn.Parameter]:
    """The weights of a network that are not frozen."""
    return [weight for weight in network.parameters() if weight.requires_grad]
