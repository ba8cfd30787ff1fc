"""A background that was cut off, and noise that is correlated, are told from what images usually are."""

import numpy as np
import pytest
from scipy.ndimage import correlate1d, gaussian_filter, zoom

from denoisplit.core.arrays import Float64Array
from denoisplit.core.images.bases import Field
from denoisplit.core.images.noise_correlation import (
    NoiseCorrelation,
    neighbour_correlation,
    noise_correlation,
)
from denoisplit.core.images.pile_up import piled_up

RNG = np.random.default_rng
PIXELS = 60_000


def light(seed: int = 0, side: int = 192) -> Float64Array:
    return gaussian_filter(RNG(seed).random((side, side)) ** 8, 2) * 300


def dim() -> Float64Array:
    return RNG(1).gamma(1, 20, PIXELS)


@pytest.mark.parametrize(
    "cut",
    [
        np.clip(np.round(4 * RNG(2).poisson(dim()) + RNG(3).normal(0, 3, PIXELS) - 10), 0, None),
        np.clip(np.round(dim() + RNG(3).normal(0, 5, PIXELS) - 3), 0, None),
        np.clip(dim() + RNG(3).normal(0, 3, PIXELS) - 5, 0, None) * 1e-20,
        np.clip(np.round(100 + RNG(3).normal(0, 3, PIXELS)), 100, None),
    ],
)
def test_a_background_that_was_cut_off_piles_up(cut: Float64Array) -> None:
    assert piled_up(cut) == np.mean(cut == cut.min()) > 0.1


@pytest.mark.parametrize(
    "whole",
    [
        RNG(2).poisson(0.1, PIXELS),
        RNG(2).poisson(1.0, PIXELS),
        RNG(2).poisson(RNG(3).exponential(2, PIXELS)),
        RNG(2).poisson(dim()),
        RNG(2).poisson(np.where(RNG(3).random(PIXELS) < 0.12, RNG(4).uniform(0, 8, PIXELS), 0.05)),
        np.round(100 + RNG(2).normal(0, 3, PIXELS)),
        dim(),
        np.array([0.0, 0.0, 1.0]),
    ],
)
def test_what_counts_photons_does_not(whole: Float64Array) -> None:
    assert piled_up(whole) == 0


def test_the_correlation_of_noise_is_measured_beside_structures() -> None:
    noise = RNG(0).normal(0, 3, (192, 192))
    for clean in (0 * light(), light()):
        white = neighbour_correlation(clean + noise)
        assert white is not None
        assert abs(white.largest) < 0.06
        averaged = neighbour_correlation(clean[:, 1:] + (noise[:, 1:] + noise[:, :-1]) / 2)
        assert averaged is not None
        assert (averaged.along_y, averaged.along_x) == pytest.approx((0, 0.5), abs=0.06)
    assert neighbour_correlation(np.ones((32, 32))) is None
    assert neighbour_correlation(noise[:15]) is None


def measured(noise: list[Float64Array]) -> NoiseCorrelation:
    """The correlation of noise that is known, one array for a field."""
    clean = np.zeros((1, *noise[0].shape), np.float32)
    fields = [Field(name="f", observed=one[None].astype(np.float32), clean=clean) for one in noise]
    found = noise_correlation(fields, 0)
    assert found is not None
    return found


@pytest.mark.parametrize("side", [16, 32, 64])
@pytest.mark.parametrize("fields", [1, 3])
def test_white_noise_of_few_pixels_is_not_called_correlated(side: int, fields: int) -> None:
    found = [measured(list(RNG(n).normal(0, 3, (fields, side, side)))) for n in range(150)]
    assert sum(one.notable for one in found) <= 1
    if side == 64:
        scaled = [(one.found.along_y / one.found.error, one.found.along_x / one.found.error) for one in found]
        assert np.std(scaled) == pytest.approx(1, abs=0.12)  # 4 / sqrt(2 * 300) is four of its own errors
    if (side, fields) != (64, 1):  # there it is at the limit
        assert {one.unknown for one in found} == {side < 64}


def test_the_error_of_the_correlation_knows_that_noise_is_uneven() -> None:
    std = np.where(RNG(0).random((8, 8)) < 0.1, 30.0, 1.0).repeat(16, 0).repeat(16, 1)
    found = [neighbour_correlation(RNG(n).normal(0, std)) for n in range(1, 150)]
    scaled = [(one.along_y / one.error, one.along_x / one.error) for one in found if one is not None]
    assert len(scaled) == len(found)
    assert np.std(scaled) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(("correlation", "beside"), [(0.1, 0.1010), (-0.1, -0.1010), (-0.3, -1 / 3)])
def test_a_little_correlation_in_one_large_field_is_told(correlation: float, beside: float) -> None:
    for seed in range(5):  # neighbours x + t y and y + t z have the correlation t / (1 + t^2)
        noise = correlate1d(RNG(seed).normal(0, 5, (512, 512)), [0, 1, beside], axis=-1, mode="wrap")
        found = measured([noise])
        assert found.notable
        assert found.found.along_x == pytest.approx(correlation, abs=4 * found.found.error)
        assert abs(found.found.along_y) < 4 * found.found.error
        assert f"({found.found.along_x:.2f} ± " in str(found)


@pytest.mark.parametrize(
    "spoil", [lambda image: gaussian_filter(image, 0.7), lambda image: zoom(image, 1.3, order=1)]
)
def test_interpolated_images_are_told_by_the_best_that_there_is(spoil: "object") -> None:
    assert callable(spoil)

    def fields(change: object) -> dict[str, list[Field]]:
        assert callable(change)
        noisy = [change(RNG(n).poisson(light())).astype(np.float32)[None] for n in range(4)]
        clean = change(light()).astype(np.float32)[None]
        others = [change(RNG(n).poisson(light(n))).astype(np.float32)[None] for n in range(4)]
        return {
            "the differences between noisy and clean": [
                Field(name=str(n), observed=one, clean=clean) for n, one in enumerate(noisy)
            ],
            "the differences between exposures": [
                Field(name=str(n), observed=one) for n, one in enumerate(noisy)
            ],
            "the noisy images": [Field(name=str(n), observed=one) for n, one in enumerate(others)],
        }

    for raw, spoilt in zip(fields(lambda image: image).items(), fields(spoil).items(), strict=True):
        known, found = noise_correlation(raw[1], 0), noise_correlation(spoilt[1], 0)
        assert known is not None
        assert found is not None
        assert not known.notable
        assert found.notable
        assert found.found.largest > 0.35
        assert known.source.startswith(raw[0])
        assert raw[0] in str(found)
