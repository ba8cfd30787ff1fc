"""Squared errors of sums over blocks from noisy images, of networks whose true errors are known."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

from denoisplit.core.arrays import Float64Array
from denoisplit.core.sums.divisions import Division, block_division
from denoisplit.core.training.calibration.noisy_errors import (
    RepeatedErrors,
    errors_from_observed,
    noise_variance,
)
from tests.training.test_noisy_errors import SHARES, SIZE, World, expose, world


def blocks(side: int) -> Division:
    found = block_division((SIZE, SIZE), side)
    assert found is not None
    return found


def true_squares(there: World, regions: Division) -> Float64Array:
    squares: Float64Array = (regions.sums(there.mean) - regions.sums(there.clean)) ** 2
    return squares


@SHARES
@pytest.mark.parametrize("side", [1, 4, 16])
def test_noisy_targets_tell_the_error_of_sums(share: float, side: int) -> None:
    there, regions = world(share), blocks(side)
    found = [
        errors_from_observed(
            there.observed, there.mixed, there.mean, there.network, share=weight, rng=np.random.default_rng(1)
        ).sum_squares(regions.sums)
        for weight in (share, 0.0)
    ]
    expected = true_squares(there, regions).mean(axis=1)
    # The estimate of a block is about as uncertain as it is large.
    np.testing.assert_allclose(found[0].mean(axis=1), expected, rtol=0.05 + 3 / np.sqrt(regions.count))
    if side < 16:
        # The network keeps noise: without the covariance the errors would be far too small.
        assert (found[1].mean(axis=1) < 0.75 * expected).all()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_repeats_tell_the_error_of_sums(count: int) -> None:
    there, regions = world(0.5), blocks(16)
    repeats = expose(np.stack([there.clean] * count), np.random.default_rng(9))
    errors = RepeatedErrors(mean=there.mean, observed=there.observed, repeats=repeats)
    found = errors.sum_squares(regions.sums).mean(axis=1)
    np.testing.assert_allclose(found, true_squares(there, regions).mean(axis=1), rtol=0.06)


def test_a_pixel_is_a_sum_over_one_pixel() -> None:
    there = world(0.5)
    errors = errors_from_observed(
        there.observed, there.mixed, there.mean, there.network, share=0.5, rng=np.random.default_rng(1)
    )
    np.testing.assert_allclose(errors.sum_squares(blocks(1).sums), errors.squares().reshape(2, -1), rtol=1e-9)


def test_a_network_that_spreads_noise_is_known_in_closed_form() -> None:
    """It moves all noise by one pixel: none stays at its own pixel, all but the rim within its block."""
    rng = np.random.default_rng(0)
    clean = 50 + 5 * gaussian_filter(rng.normal(size=(1, 400, 400)), (0, 5, 5))
    observed = clean + rng.normal(0, 3, clean.shape)
    regions = block_division((400, 400), 8)
    assert regions is not None

    def network(mixed: npt.NDArray[np.float64]) -> Float64Array:
        shifted: Float64Array = clean + np.roll(mixed[None] - clean, 1, axis=-1)
        return shifted

    mean = network(observed[0])
    errors = errors_from_observed(
        observed, observed[0], mean, network, share=1.0, rng=np.random.default_rng(3)
    )
    # Sum of the errors: that of 64 pixels of noise, of variance 9.
    assert errors.sum_squares(regions.sums).mean() == pytest.approx(64 * 9, rel=0.08)
    # As if it were another exposure: the difference of both sums is the noise of the two rims, 2 x 8 pixels.
    alone = errors_from_observed(
        observed, observed[0], mean, network, share=0.0, rng=np.random.default_rng(3)
    ).sum_squares(regions.sums)
    assert alone.mean() == pytest.approx((2 * 8 - 64) * 9, rel=0.08)
    assert noise_variance(observed).mean() == pytest.approx(9, rel=0.03)
