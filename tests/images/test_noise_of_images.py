"""A background that was cut off, and noise that is correlated, are told from what images usually are."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from denoisplit.core.arrays import Float64Array
from denoisplit.core.images.bases import Field
from denoisplit.core.images.noise_correlation import neighbour_correlation, noise_correlation
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
        assert np.abs(white).max() < 0.06
        averaged = neighbour_correlation(clean[:, 1:] + (noise[:, 1:] + noise[:, :-1]) / 2)
        assert averaged == pytest.approx((0, 0.5), abs=0.06)
    assert neighbour_correlation(np.ones((32, 32))) is None
    assert neighbour_correlation(noise[:15]) is None


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
        assert found.most > 0.35
        assert known.source.startswith(raw[0])
        assert raw[0] in str(found)
