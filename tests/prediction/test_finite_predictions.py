"""A prediction that is not finite is an error, and no file."""

from collections.abc import Sequence

import numpy as np
import pytest

from denoisplit.core.errors import ImageError
from denoisplit.core.images.io import Planes
from denoisplit.core.prediction.outputs import Calibrated, Output
from denoisplit.core.prediction.posterior import Posterior
from denoisplit.core.prediction.splitting import Target, _put
from denoisplit.core.prediction.tiling import Tile, plan_tiles


class Sink(Target):
    """Counts what it is given."""

    def __init__(self) -> None:
        self.given = 0

    def begin(self, planes: Planes, outputs: Sequence[Output], calibrated: Calibrated | None) -> None:
        del planes, outputs, calibrated

    def put(self, number: int, tile: Tile, posterior: Posterior) -> None:
        del number, tile, posterior
        self.given += 1


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["mean", "std", "interval low"])
def test_no_output_is_given_numbers_that_are_none(name: str, number: float) -> None:
    (tile,) = plan_tiles((4, 4), tile=(4, 4), halo=(0, 0), stride=(1, 1))
    images = {part: np.ones((2, 4, 4), np.float32) for part in ("mean", "std", "interval low")}
    sink = Sink()
    _put(sink, 0, 2, tile, images)
    images[name][1, 3, 2] = number
    with pytest.raises(ImageError, match=rf"prediction: the {name} is not finite .*\. Look for counts"):
        _put(sink, 0, 2, tile, images)
    assert sink.given == 1
