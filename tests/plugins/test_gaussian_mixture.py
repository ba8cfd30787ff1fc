"""The mixture noise model: fitting, refusing, keeping its state."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from scipy.ndimage import gaussian_filter

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import ChannelCountError, NoiseModelError, counted
from denoisplit.core.images.noise_pairs import bootstrap_pairs, pairs_from_clean, pairs_from_repeats
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoisePairs
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.plugins.noise_models.pair_checks import check
from denoisplit.plugins.noise_models.pair_moments import binned_moments, doubt_variance, variance_misfit
from denoisplit.plugins.noise_models.poisson_gaussian import PoissonGaussian

Options = GaussianMixture.Options


def build(channels: int = 1, options: Options | None = None) -> GaussianMixture:
    statistics = IntensityStats(
        mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0,) * channels, target_std=(1.0,) * channels
    )
    return GaussianMixture(options or Options(), statistics=statistics)


def image(values: Float64Array | list[float]) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float64).view(1, 1, 1, -1)


def photons(mean: float, contrast: float) -> NoisePairs:
    """A small image of nothing but photons: dark, and bright in a few places."""
    rng = np.random.default_rng(0)
    scene = gaussian_filter(rng.normal(size=(48, 48)), 3)
    scene = np.exp(contrast * scene / scene.std())
    return bootstrap_pairs(rng.poisson(mean * scene / scene.mean()).astype(np.float32), limit=10**6, seed=0)


def scene(pixels: int, seed: int = 0, offset: float = 100.0) -> Float64Array:
    """Mostly dark pixels and a few bright ones, as in fluorescence images."""
    rng = np.random.default_rng(seed)
    return offset + np.concatenate(
        [rng.gamma(2, 60, pixels - pixels // 10), rng.uniform(0, 3000, pixels // 10)]
    )


def poisson_gaussian(
    signal: Float64Array, seed: int = 0, gain: float = 4.0, read: float = 6.0
) -> Float64Array:
    rng = np.random.default_rng(seed)
    noisy: Float64Array = 100 + gain * rng.poisson((signal - 100) / gain) + rng.normal(0, read, len(signal))
    return noisy


def electron_multiplying(signal: Float64Array, seed: int = 0) -> Float64Array:
    """An EMCCD: Poisson electrons, exponential gain each, read noise; variance 12.8 (signal - 100) + 9."""
    rng = np.random.default_rng(seed)
    electrons = rng.poisson((signal - 100) / 6.4)
    multiplied = np.where(electrons > 0, rng.gamma(np.maximum(electrons, 1), 6.4), 0)
    return 100 + multiplied + rng.normal(0, 3, len(signal))


def test_fit_recovers_mean_and_variance_of_a_camera() -> None:
    signal = scene(200_000)
    model = build()
    (report,) = model.fit([NoisePairs(signal, poisson_gaussian(signal))], seed=1)
    assert report.calibration_error < 0.015
    assert report.warnings == ()
    assert report.pairs == pytest.approx(200_000, rel=0.01)
    probe = [110.0, 300.0, 1000.0, 2500.0]
    expected = [4 * (s - 100) + 36 for s in probe]
    np.testing.assert_allclose(model.variance(image(probe)).flatten(), expected, rtol=0.12)


def test_signals_beyond_anything_do_not_overflow() -> None:
    signal = np.linspace(110, 1900, 5000)
    model = build(options=Options(coefficients=6))
    model.fit([NoisePairs(signal, poisson_gaussian(signal))], seed=0)
    far = image([1e12, -1e12]).float()
    assert bool(model.log_prob(far, far).isfinite().all())


def test_a_component_without_weight_may_have_any_variance() -> None:
    signal = np.linspace(110, 1900, 5000)
    model = build()
    model.fit([NoisePairs(signal, poisson_gaussian(signal))], seed=0)
    state = model.state_dict()
    state["weights"][0, 1, 0], state["weights"][0, 2, 0] = 1e3, -1e3
    model.load_state_dict(state)
    clean = image([500.0]).float().requires_grad_()
    torch.autograd.backward(model.log_prob(image([510.0]).float(), clean).sum())
    assert clean.grad is not None
    assert bool(clean.grad.isfinite().all())


def test_fit_describes_the_skewed_noise_of_an_emccd() -> None:
    signal = scene(300_000)
    observation = electron_multiplying(signal)
    (skewed,) = build().fit([NoisePairs(signal, observation)], seed=0)
    (single,) = build(options=Options(components=1)).fit([NoisePairs(signal, observation)], seed=0)
    assert skewed.calibration_error < 0.015
    assert single.calibration_error > 2 * skewed.calibration_error
    assert skewed.nll < single.nll - 0.02


def test_fit_is_deterministic_and_ignores_pairs_that_are_not_finite() -> None:
    signal = scene(20_000)
    observation = poisson_gaussian(signal)
    one, two, three = build(), build(), build()
    one.fit([NoisePairs(signal, observation)], seed=3)
    two.fit([NoisePairs(signal, observation)], seed=3)
    assert torch.equal(one.weights, two.weights)
    spoilt = observation.copy()
    spoilt[::100] = np.nan
    (report,) = three.fit([NoisePairs(signal, spoilt)], seed=3)
    assert three.weights.isfinite().all()
    assert any("not finite" in warning for warning in report.warnings)


def test_channels_are_fitted_independently() -> None:
    signal = scene(20_000)
    pairs = [
        NoisePairs(signal, poisson_gaussian(signal, gain=2)),
        NoisePairs(signal, poisson_gaussian(signal, gain=8)),
    ]
    model = build(2)
    reports = model.fit(pairs, seed=0)
    assert [r.channel for r in reports] == [0, 1]
    dim, noisy = model.variance(torch.full((1, 2, 1, 1), 1100.0)).flatten().tolist()
    assert dim == pytest.approx(2036, rel=0.1)
    assert noisy == pytest.approx(8036, rel=0.1)


def test_a_single_gaussian_and_few_pairs_are_reported() -> None:
    rng = np.random.default_rng(0)
    signal = rng.uniform(100, 1000, 5000)
    (report,) = build().fit([NoisePairs(signal, signal + rng.normal(0, 10, 5000))], seed=0)
    assert any("only 49" in warning for warning in report.warnings)
    assert any("is a single Gaussian" in warning for warning in report.warnings)
    floored = build(options=Options(variance_floor=400.0))
    (report,) = floored.fit([NoisePairs(signal, signal + rng.normal(0, 10, 5000))], seed=0)
    assert any("variance floor" in warning for warning in report.warnings)
    assert any("not well described" in warning for warning in report.warnings)


@pytest.mark.parametrize("noise", [poisson_gaussian, electron_multiplying])
def test_swapped_pairs_are_refused(noise: Callable[[Float64Array], Float64Array]) -> None:
    signal = scene(50_000)
    with pytest.raises(NoiseModelError, match="Exchange signal and observation"):
        build().fit([NoisePairs(noise(signal), signal)], seed=0)


@pytest.mark.parametrize(
    ("signal", "observation", "message"),
    [
        (np.ones(2000), np.random.default_rng(0).normal(size=2000), "constant"),
        (np.linspace(0, 9, 2000), np.ones(2000), "constant"),
        (np.linspace(0, 9, 2000), np.linspace(0, 9, 2000), "the same images"),
        (np.linspace(0, 0.1, 2000), np.random.default_rng(0).normal(size=2000), "narrow"),
        (np.linspace(0, 9, 2000), np.ones(1999), "equally long"),
        (np.linspace(0, 9, 100), np.ones(100), "too few"),
        (np.full(2000, np.nan), np.ones(2000), "too few"),
    ],
)
def test_unusable_pairs_are_refused(signal: Float64Array, observation: Float64Array, message: str) -> None:
    model = build()
    with pytest.raises(NoiseModelError, match=message):
        model.fit([NoisePairs(signal, observation)], seed=0)
    assert model.needs_fit


def test_state_dict_carries_everything_into_a_fresh_instance() -> None:
    signal = scene(20_000)
    model, fresh = build(), build()
    waiting = model.needs_fit
    model.fit([NoisePairs(signal, poisson_gaussian(signal))], seed=0)
    assert (waiting, model.needs_fit, fresh.needs_fit) == (True, False, True)
    assert all(isinstance(value, torch.Tensor) for value in model.state_dict().values())
    fresh.load_state_dict(model.state_dict())
    assert not fresh.needs_fit
    probe = image([50.0, 200.0, 4000.0])
    assert torch.equal(fresh.log_prob(probe + 9, probe), model.log_prob(probe + 9, probe))


def test_state_dict_of_an_unfitted_model_leaves_it_unfitted() -> None:
    fresh = build()
    fresh.load_state_dict(build().state_dict())
    assert fresh.needs_fit
    with pytest.raises(NoiseModelError, match="not fitted"):
        fresh.log_prob(image([1.0]), image([1.0]))


def test_files_of_different_size_travel_in_the_state_dict_without_the_files(tmp_path: Path) -> None:
    signal = scene(20_000)
    paths = (tmp_path / "one.npz", tmp_path / "two.npz")
    for path, components, coefficients in zip(paths, (1, 4), (3, 2), strict=True):
        source = build(options=Options(components=components, coefficients=coefficients, fit_steps=5))
        source.fit([NoisePairs(signal, poisson_gaussian(signal))], seed=0)
        source.export(0, path)
    loaded = build(2, Options(path=paths))
    assert not loaded.needs_fit
    assert loaded.weights.shape == (2, 3, 4, 3)
    assert loaded.weights.isfinite().all()  # as files of weights have to be
    for path in paths:
        path.unlink()
    elsewhere = build(2, Options(path=paths))
    assert elsewhere.needs_fit
    with pytest.raises(NoiseModelError, match="no such file"):
        elsewhere.fit([], seed=0)
    elsewhere.load_state_dict(loaded.state_dict())
    probe = image([50.0, 200.0, 4000.0]).expand(1, 2, 1, 3)
    assert torch.equal(elsewhere.log_prob(probe + 9, probe), loaded.log_prob(probe + 9, probe))


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    good = {"trained_weight": np.zeros((3, 2)), "min_signal": 0.0, "max_signal": 9.0, "min_sigma": 1.0}
    cases: list[tuple[dict[str, object], str]] = [
        ({"trained_weight": np.zeros((4, 2))}, "3 rows per component"),
        ({"max_signal": 0.0}, "min_signal < max_signal"),
        ({"min_sigma": 0.0}, "min_sigma > 0"),
        ({"trained_weight": np.full((3, 2), np.nan)}, "finite weights"),
    ]
    path = tmp_path / "model.npz"
    for change, message in cases:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **{k: np.asarray(v) for k, v in {**good, **change}.items()})
        with pytest.raises(NoiseModelError, match=message):
            build(options=Options(path=(path,)))
    with path.open("wb") as file:
        np.savez(file, trained_weight=np.zeros((3, 2)))
    with pytest.raises(NoiseModelError, match="min_signal, max_signal, min_sigma"):
        build(options=Options(path=(path,)))
    path.write_bytes(b"not an archive")
    with pytest.raises(NoiseModelError, match="not a readable"):
        build(options=Options(path=(path,)))


def test_channel_counts_must_fit(tmp_path: Path) -> None:
    with pytest.raises(ChannelCountError, match="1 files for 2 channels"):
        build(2, Options(path=(tmp_path / "x.npz",)))
    with pytest.raises(ChannelCountError, match="1 channels for 2"):
        build(2).fit([NoisePairs(np.ones(9), np.ones(9))], seed=0)
    model, signal = build(), scene(5000)
    model.fit([NoisePairs(signal, poisson_gaussian(signal))], seed=0)
    with pytest.raises(ChannelCountError, match="2 channels"):
        model.log_prob(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 3, 3))


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="components"):
        Options(components=0)
    with pytest.raises(ValueError, match="coefficients"):
        Options(coefficients=0)
    with pytest.raises(ValueError, match="variance_floor"):
        Options(variance_floor=0.0)
    with pytest.raises(ValueError, match="path"):
        Options(path=())


def _good(report: FitReport) -> bool:
    return report.calibration_error < 0.05 and not report.warnings


def test_real_repeats_are_described(data_root: Path) -> None:
    (path,) = (data_root / "small" / "noise_calib").glob("*.tif")
    pairs = pairs_from_repeats(tifffile.imread(path), limit=200_000)
    (report,) = build().fit([pairs], seed=0)
    assert _good(report)
    with pytest.raises(NoiseModelError, match="Exchange"):
        build().fit([NoisePairs(pairs.observation, pairs.signal)], seed=0)


@pytest.mark.slow
def test_real_emccd_images_are_described_and_have_the_documented_gain(data_root: Path) -> None:
    folder = data_root / "small" / "w2s"
    clean, noisy = (
        np.stack([tifffile.imread(p) for p in sorted(folder.glob(f"*_{kind}.tif"))], axis=1)
        for kind in ("clean", "noisy")
    )
    model = build(3)
    pairs = [pairs_from_clean(c, n, limit=200_000) for c, n in zip(clean, noisy, strict=True)]
    assert all(_good(report) for report in model.fit(pairs, seed=0))
    for signal in (120.0, 200.0):
        variance = model.variance(torch.full((1, 3, 1, 1), signal)).flatten()
        np.testing.assert_allclose(variance, 12.8 * (signal - 100), rtol=0.1)
    with pytest.raises(NoiseModelError, match="Exchange"):
        build().fit([NoisePairs(pairs[0].observation, pairs[0].signal)], seed=0)


def darkest_level(seed: int, pixels: int = 8000) -> NoisePairs:
    """An 8-bit confocal: an eighth of the pixels at the darkest level, with next to no noise."""
    rng = np.random.default_rng(seed)
    signal = np.clip(rng.gamma(1.2, 22, pixels) + 3, 3, 243)
    observation = rng.poisson((signal - 3) / 4) * 4 + 3 + rng.normal(0, 0.7, pixels)
    signal[: pixels // 8] = 3.9
    observation[: pixels // 8] = 3.7 + rng.normal(0, 0.5, pixels // 8)
    return NoisePairs(np.round(signal), np.clip(np.round(observation), 2, 255), "clean reference")


@pytest.mark.parametrize("seed", [7, 9])
def test_the_variance_stays_near_that_of_the_pairs_or_the_user_is_told(seed: int) -> None:
    """Components without weight may drift to any variance; then a little weight is enough to ruin the sum."""
    pairs = darkest_level(seed)
    model = build()
    (report,) = model.fit([pairs], seed=0)
    near = [pairs.observation[np.abs(pairs.signal - s) < 1].var() for s in (4, 10, 30, 100)]
    ratio = model.variance(image([4.0, 10.0, 30.0, 100.0])).flatten().numpy() / np.array(near)
    told = any("the fitted variance is" in warning for warning in report.warnings)
    assert ratio.max() < 10
    assert told or (ratio.max() < 3 and ratio.min() > 1 / 3)
    assert model.variance(image([-40.0])).item() < 10 * pairs.observation.var()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("side", [96, 256])
def test_images_of_photons_alone_are_described_by_as_many_components_as_they_determine(
    side: int, seed: int
) -> None:
    """Seldom outliers call for a component that would have any variance where the images are dark."""
    rng = np.random.default_rng(seed)
    scene = gaussian_filter(rng.normal(size=(4, side, side)), (0, 1.5, 1.5))
    light = np.clip(40 + 30 * scene / scene.std(), 2, None)
    pairs = bootstrap_pairs((100 + 4 * rng.poisson(light)).astype(np.float32), limit=10**6, seed=seed)
    model = build()
    (report,) = model.fit([pairs], seed=seed)
    found = model.variance(image([115.0, 200.0, 300.0])).flatten().numpy()
    near = [pairs.observation[np.abs(pairs.signal - s) < 8].var() for s in (115, 200, 300)]
    assert np.abs(np.log(found / near)).max() < np.log(3)
    assert not any("the fitted variance is" in warning for warning in report.warnings)
    # How many these are depends on the rounding of the processor; what is told is what was fitted.
    fitted = model.weights.shape[2]
    told = f"the pairs determine {counted(fitted, 'component')} only (of 3), which were fitted"
    assert (told in report.warnings) == (fitted < Options().components)


def test_a_variance_far_from_that_of_the_pairs_is_refused_and_one_off_is_told() -> None:
    signal = scene(20_000)
    pairs = check(NoisePairs(signal, poisson_gaussian(signal)), "noise model")
    t = (pairs.signal - pairs.low) / (pairs.high - pairs.low)
    moments = binned_moments(t, pairs.observation - pairs.signal)
    assert doubt_variance(pairs, variance_misfit(moments, 1.3 * moments.variance), "Try") == []
    (told,) = doubt_variance(pairs, variance_misfit(moments, 5 * moments.variance), "Try")
    assert "the fitted variance is" in told
    for far in (1e5, 1e-3):
        with pytest.raises(NoiseModelError, match="the fit failed"):
            doubt_variance(pairs, variance_misfit(moments, far * moments.variance), "Try")


def test_a_background_that_was_cut_off_is_told() -> None:
    signal = scene(20_000, offset=0.0)
    observation = np.round(np.maximum(poisson_gaussian(signal + 100) - 130, 0))
    checked = check(NoisePairs(signal, observation), "noise model")
    assert any("a background was cut off" in warning for warning in checked.warnings)


def test_photons_that_are_nearly_all_zero_are_no_failed_fit() -> None:
    """Bootstrap pairs of such images show variances far below what integers resolve."""
    y, x = np.mgrid[:160, :160]
    nuclei = sum(6 * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 80) for a, b in ((40, 50), (110, 30), (90, 120)))
    pairs = bootstrap_pairs(np.random.default_rng(0).poisson(nuclei + 0.01).astype(np.uint8))
    statistics = IntensityStats(mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0,), target_std=(1.0,))
    camera = PoissonGaussian(PoissonGaussian.Options(), statistics=statistics)
    for report in (*build().fit([pairs], seed=0), *camera.fit([pairs], seed=0)):
        assert not any("the fitted variance is" in warning for warning in report.warnings)


def test_a_fit_that_fails_for_few_photons_names_the_model_that_does_not() -> None:
    pairs = photons(30.0, 2.0)
    with pytest.raises(NoiseModelError, match=r"the fit failed .* noise_model poisson_gaussian or histogram"):
        build(options=Options(coefficients=1)).fit([pairs], seed=0)
    statistics = IntensityStats(mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0,), target_std=(1.0,))
    (report,) = PoissonGaussian(PoissonGaussian.Options(), statistics=statistics).fit([pairs], seed=0)
    assert report.calibration_error < 0.2


def test_moments_of_images_that_are_mostly_dark() -> None:
    """The largest bins have no noise at all, and those that have some are small."""
    t = np.concatenate([np.zeros(600), np.linspace(0.1, 1, 40)])
    residual = np.concatenate([np.zeros(600), np.random.default_rng(0).normal(size=40)])
    moments = binned_moments(t, residual)
    assert len(moments.count) > 0
    assert (moments.variance > 0).all()
    assert (moments.t >= 0.1).all()
