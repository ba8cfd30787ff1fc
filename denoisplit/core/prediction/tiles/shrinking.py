"""Reaction to running out of memory: fewer samples at a time, then smaller tiles."""

import logging
from threading import Lock
from typing import Final, final

import attrs

from denoisplit.core.devices import give_back_memory
from denoisplit.core.errors import ImageError, counted, in_one_line
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.tiles.plan import Plan, halved, sides
from denoisplit.core.prediction.tiles.tiling import Tile

_LOG: Final = logging.getLogger("denoisplit.prediction")


@final
class Shrinking:
    """How much of an image is predicted at once: as planned, until memory runs out.

    Limits found are remembered, so that later tiles do not fail first. Threads may share one object.

    Args:
        plan: plan to start from.
    """

    def __init__(self, plan: Plan) -> None:
        self._batch, self._pixels = plan.batch, max(tile.outer.pixels for tile in plan.tiles)
        self._lock = Lock()

    def settled(self, plan: Plan, tile: Tile) -> Plan:
        """The plan of a single tile, with as many samples at a time as memory has allowed so far."""
        return attrs.evolve(plan, tiles=(tile,), batch=min(plan.batch, self._batch))

    def fits(self, tile: Tile) -> bool:
        """Whether no tile of this size has failed."""
        return tile.outer.pixels <= self._pixels

    def learn(self, vse: VSE, failed: Plan, reason: str) -> None:
        """Reduce samples or tile size after memory ran out for a plan of one tile.

        Raises:
            ImageError: nothing can be made smaller.
            PluginError: the network looks at the whole image, which therefore cannot be cut.
        """
        (tile,) = failed.tiles
        give_back_memory(vse.device)
        asked = f"{counted(failed.batch, 'sample')} of {sides(tile.outer.shape)} pixels"
        said = f"the memory is not enough for {asked}"
        with self._lock:
            if failed.batch > 1:
                smaller = failed.batch // 2
                if smaller < self._batch:
                    self._batch = smaller
                    _LOG.warning("%s at a time; going on with %d", said, smaller)
                return
            if halved(vse, failed, tile) == failed:
                short = in_one_line(reason)
                raise ImageError(
                    f"prediction: {said}, and it cannot be cut further (got: {short}). "
                    f"Close other programs, use fewer workers, or a computer with more memory."
                )
            if self.fits(tile):
                self._pixels = tile.outer.pixels - 1
                _LOG.warning("%s; going on with smaller tiles", said)
