"""Schedule: half a cosine wave, with or without a warm-up."""

import math

import attrs
from attrs.validators import ge
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler

from denoisplit.core.errors import SpecError
from denoisplit.core.training.schedule import Better, Schedule


class Cosine(Schedule):
    """The rate falls to zero along half a cosine wave, after an optional linear warm-up.

    Source: Loshchilov & Hutter, ICLR 2017; Goyal et al., 2017, the warm-up.
    """

    ends_low = True

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the schedule.

        Attributes:
            warmup: steps in which the rate rises to the learning rate; 0 for no warm-up.
        """

        warmup: int = attrs.field(default=0, validator=ge(0))

    options: Options

    def over(self, optimizer: Optimizer, *, steps: int, better: Better) -> LRScheduler:
        """Return the scheduler; validations make no difference.

        Raises:
            SpecError: the warm-up is as long as the training.
        """
        del better
        warmup = self.options.warmup
        if not warmup:
            return CosineAnnealingLR(optimizer, T_max=steps)
        if warmup >= steps:
            raise SpecError(
                f"training.schedule: the warm-up has to be shorter than the training (got warmup {warmup} of "
                f"{steps} steps). Shorten it, or train longer."
            )

        def share(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            return (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2

        return LambdaLR(optimizer, share)
