"""A prediction that is not finite is an error, and no file."""

import numpy as np
import pytest

from denoisplit.core.errors import ImageError
from denoisplit.core.prediction.files.splitting import finite_posterior
from denoisplit.core.prediction.samples.engine import Found


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["mean", "std", "interval low"])
def test_no_output_is_given_numbers_that_are_none(name: str, number: float) -> None:
    images = {part: np.ones((2, 4, 4), np.float32) for part in ("mean", "std", "interval low")}
    assert finite_posterior(Found(images=images, facts=()), 2).images.keys() == {"interval low"}
    images[name][1, 3, 2] = number
    with pytest.raises(ImageError, match=rf"prediction: the {name} is not finite .*\. Look for counts"):
        finite_posterior(Found(images=images, facts=()), 2)
