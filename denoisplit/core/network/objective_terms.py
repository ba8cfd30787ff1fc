"""The abstract base of objectives: terms added to distortion and rate in training."""

import abc
from collections.abc import Sequence
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from denoisplit.core.errors import NonFiniteLossError


class ObjectiveTerm(nn.Module, abc.ABC):
    r"""A term of the objective: the total is distortion + kl_weight * rate + the sum of weight * term.

    It has no trainable parameters, and no unit: its value does not depend on the number of counts per photon.

    Nest a frozen attrs class ``Options`` with a field ``weight``. The constructor takes an instance of it and
    facts about the images: ``statistics`` (``IntensityStats``) and ``mixing`` (``Mixing``: how channels are
    mixed).

    Attributes:
        weight: multiplier of the term.
    """

    weight: float

    def __init__(self, options: Any) -> None:
        super().__init__()
        self.options = options
        self.weight = float(options.weight)

    @abc.abstractmethod
    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        """The term of a batch, a mean over its images.

        Args:
            signal: one posterior sample of the channels [b c (z) y x], counts.
            targets: noisy target channels of the same shape, counts.
            mixed: mixed images [b 1 (z) y x] without their surround, counts.

        Returns:
            A scalar with a gradient to the signal.
        """


@attrs.frozen
class TermValue:
    """Value of a term for a batch.

    Attributes:
        name: name of the component, with a number if several share it.
        weight: multiplier of the term.
        value: scalar, without the weight.
    """

    name: str
    weight: float
    value: Tensor


def require_finite_terms(terms: Sequence[TermValue], step: int) -> None:
    """Stop at the first term that is NaN or infinite.

    Raises:
        NonFiniteLossError: names step and term.
    """
    if not terms:
        return
    finite = torch.stack([torch.isfinite(one.value.detach()) for one in terms]).tolist()
    for one, is_finite in zip(terms, finite, strict=True):
        if not is_finite:
            raise NonFiniteLossError(step, f"objective {one.name}")
