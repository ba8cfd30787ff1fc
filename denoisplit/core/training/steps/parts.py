"""Parts of the batch of a step, which several processes compute at once, or one process in turn.

The objective is a mean over the patches of a batch. So the gradients of its parts, each times its share of
the patches, add up to those of the whole.
"""

from itertools import pairwise
from typing import Self, final

import attrs

from denoisplit.core.training.data.batches import Pair


@final
@attrs.frozen
class Part:
    """Some patches of a batch.

    Attributes:
        rows: their indices in the batch.
        total: number of patches in the batch.
    """

    rows: range
    total: int

    @classmethod
    def whole(cls, total: int) -> Self:
        """Return the part with all patches."""
        return cls(range(total), total)

    @property
    def share(self) -> float:
        """Share of the patches of the batch."""
        return len(self.rows) / self.total

    def divided(self, number: int) -> tuple["Part", ...]:
        """Divide it, in order, into parts whose sizes differ by at most one patch; fewer for few patches."""
        number = min(number, len(self.rows))
        ends = [len(self.rows) * i // number for i in range(number + 1)]
        rows = (self.rows[start:stop] for start, stop in pairwise(ends))
        return tuple(Part(one, self.total) for one in rows)

    def of(self, batch: Pair) -> Pair:
        """Return its patches from those of the batch."""
        mixed, targets, *camera = batch
        here = slice(self.rows.start, self.rows.stop)
        images = mixed[here], targets[here]
        return (*images, camera[0][:, here]) if camera else images
