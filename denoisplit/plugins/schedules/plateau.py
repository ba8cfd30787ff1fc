"""Schedule: the rate is lowered when the validation loss stalls."""

from typing import Final

import attrs
from attrs.validators import ge, gt, lt
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from denoisplit.core.training.schedule import Better, Schedule

MIN_LEARNING_RATE: Final = 1e-12


class Plateau(Schedule):
    """The rate is lowered whenever several validations in a row were no better than the best one.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the schedule.

        Attributes:
            patience: number of validations without improvement that are tolerated.
            factor: multiplier of the learning rate after one more.
        """

        patience: int = attrs.field(default=30, validator=ge(0))
        factor: float = attrs.field(default=0.5, validator=[gt(0), lt(1)])

    options: Options

    def over(self, optimizer: Optimizer, *, steps: int, better: Better) -> LRScheduler:
        """Return the scheduler; the number of steps makes no difference."""
        del steps
        own = self.options
        return ReduceLROnPlateau(
            optimizer, mode=better, factor=own.factor, patience=own.patience, min_lr=MIN_LEARNING_RATE
        )
