"""The histogram noise model: counting, files, floor, refusals."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import ChannelCountError, NoiseModelError
from denoisplit.core.network.interfaces import IntensityStats, NoisePairs
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.plugins.noise_models.histogram import Histogram
from denoisplit.plugins.noise_models.histogram_table import ChannelTable, write_table

Options = Histogram.Options


def statistics(channels: int) -> IntensityStats:
    return IntensityStats(
        mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0,) * channels, target_std=(1.0,) * channels
    )


def build(channels: int = 1, options: Options | None = None) -> Histogram:
    return Histogram(options or Options(), statistics=statistics(channels))


def image(values: Float64Array | list[float]) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float64).view(1, 1, 1, -1)


def scene(pixels: int, seed: int = 0) -> Float64Array:
    found: Float64Array = 100 + np.random.default_rng(seed).gamma(2, 60, pixels)
    return found


def electron_multiplying(signal: Float64Array, seed: int = 0) -> Float64Array:
    """An EMCCD that gives whole counts; variance 12.8 (signal - 100) + 9."""
    rng = np.random.default_rng(seed)
    electrons = rng.poisson((signal - 100) / 6.4)
    multiplied = np.where(electrons > 0, rng.gamma(np.maximum(electrons, 1), 6.4), 0)
    found: Float64Array = np.round(100 + multiplied + rng.normal(0, 3, len(signal)))
    return found


def test_a_table_describes_skewed_noise_of_new_images_better_than_one_gaussian() -> None:
    signal, fresh = scene(400_000), scene(50_000, seed=7)
    model = build()
    (report,) = model.fit([NoisePairs(signal, electron_multiplying(signal))], seed=0)
    assert report.calibration_error < 0.03
    single = GaussianMixture(GaussianMixture.Options(components=1), statistics=statistics(1))
    single.fit([NoisePairs(signal, electron_multiplying(signal))], seed=0)
    observation = image(electron_multiplying(fresh, seed=8))
    found, other = (float(m.log_prob(observation, image(fresh)).mean()) for m in (model, single))
    assert found > other + 0.02
    assert -report.nll == pytest.approx(found, abs=0.05)
    # Within the range that holds most pairs, the moments are those of the camera.
    probe = np.array([150.0, 200.0, 250.0])
    np.testing.assert_allclose(model.variance(image(probe)).flatten(), 12.8 * (probe - 100) + 9, rtol=0.1)


def test_rows_at_the_centre_of_their_bins_have_no_bias() -> None:
    signal = np.random.default_rng(0).uniform(100, 400, 300_000)
    pairs = [NoisePairs(signal, signal + np.random.default_rng(1).normal(0, 10, len(signal)))]
    probe = image(np.linspace(150, 350, 40))
    for centred, bins in ((False, 30), (True, 30)):
        model = build(options=Options(bins=bins, centred=centred))
        model.fit(pairs, seed=0)
        low, high = model.limits[0].sum(-1).tolist()
        expected = 0.0 if centred else (high - low) / bins / 2
        assert float(model.bias(probe).mean()) == pytest.approx(expected, abs=0.3)


def test_bins_hold_whole_steps_and_hot_pixels_do_not_stretch_them() -> None:
    signal = scene(50_000)
    observation = electron_multiplying(signal)
    observation[:2] = 65_535
    model = build(options=Options(bins=128))
    model.fit([NoisePairs(signal, observation)], seed=0)
    low, high = model.limits[0].sum(-1).tolist()
    width = (high - low) / 128
    assert width == int(width)
    assert low % 1 == 0.5
    assert high < 3000
    given = build(options=Options(bins=10, lowest=0.0, highest=1000.0))
    given.fit([NoisePairs(signal, observation)], seed=0)
    assert given.limits[0].sum(-1).tolist() == [0.0, 1000.0]


def test_what_was_never_seen_is_unlikely_and_the_rarer_the_pairs_the_less_so() -> None:
    signal = scene(400_000)
    probe = image([180.0])
    values = []
    for pairs in (4000, 400_000):
        model = build(options=Options(bins=64))
        model.fit([NoisePairs(signal[:pairs], electron_multiplying(signal[:pairs]))], seed=0)
        far = probe + 12 * model.variance(probe).sqrt()
        values.append(float(model.log_prob(far, probe)))
    assert -1000 < values[1] < values[0] < -8


def test_observations_outside_the_range_are_as_likely_as_their_pairs_are_many() -> None:
    rng = np.random.default_rng(0)
    signal = rng.uniform(100, 400, 60_000)
    model = build(options=Options(bins=20, lowest=200.0, highest=400.0, centred=True))
    model.fit([NoisePairs(signal, signal + 10 * rng.standard_normal(len(signal)))], seed=0)
    found = float(model.log_prob(image([190.0]), image([205.0])))
    # Three in ten of the pairs of the first row are outside, and a Gaussian about the signal stands for them.
    assert found == pytest.approx(math.log(0.31) + norm(205, 10).logpdf(190), abs=0.3)


def test_thin_tables_are_reported() -> None:
    signal = scene(2000)
    (report,) = build().fit([NoisePairs(signal, electron_multiplying(signal))], seed=0)
    assert any("too few for the table" in warning for warning in report.warnings)
    assert any("only" in warning for warning in report.warnings)
    signal = np.concatenate([scene(30_000), 1500 + scene(30_000)])
    (report,) = build().fit([NoisePairs(signal, electron_multiplying(signal))], seed=0)
    assert any("a Gaussian stands in" in warning for warning in report.warnings)


def test_files_and_state_dicts_keep_the_table(tmp_path: Path) -> None:
    signal = scene(30_000)
    source = build(options=Options(bins=40))
    waiting = source.needs_fit
    source.fit([NoisePairs(signal, electron_multiplying(signal))], seed=0)
    path = tmp_path / "table.npy"
    source.export(0, path)
    loaded = build(2, Options(path=(path, path)))
    assert (waiting, source.needs_fit, loaded.needs_fit) == (True, False, False)
    assert torch.equal(loaded.tables[1], source.tables[0])
    path.unlink()
    elsewhere = build(2, Options(path=(path, path)))
    with pytest.raises(NoiseModelError, match="files not found"):
        elsewhere.log_prob(torch.ones(1, 2, 1, 1), torch.ones(1, 2, 1, 1))
    with pytest.raises(NoiseModelError, match="not a readable"):
        elsewhere.fit([], seed=0)
    elsewhere.load_state_dict(loaded.state_dict())
    assert not elsewhere.needs_fit
    probe = image([50.0, 200.0, 4000.0]).expand(1, 2, 1, 3)
    assert torch.equal(elsewhere.log_prob(probe + 9, probe), loaded.log_prob(probe + 9, probe))


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.npy"
    rng = np.random.default_rng(0)
    good = rng.uniform(size=(5, 5))
    good /= good.sum(1, keepdims=True)
    write_table(path, ChannelTable(good, 0.0, 10.0))
    stored = np.load(path)
    assert not build(options=Options(path=(path,))).needs_fit
    uneven, higher, negative, swapped, heavy = (stored.copy() for _ in range(5))
    uneven[1, 3] += 1
    higher[2, 1] += 1
    heavy[0, 3] *= 2
    negative[0, 2, 2] = -0.1
    swapped[0] = swapped[0].T
    cases = [
        (stored[:2], "shape"),
        (stored[:, :, :4], "shape"),
        (uneven, "equally wide"),
        (higher, "equally wide"),
        (negative, ">= 0"),
        (swapped, "Exchange signal and observation"),
        (2 * stored, "sum to 1"),
        (heavy, "sum to 1"),
    ]
    for content, message in cases:
        np.save(path, content)
        with pytest.raises(NoiseModelError, match=message):
            build(options=Options(path=(path,)))
    path.write_bytes(b"nothing")
    with pytest.raises(NoiseModelError, match="not a readable"):
        build(options=Options(path=(path,)))
    with path.open("wb") as file:
        np.savez(file, trained_weight=good)
    with pytest.raises(NoiseModelError, match="gaussian_mixture"):
        build(options=Options(path=(path,)))


def test_the_brightest_row_has_its_own_noise(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    probability = np.eye(4)
    probability[3] = probability[0]
    write_table(path, ChannelTable(probability, 0.0, 8.0))
    model = build(options=Options(path=(path,)))
    assert model.bias(image([7.0])).item() == pytest.approx(-6, abs=0.05)


def test_a_table_has_two_rows_at_least(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    write_table(path, ChannelTable(np.eye(2), 0.0, 9.0))
    build(options=Options(path=(path,)))
    write_table(path, ChannelTable(np.eye(1), 0.0, 9.0))
    with pytest.raises(NoiseModelError, match=r"has shape \(3, n, n\)"):
        build(options=Options(path=(path,)))


def test_tables_of_different_size_need_one_model_per_channel(tmp_path: Path) -> None:
    paths = (tmp_path / "a.npy", tmp_path / "b.npy")
    for n, path in enumerate(paths, start=3):
        write_table(path, ChannelTable(np.eye(n), 0.0, 9.0))
    with pytest.raises(NoiseModelError, match="one histogram per channel"):
        build(2, Options(path=paths))


def test_unusable_pairs_ranges_and_channels_are_refused() -> None:
    signal = scene(50_000)
    observation = electron_multiplying(signal)
    with pytest.raises(NoiseModelError, match="Exchange signal and observation"):
        build().fit([NoisePairs(observation, signal)], seed=0)
    with pytest.raises(NoiseModelError, match="range is empty"):
        build(options=Options(lowest=9.0, highest=1.0)).fit([NoisePairs(signal, observation)], seed=0)
    with pytest.raises(NoiseModelError, match="no pair lies between"):
        build(options=Options(lowest=-9.0, highest=1.0)).fit([NoisePairs(signal, observation)], seed=0)
    with pytest.raises(ChannelCountError, match="1 channels for 2"):
        build(2).fit([NoisePairs(signal, observation)], seed=0)
    with pytest.raises(ChannelCountError, match="1 files for 2"):
        build(2, Options(path=(Path("x.npy"),)))
    with pytest.raises(NoiseModelError, match="no tables yet"):
        build().log_prob(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
    model = build(options=Options(bins=16))
    model.fit([NoisePairs(signal, observation)], seed=0)
    with pytest.raises(ChannelCountError, match="2 channels"):
        model.log_prob(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 3, 3))


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="bins"):
        Options(bins=1)
    with pytest.raises(ValueError, match="floor_share"):
        Options(floor_share=0.0)
    with pytest.raises(ValueError, match="path"):
        Options(path=())
