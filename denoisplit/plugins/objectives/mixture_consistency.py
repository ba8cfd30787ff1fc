"""Objective: the predicted channels add up to the mixed image."""

import attrs
from attrs.validators import ge
from torch import Tensor

from denoisplit.core.errors import SpecError
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.objective_terms import ObjectiveTerm


class MixtureConsistency(ObjectiveTerm):
    r"""Mean squared difference between the mixed image and the mixed predicted channels, in normalised units.

    .. math:: \operatorname{mean}\bigl((x - \operatorname{mix}(s))^2\bigr) / \sigma_x^2

    The noise of the mixed image adds a constant that no prediction can remove.

    Source: Wisdom et al., ICASSP 2019.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the objective.

        Attributes:
            weight: multiplier of the term, which is added to a distortion in nats per pixel.
        """

        weight: float = attrs.field(default=1.0, validator=ge(0))

    def __init__(self, options: Options, *, statistics: IntensityStats, mixing: Mixing) -> None:
        super().__init__(options)
        if mixing.alpha:
            raise SpecError(
                f"training.objectives: mixture_consistency needs channels mixed at equal weights (got "
                f"data.mixing.alpha {[list(one) for one in mixing.alpha]}). Remove one of the two."
            )
        self.statistics, self.mixing = statistics, mixing

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        """Return the term of a batch.

        Raises:
            SpecError: the channels have other axes than the mixed image, as where z is projected out.
        """
        del targets
        if signal.shape[2:] != mixed.shape[2:]:
            raise SpecError(
                f"training.objectives: mixture_consistency needs channels of the shape of the image (got "
                f"{tuple(signal.shape[2:])} and {tuple(mixed.shape[2:])}). Remove it."
            )
        if self.mixing.mode == "mean":
            made = signal.mean(1, keepdim=True)
        else:
            made = signal.sum(1, keepdim=True) - (signal.shape[1] - 1) * self.mixing.offset
        return ((mixed.to(made) - made) / self.statistics.mixed_std).square().mean()
