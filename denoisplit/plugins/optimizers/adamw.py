"""Optimiser: AdamW."""

from collections.abc import Iterable

import attrs
from attrs.validators import ge, lt
from torch import nn, optim

from denoisplit.core.training.optimizer import Optimizer


class AdamW(Optimizer):
    """Adam with decoupled weight decay: every step shrinks the weights, whatever their gradients.

    Source: Loshchilov & Hutter, ICLR 2019.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the optimiser.

        Attributes:
            momentum: fraction of the running mean of the gradient that a step keeps (beta 1).
            memory: fraction of the running mean of the squared gradient that a step keeps (beta 2).
            weight_decay: fraction of a weight that a step removes, per unit of the learning rate.
        """

        momentum: float = attrs.field(default=0.9, validator=[ge(0), lt(1)])
        memory: float = attrs.field(default=0.999, validator=[ge(0), lt(1)])
        weight_decay: float = attrs.field(default=0.01, validator=ge(0))

    options: Options

    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> optim.Optimizer:
        """Return an optimiser of these weights."""
        own = self.options
        return optim.AdamW(
            weights,
            lr=learning_rate,
            betas=(own.momentum, own.memory),
            weight_decay=own.weight_decay,
            foreach=True,
        )
