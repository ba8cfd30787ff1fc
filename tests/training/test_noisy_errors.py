"""Squared errors from noisy images: networks whose true errors are known."""

from collections.abc import Callable
from functools import cache

import attrs
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibrator
from denoisplit.core.training.calibration.noisy_errors import (
    errors_from_observed,
    noise_variance,
    squares_from_repeats,
)
from denoisplit.plugins.calibrators.affine import Affine
from denoisplit.plugins.calibrators.isotonic import Isotonic
from denoisplit.plugins.calibrators.scale import Scale

GAIN, READ = 2.0, 4.0
SIZE = 512
CALIBRATORS: list[Calibrator] = [
    Scale(Scale.Options()),
    Affine(Affine.Options()),
    Isotonic(Isotonic.Options()),
]
every_calibrator = pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda c: type(c).__name__)
SHARES = pytest.mark.parametrize("share", [0.5, 1.0], ids=["mean", "sum"])


@attrs.frozen
class World:
    """Two structures, an image of both, and a network that splits them, in closed form."""

    clean: AnyArray
    observed: AnyArray
    mixed: AnyArray
    network: Callable[[AnyArray], AnyArray]

    @property
    def mean(self) -> AnyArray:
        predicted: AnyArray = self.network(self.mixed)
        return predicted

    @property
    def std(self) -> AnyArray:
        """Depends on the image, as the spread of a posterior does."""
        smooth = gaussian_filter(self.mixed, 2)
        return np.stack([0.03 * smooth + 1, 0.02 * smooth + 3])

    @property
    def squares(self) -> AnyArray:
        squares: AnyArray = (self.clean - self.mean) ** 2
        return squares


def expose(clean: AnyArray, rng: np.random.Generator) -> AnyArray:
    """One exposure of the camera."""
    noisy = GAIN * rng.poisson(clean / GAIN) + rng.normal(0, READ, clean.shape)
    return noisy.astype(np.float32)


@cache
def world(share: float, seed: int = 0) -> World:
    rng = np.random.default_rng(seed)
    coarse, fine = (gaussian_filter(rng.normal(size=(SIZE, SIZE)), width) for width in (9, 4))
    clean = np.stack([60 + 40 * np.tanh(coarse / coarse.std()), 60 + 40 * np.tanh(fine / fine.std())])
    observed = expose(clean, rng)
    mixed = share * observed.sum(0)

    blur = np.stack([gaussian_filter(rng.normal(size=(SIZE, SIZE)), 3) for _ in clean])
    learned = clean + 6 * blur / blur.std()
    expected = share * learned.sum(0)

    def network(x: AnyArray) -> AnyArray:
        """Knows the structures but for an error, keeps part of the noise, and bends."""
        rest = (x - expected) / share
        bent = 20 * np.tanh(rest / 20)
        one = 0.5 * bent + gaussian_filter(bent, 1.0)
        predicted: AnyArray = learned + np.stack([one, rest - gaussian_filter(rest, 1.5)])
        return predicted

    return World(clean, observed, mixed.astype(np.float32), network)


def estimated(there: World, share: float) -> AnyArray:
    return errors_from_observed(
        there.observed,
        there.mixed,
        there.mean,
        there.network,
        share=share,
        rng=np.random.default_rng(1),
    ).squares()


@SHARES
@every_calibrator
def test_noisy_targets_calibrate_as_clean_ones_do(calibrator: Calibrator, share: float) -> None:
    there = world(share)
    std = there.std[None]
    clean, noisy = (
        np.median(calibrator.apply(calibrator.fit_squares(std, squares[None]), std) / std, axis=(0, 2, 3))
        for squares in (there.squares, estimated(there, share))
    )
    np.testing.assert_allclose(noisy, clean, rtol=0.05)
    # Without the covariance the errors would be far too small: the test could not pass by chance.
    assert (estimated(there, 0).mean((1, 2)) < 0.5 * there.squares.mean((1, 2))).all()


@SHARES
def test_the_mean_of_the_estimates_is_that_of_the_errors(share: float) -> None:
    there = world(share, seed=4)
    means = [squares.mean((1, 2)) for squares in (there.squares, estimated(there, share))]
    np.testing.assert_allclose(means[1], means[0], rtol=0.04)


def test_a_mixed_image_of_its_own_noise_needs_no_covariance() -> None:
    there = world(0.5)
    other = expose(there.clean, np.random.default_rng(8))
    recorded = attrs.evolve(there, mixed=(0.5 * other.sum(0)).astype(np.float32))
    found = estimated(recorded, 0)
    np.testing.assert_allclose(found.mean((1, 2)), recorded.squares.mean((1, 2)), rtol=0.04)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_repeats_tell_the_error_without_a_noise_model(count: int) -> None:
    there = world(0.5)
    repeats = expose(np.stack([there.clean] * count), np.random.default_rng(9))
    found = squares_from_repeats(there.mean, there.observed, repeats)
    np.testing.assert_allclose(found.mean((1, 2)), there.squares.mean((1, 2)), rtol=0.04)


def test_repeats_without_noise_give_the_error_of_every_pixel() -> None:
    rng = np.random.default_rng(0)
    clean, mean = rng.normal(size=(2, 2, 5, 6))
    for count in (1, 2, 3):
        found = squares_from_repeats(mean, clean, np.stack([clean] * count))
        np.testing.assert_allclose(found, (clean - mean) ** 2, atol=1e-12)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_slope_of_a_linear_network_is_exact(rank: int, channels: int) -> None:
    """A network that copies part of the pixel and nothing else: every term is known in closed form."""
    rng = np.random.default_rng(2)
    shape = (channels, *(8,) * rank)
    observed, slopes = rng.normal(50, 3, shape), rng.uniform(0, 1, shape)
    mixed = observed.mean(0)
    mean = slopes * mixed
    found = errors_from_observed(
        observed, mixed, mean, lambda image: slopes * image, share=1 / channels, rng=rng
    ).squares()
    noise = noise_variance(observed)
    around = gaussian_filter(noise, (0,) * (rank - 1) + (3, 3))
    expected = (observed - mean) ** 2 - noise + 2 / channels * around * slopes
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_an_image_without_noise_is_no_division_by_zero() -> None:
    y, x = np.mgrid[:9.0, :9.0]
    clean = (3 * x + y**3)[None]
    found = errors_from_observed(
        clean, clean[0], clean + 1, lambda image: image[None] + 1, share=1.0, rng=np.random.default_rng(0)
    ).squares()
    np.testing.assert_allclose(found, 1, atol=1e-9)


@pytest.mark.parametrize("rank", [2, 3])
def test_the_variance_of_the_noise_is_found_where_it_is(rank: int) -> None:
    """White noise that grows along x, on a structure as sharp as an objective lets it be."""
    rng = np.random.default_rng(6)
    shape = (2, 600, 600) if rank == 2 else (2, 4, 300, 300)
    std = np.linspace(1, 10, shape[-1]) * np.ones(shape)
    structure = gaussian_filter(rng.normal(size=shape), (0,) * (rank - 1) + (1.5, 1.5))
    found = noise_variance(20 * structure / structure.std() + std * rng.normal(size=shape))
    assert found.shape == shape
    for part in np.array_split(np.arange(shape[-1]), 4):
        expected = (std[..., part] ** 2).mean()
        assert found[..., part].mean() == pytest.approx(expected, rel=0.04)


def test_a_field_that_is_too_small_to_measure_noise_is_refused() -> None:
    with pytest.raises(CalibrationError, match="cannot be measured in so few pixels"):
        noise_variance(np.zeros((2, 4, 90)))
