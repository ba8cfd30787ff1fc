"""Optimiser: Adamax."""

from collections.abc import Iterable

import attrs
from attrs.validators import ge, lt
from torch import nn, optim

from denoisplit.core.training.optimizer import Optimizer


class Adamax(Optimizer):
    """Adam with the largest recent gradient in place of the mean square.

    Source: Kingma & Ba, ICLR 2015, section 7.1.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the optimiser.

        Attributes:
            momentum: fraction of the running mean of the gradient that a step keeps (beta 1).
            memory: fraction of the running largest gradient that a step keeps (beta 2).
            weight_decay: multiple of every weight that is added to its gradient.
        """

        momentum: float = attrs.field(default=0.9, validator=[ge(0), lt(1)])
        memory: float = attrs.field(default=0.999, validator=[ge(0), lt(1)])
        weight_decay: float = attrs.field(default=0.0, validator=ge(0))

    options: Options

    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> optim.Optimizer:
        """Return an optimiser of these weights."""
        own = self.options
        # One call for all tensors: hundreds of small calls cost more than the arithmetic.
        return optim.Adamax(
            weights,
            lr=learning_rate,
            betas=(own.momentum, own.memory),
            weight_decay=own.weight_decay,
            foreach=True,
        )
