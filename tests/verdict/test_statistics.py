"""Statistics of an image: what they answer to, and what they ignore."""

import math

import numpy as np
import pytest

from denoisplit.core.verdict.image_statistics import image_statistics, noise_level, share_at_maximum

LOGARITHMS = ("brightness", "contrast", "noise", "photons", "detail_2", "detail_4", "detail_8")


def textured(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    rng = np.random.default_rng(0)
    return rng.gamma(2.0, 30.0, shape).cumsum(-1).cumsum(-2) / 1000 + rng.normal(200, 5, shape)


@pytest.mark.parametrize("shape", [(40, 33), (3, 32, 48)])
def test_a_constant_moves_the_offset_alone(shape: tuple[int, ...]) -> None:
    image = textured(*shape)
    before = image_statistics(image, centre=200, scale=50)
    after = image_statistics(image + 75, centre=200, scale=50)
    assert set(before) == {"offset", *LOGARITHMS}
    assert after["offset"] == pytest.approx(before["offset"] + 75 / 50)
    for name in LOGARITHMS:
        assert after[name] == pytest.approx(before[name], abs=1e-9)


def test_a_gain_moves_what_has_a_unit_by_its_logarithm() -> None:
    image = textured(40, 40)
    before = image_statistics(image, centre=0, scale=50)
    after = image_statistics(3 * image, centre=0, scale=50)
    assert after["offset"] == pytest.approx(3 * before["offset"])
    for name in ("brightness", "contrast", "noise", "photons"):
        assert after[name] - before[name] == pytest.approx(math.log(3))
    for name in ("detail_2", "detail_4", "detail_8"):
        assert after[name] == pytest.approx(before[name])


def test_the_photons_tell_a_gain_from_an_exposure() -> None:
    """Poisson noise of a smooth image, in counts per photon."""
    y, x = np.mgrid[:300, :300]
    signal = 40 + 30 * np.sin(y / 40) * np.sin(x / 40)
    rng = np.random.default_rng(0)

    def photons(gain: float, exposure: float) -> float:
        counts = 100 + gain * rng.poisson(exposure * (1000 * (y > 3) + signal))
        return image_statistics(counts.astype(np.float64), centre=100, scale=50)["photons"]

    assert photons(2, 1) - photons(1, 1) == pytest.approx(math.log(2), abs=0.05)
    assert photons(1, 4) == pytest.approx(photons(1, 1), abs=0.05)


def test_white_noise_has_its_shares_and_its_level() -> None:
    """Means of n pixels have 1/n of the variance, so bands of 2, 4 and 8 pixels have 1/4 - 1/16 and so on."""
    noise = np.random.default_rng(1).normal(500, 7, (2, 800, 800))
    found = image_statistics(noise, centre=500, scale=7)
    assert found["contrast"] == pytest.approx(0, abs=3e-3)
    assert found["noise"] == pytest.approx(0, abs=3e-3)
    for name, share in (("detail_2", 3 / 16), ("detail_4", 3 / 64), ("detail_8", 1 / 64)):
        assert math.exp(found[name]) == pytest.approx(share, rel=0.05)


def test_smooth_structures_are_no_noise_and_whole_numbers_are_no_obstacle() -> None:
    y, x = np.mgrid[:256, :256]
    smooth = 300 + 100 * np.sin(y / 20) + 2.0 * x
    assert noise_level(smooth) < 0.3
    rng = np.random.default_rng(2)
    for sigma in (0.5, 4.0):
        counted = np.round(smooth + rng.normal(0, sigma, smooth.shape))
        # Rounding adds the variance of a uniform distribution.
        assert noise_level(counted) == pytest.approx(math.sqrt(sigma**2 + 1 / 12), rel=0.1)


def test_small_images_have_what_they_have_room_for() -> None:
    assert set(image_statistics(textured(9, 40), centre=0, scale=1)) == {
        "offset",
        "brightness",
        "contrast",
        "noise",
        "photons",
    }
    assert set(image_statistics(textured(1, 5), centre=0, scale=1)) == {"offset", "brightness", "contrast"}
    almost_constant = np.zeros((16, 16))
    almost_constant[0, 0] = 1
    assert all(
        math.isfinite(value) for value in image_statistics(almost_constant, centre=0, scale=1).values()
    )


def test_the_share_at_the_maximum() -> None:
    assert share_at_maximum(np.arange(20.0)) == 1 / 20
    assert share_at_maximum(np.minimum(np.arange(20.0), 14)) == 6 / 20
