"""Noise pairs have the statistics of the noise: mean the signal, variance that of the camera."""

import numpy as np
import pytest
from scipy.ndimage import convolve, gaussian_filter
from scipy.stats import norm

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images import noise_pairs
from denoisplit.core.images.noise_pairs import (
    FLATTEST,
    SMOOTHING_WIDTHS,
    bootstrap_pairs,
    join_pairs,
    pairs_from_clean,
    pairs_from_repeats,
)
from denoisplit.core.network.interfaces import NoisePairs

GAIN, OFFSET = 5.0, 100.0


def scene(side: int = 256, seed: int = 0) -> Float64Array:
    """Blurred spots and background."""
    rng = np.random.default_rng(seed)
    spots = gaussian_filter((rng.random((side, side)) < 0.003) * 2e5, 5)
    clean: Float64Array = OFFSET + 50 + spots * 0.5
    return clean


def expose(clean: Float64Array, count: int, seed: int = 1) -> Float64Array:
    electrons = np.random.default_rng(seed).poisson((clean - OFFSET) / GAIN, (count, *clean.shape))
    return OFFSET + GAIN * electrons.astype(np.float64)


def variance_ratio(pairs: NoisePairs) -> Float64Array:
    """Variance of the residual over that of the camera, in thirds of the signal."""
    thirds = np.digitize(pairs.signal, np.quantile(pairs.signal, [1 / 3, 2 / 3]))
    residual = pairs.observation - pairs.signal
    expected = GAIN * (pairs.signal - OFFSET)
    return np.array([(residual[thirds == i] ** 2).mean() / expected[thirds == i].mean() for i in range(3)])


def slope(pairs: NoisePairs) -> float:
    covariance = np.cov(pairs.signal, pairs.observation)
    return float(covariance[0, 1] / covariance[0, 0])


def surround(width: float) -> Float64Array:
    """Weights of the neighbours of a pixel in its Gaussian mean, the pixel itself left out."""
    x = np.arange(-int(4 * width) - 1, int(4 * width) + 2)
    line = np.exp(-(x**2) / (2 * width**2))
    weights: Float64Array = np.outer(line, line)
    weights[len(x) // 2, len(x) // 2] = 0
    weights /= weights.sum()
    return weights


def overlap(one: float, other: float) -> float:
    """Covariance of two such means of unit noise."""
    wide = surround(max(one, other))
    margin = (len(wide) - len(surround(min(one, other)))) // 2
    return float((np.pad(surround(min(one, other)), margin) * wide).sum())


def test_clean_references_are_taken_as_they_are() -> None:
    clean = scene()
    pairs = pairs_from_clean(clean, expose(clean, 1)[0], limit=50_000)
    assert len(pairs.signal) == 50_000
    np.testing.assert_allclose(variance_ratio(pairs), 1, atol=0.05)
    every = pairs_from_clean(clean[:8, :8], clean[:8, :8] + 1)
    assert np.array_equal(np.sort(every.signal), np.sort(clean[:8, :8].ravel()))


@pytest.mark.parametrize("count", [2, 3, 20])
def test_repeats_have_the_full_variance_and_the_signal_as_mean_however_few(count: int) -> None:
    pairs = pairs_from_repeats(expose(scene(), count), limit=300_000)
    np.testing.assert_allclose(variance_ratio(pairs), 1, atol=0.05)
    assert slope(pairs) == pytest.approx(1, abs=0.01)


def test_bootstrap_comes_close_without_any_reference() -> None:
    pairs = join_pairs([bootstrap_pairs(image) for image in expose(scene(), 6)])
    np.testing.assert_allclose(variance_ratio(pairs), 1, atol=0.15)


def expected_slope(clean: Float64Array) -> float:
    r"""Slope that a bootstrap of exposures of a known scene s should find.

    The smoothed image is :math:`\hat s = s + (1 - w) B + \nu`: of the mean S of the neighbours,
    :math:`B = Ss - s` is the bias, :math:`\nu` is noise, and w is the weight of the pixel itself. Above it,
    the observation has :math:`\sqrt{1 - w}\, (n - \nu_S - B)`, with n the noise of the pixel and
    :math:`\nu_S` that of S.

    * Over all pixels, w makes :math:`\mathrm{Cov}(\nu, n) = \mathrm{Var}\,\nu`, and noise leaves the slope
      at 1. The bias raises it: a smoothed image is flatter than the scene.
    * Kept are, of pixels of like signal, those where S and the next wider mean differ least,
      :math:`|\delta + \varepsilon| \le t`, with the difference :math:`\delta` for the scene and the noise
      :math:`\varepsilon`. There, the noise makes up for the structure, with the mean of a truncated Gaussian.
      As :math:`\nu_S` follows it with
      :math:`\kappa = \mathrm{Cov}(\nu_S, \varepsilon) / \mathrm{Var}\,\varepsilon`, the observation is above
      the signal by :math:`\sqrt{1 - w}\, (-B - \kappa\, \mathrm{E}\,\varepsilon)`.
    """
    variance = GAIN * (clean - OFFSET)
    means = [convolve(clean, surround(width), mode="mirror") for width in SMOOTHING_WIDTHS]
    errors = [
        np.mean(variance * overlap(width, width) + (mean - clean) ** 2)
        for width, mean in zip(SMOOTHING_WIDTHS, means, strict=True)
    ]
    best = int(np.argmin(errors))
    width, wider = SMOOTHING_WIDTHS[best : best + 2]
    own, both, other = overlap(width, width), overlap(width, wider), overlap(wider, wider)
    inner = np.s_[2:-2, 2:-2]
    bias, delta = (means[best] - clean)[inner].ravel(), (means[best] - means[best + 1])[inner].ravel()
    spread = np.sqrt(variance[inner].ravel() * (own - 2 * both + other))
    signal = clean[inner].ravel() + bias / (1 + own)  # w = own / (1 + own)
    low, high = np.percentile(signal, (0.5, 99.5))
    bins = np.searchsorted(np.linspace(low, high, 33)[1:-1], signal)
    count = np.maximum(np.bincount(bins, minlength=32), 1)

    def ends(limit: Float64Array) -> tuple[Float64Array, Float64Array]:
        return (-limit[bins] - delta) / spread, (limit[bins] - delta) / spread

    def chance(limit: Float64Array) -> Float64Array:
        below, above = ends(limit)
        return np.asarray(norm.cdf(above) - norm.cdf(below))

    lower, upper = np.zeros(32), np.full(32, np.abs(delta).max() + 5 * spread.max())
    for _ in range(30):
        limit = (lower + upper) / 2
        few = np.bincount(bins, chance(limit), 32) / count < FLATTEST
        lower, upper = np.where(few, limit, lower), np.where(few, upper, limit)
    kept = chance(upper)
    below, above = ends(upper)
    noise = spread * (norm.pdf(below) - norm.pdf(above)) / kept
    rest = (-bias - (own - both) / (own - 2 * both + other) * noise) / np.sqrt(1 + own)
    covariance = np.cov(signal, rest, aweights=kept)
    return 1 + float(covariance[0, 1] / covariance[0, 0])


def test_the_slope_of_a_bootstrap_is_off_by_what_smoothing_costs() -> None:
    """The bias is 0.03 here; sampling, and the noise that the choice couples to the signal, leave 0.001."""
    clean = scene()
    pairs = join_pairs([bootstrap_pairs(image) for image in expose(clean, 6)])
    assert slope(pairs) == pytest.approx(expected_slope(clean), abs=0.003)


@pytest.mark.parametrize("width", SMOOTHING_WIDTHS[:3])
def test_the_weight_of_the_pixel_makes_slope_and_variance_exact(
    width: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    r"""Without structure, and with one width that leaves nothing to choose, there is only sampling error.

    The signal has the variance w v of the noise that is left, the residual v. Of N pixels, the slope has the
    error :math:`1 / \sqrt{N w}` and the variance :math:`\sqrt{2 / N}`, somewhat more as neighbours correlate.
    """
    monkeypatch.setattr(noise_pairs, "SMOOTHING_WIDTHS", (width,))
    pairs = join_pairs([bootstrap_pairs(image) for image in expose(np.full((256, 256), 400.0), 6)])
    count, weight = len(pairs.signal), overlap(width, width) / (1 + overlap(width, width))
    residual = pairs.observation - pairs.signal
    assert pairs.signal.var() == pytest.approx(weight * GAIN * 300, rel=0.05)
    assert slope(pairs) == pytest.approx(1, abs=5 / np.sqrt(count * weight))
    assert residual.var() == pytest.approx(GAIN * 300, rel=6 * np.sqrt(2 / count))


def test_bootstrap_of_flat_images_is_exact_in_3d_too() -> None:
    flat = np.full((6, 128, 128), 400.0)
    pairs = bootstrap_pairs(expose(flat, 1)[0])
    residual = pairs.observation - pairs.signal
    assert residual.var() == pytest.approx(GAIN * 300, rel=0.05)
    assert abs(residual.mean()) < 1


def test_choice_of_pairs_depends_on_the_seed_only() -> None:
    image = expose(scene(64), 3)
    one, two, other = (pairs_from_repeats(image, limit=500, seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.observation, two.observation)
    assert not np.array_equal(one.observation, other.observation)
    joined = join_pairs([one, other], limit=300, seed=0)
    assert len(joined.signal) == len(joined.observation) == 300
    assert joined.origin == "repeats"


def test_images_that_allow_no_pairs_are_refused() -> None:
    with pytest.raises(ImageError, match="shapes"):
        pairs_from_clean(np.ones((4, 4)), np.ones((4, 5)))
    with pytest.raises(ImageError, match="two or more exposures"):
        pairs_from_repeats(np.ones((1, 9, 9)))
    with pytest.raises(ImageError, match="8 x 8"):
        bootstrap_pairs(np.ones((4, 100)))
    with pytest.raises(ImageError, match="finite"):
        bootstrap_pairs(np.full((20, 20), np.nan))
    with pytest.raises(ImageError, match="no images"):
        join_pairs([])
