"""Deferred check that the objectives of steps are finite."""

from typing import Final, final

import torch

from denoisplit.core.devices import PROCESSOR
from denoisplit.core.network.objective import LossTerms, numbers_of, require_finite, with_numbers

_MOST: Final = 100
"""Largest number of steps that are checked together."""


@final
class Unread:
    """Objectives that have not been checked yet.

    On a processor, each is checked at once. Elsewhere, a check waits for all earlier work of the device, so
    several are checked together, before anything that depends on them is stored or logged.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[int, LossTerms]] = []

    def take(self, terms: LossTerms, step: int) -> None:
        """Add the objective of a step.

        Raises:
            NonFiniteLossError: see ``look``.
        """
        self._kept.append((step, with_numbers(terms, numbers_of(terms))))
        if terms.total.device == PROCESSOR or len(self._kept) >= _MOST:
            self.look()

    def look(self) -> None:
        """Check all of them.

        Raises:
            NonFiniteLossError: a term is NaN or infinite; names the first such step.
        """
        kept, self._kept = self._kept, []
        if not kept:
            return
        finite = torch.stack([terms.total for _, terms in kept]).isfinite().tolist()
        for (step, terms), is_finite in zip(kept, finite, strict=True):
            if not is_finite:
                require_finite(terms, step)
