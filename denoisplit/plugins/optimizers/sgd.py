"""Optimiser: stochastic gradient descent."""

from collections.abc import Iterable

import attrs
from attrs.validators import ge, lt
from torch import nn, optim

from denoisplit.core.training.optimizer import Optimizer


class Sgd(Optimizer):
    """Steps along the gradient, with momentum; every weight at the same rate.

    Source: Robbins & Monro, 1951; Sutskever et al., ICML 2013.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the optimiser.

        Attributes:
            momentum: fraction of the last step that is repeated.
            nesterov: use Nesterov's momentum; needs a momentum above 0.
            weight_decay: multiple of every weight that is added to its gradient.
        """

        momentum: float = attrs.field(default=0.9, validator=[ge(0), lt(1)])
        nesterov: bool = False
        weight_decay: float = attrs.field(default=0.0, validator=ge(0))

        def __attrs_post_init__(self) -> None:
            if self.nesterov and not self.momentum:
                raise ValueError("nesterov needs a momentum (got 0). Give one, or leave nesterov out")

    options: Options

    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> optim.Optimizer:
        """Return an optimiser of these weights."""
        own = self.options
        return optim.SGD(
            weights,
            lr=learning_rate,
            momentum=own.momentum,
            nesterov=own.nesterov,
            weight_decay=own.weight_decay,
            foreach=True,
        )
