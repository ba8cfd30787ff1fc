"""Noise and the surround of a patch leave each other alone."""

from typing import Any, cast

import numpy as np
import pytest

from denoisplit.core.images.bases import Field
from denoisplit.core.images.conditioning import Conditioning, condition
from denoisplit.core.images.context_pyramid import pyramid
from denoisplit.core.images.degradation import Degradation, shot_noise
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.images.patches import PatchSampler


@pytest.mark.parametrize("dtype", [np.uint16, np.int64])
def test_poisson_noise_on_integers_leaves_a_surround_in_counts(dtype: type[np.integer[Any]]) -> None:
    """A resize that takes integers for fractions of their range would leave nothing of it."""
    rows, _ = np.indices((64, 64))
    counts = (400 + 10 * rows[None]).astype(dtype)
    noisy = shot_noise(cast(Any, counts), 2.0, np.random.default_rng(0))
    coarse = pyramid(noisy, 2)[2]
    assert coarse.dtype == np.float32
    expected = counts.reshape(1, 16, 4, 16, 4).mean((2, 4))
    np.testing.assert_allclose(coarse, expected, rtol=0.15)


def test_with_context_every_target_has_the_noise_of_its_own_channel() -> None:
    counts = np.random.default_rng(0).uniform(100, 900, (2, 64, 64)).astype(np.float32)
    how = Conditioning(degradation=Degradation(gaussian=4.0))
    made = condition([Field(name="f", observed=counts)], how)
    (field,), (noiseless,) = made.fields, made.noiseless
    sampler = PatchSampler([field], patch=(64, 64), batch=1, seed=0, mixing=Mixing(), context=1)
    batch = sampler.batch(0)
    np.testing.assert_array_equal(batch.targets[0], field.observed)
    np.testing.assert_allclose(batch.mixed[0, 0], field.observed[...].mean(0), rtol=1e-6)
    noise = (batch.targets[0] - noiseless).reshape(2, -1)
    assert noise.std(1) == pytest.approx([4, 4], rel=0.1)
    assert abs(float(np.corrcoef(noise)[0, 1])) < 0.1
