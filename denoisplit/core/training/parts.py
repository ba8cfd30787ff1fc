"""Parts of the batch of a step, which several processes take at once, or one process in turn.

The objective is a mean over the patches of a batch. So the gradients of its parts, each times its share of
the patches, add up to those of the whole.
"""

from itertools import pairwise
from typing import Self, final

import attrs

from denoisplit.core.training.batches import Pair


@final
@attrs.frozen
class Part:
    """Some patches of a batch.

    Attributes:
        rows: their numbers in the batch.
        total: patches of the batch.
    """

    rows: range
    total: int

    @classmethod
    def whole(cls, total: int) -> Self:
        """All patches."""
        return cls(range(total), total)

    @property
    def share(self) -> float:
        """Of the patches of the batch."""
        return len(self.rows) / self.total

    def divided(self, number: int) -> tuple["Part", ...]:
        """So many parts of it, in order, of sizes that differ by one patch at most; fewer of few patches."""
        number = min(number, len(self.rows))
        ends = [len(self.rows) * i // number for i in range(number + 1)]
        rows = (self.rows[start:stop] for start, stop in pairwise(ends))
        return tuple(Part(one, self.total) for one in rows)

    def of(self, batch: Pair) -> Pair:
        """Its patches, of those of the batch."""
        mixed, targets, *camera = batch
        here = slice(self.rows.start, self.rows.stop)
        images = mixed[here], targets[here]
        return (*images, camera[0][:, here]) if camera else images
