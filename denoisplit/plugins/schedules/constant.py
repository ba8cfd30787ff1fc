"""Schedule: a constant rate."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from denoisplit.core.training.schedule import Better, Schedule
from denoisplit.core.validators import NoOptions


class Constant(Schedule):
    """The same rate at every step.

    Source: Robbins & Monro, 1951.
    """

    Options = NoOptions

    def over(self, optimizer: Optimizer, *, steps: int, better: Better) -> LRScheduler:
        """Return a scheduler that changes nothing."""
        del steps, better
        return LambdaLR(optimizer, lambda _step: 1.0)
