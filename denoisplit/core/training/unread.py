"""Whether steps were finite, asked when nobody has to wait for the answer."""

from typing import Final, final

import torch

from denoisplit.core.devices import PROCESSOR
from denoisplit.core.network.objective import LossTerms, numbers_of, require_finite, with_numbers

_MOST: Final = 100
"""Steps that are looked at together, at most."""


@final
class Unread:
    """Objectives that nobody has looked at yet.

    On a processor each is looked at as soon as it is there. Elsewhere a look waits for all that the device
    was given to do before, so several are looked at together: before anything of them is stored or logged.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[int, LossTerms]] = []

    def take(self, terms: LossTerms, step: int) -> None:
        """Take in the objective of a step.

        Raises:
            NonFiniteLossError: see ``look``.
        """
        self._kept.append((step, with_numbers(terms, numbers_of(terms))))
        if terms.total.device == PROCESSOR or len(self._kept) >= _MOST:
            self.look()

    def look(self) -> None:
        """Look at all of them.

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
