"""The mixed image is the mean or sum of its channels, and the statistics are those of all pixels at once."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.intensity_statistics import intensity_stats
from denoisplit.core.images.mixing import Mixing, mix, random_weights
from denoisplit.core.images.normalisation import Normalisation


def fields(seed: int, channels: int, sizes: list[int]) -> list[Float32Array]:
    rng = np.random.default_rng(seed)
    level = rng.uniform(50, 5000, (channels, 1, 1))
    return [(level + rng.normal(0, 30, (channels, size, size + 1))).astype(np.float32) for size in sizes]


many = st.builds(
    fields, st.integers(0, 99), st.integers(1, 4), st.lists(st.integers(2, 9), min_size=1, max_size=4)
)


@given(many)
def test_statistics_for_mean_mixing_pool_all_target_pixels(targets: list[Float32Array]) -> None:
    stats = intensity_stats(targets, Mixing())
    pixels = np.concatenate([t.reshape(len(t), -1) for t in targets], axis=1).astype(np.float64)
    np.testing.assert_allclose(stats.target_mean, pixels.mean(axis=1))
    np.testing.assert_allclose(stats.target_std, pixels.std(axis=1))
    np.testing.assert_allclose([stats.mixed_mean, stats.mixed_std], [pixels.mean(), pixels.std()])


@given(many, st.floats(0, 200))
def test_statistics_for_sum_mixing_are_those_of_the_mixed_images(
    targets: list[Float32Array], offset: float
) -> None:
    stats = intensity_stats(targets, Mixing(mode="sum", offset=offset))
    pixels = (
        np.concatenate([t.astype(np.float64).sum(0).ravel() for t in targets])
        - (len(targets[0]) - 1) * offset
    )
    np.testing.assert_allclose([stats.mixed_mean, stats.mixed_std], [pixels.mean(), pixels.std()], rtol=1e-6)


def test_statistics_stay_exact_on_a_large_offset() -> None:
    pattern = np.tile(np.array([[1.0, -1.0]], np.float32), (1, 64, 64))
    assert intensity_stats([pattern + np.float32(2**20)], Mixing()).target_std == (1.0,)


def test_a_channel_that_is_constant_over_all_fields_is_named() -> None:
    target = np.stack([np.random.default_rng(0).normal(size=(4, 4)), np.full((4, 4), 3.0)]).astype(np.float32)
    with pytest.raises(ImageError, match="channel 1 is constant"):
        intensity_stats([target, target], Mixing())


def test_unusable_training_images_are_refused() -> None:
    good = fields(0, 2, [4])[0]
    for value in (np.nan, np.inf):
        bad = good.copy()
        bad[1, 2, 3] = value
        with pytest.raises(ImageError, match=f"training field 1: 1 of 40 .*got {value}"):
            intensity_stats([good, bad], Mixing())
        with pytest.raises(ImageError, match="training field 1, mixed image: 1 of 20"):
            intensity_stats([good, good], Mixing(), recorded=[good[:1], bad[1:]])
    with pytest.raises(ChannelCountError, match="training field 1: expected 2"):
        intensity_stats([good, good[:1]], Mixing())
    with pytest.raises(ImageError, match="no training image"):
        intensity_stats([], Mixing())
    with pytest.raises(ImageError, match="mixed image is constant"):
        intensity_stats([np.stack([good[0], -good[0]])], Mixing(mode="sum"))


@given(st.integers(1, 4), st.floats(-100, 100), st.integers(0, 99))
def test_a_sum_keeps_the_camera_offset_once_and_a_mean_keeps_it_too(
    channels: int, offset: float, seed: int
) -> None:
    light = np.random.default_rng(seed).uniform(0, 10, (3, channels, 4, 5))
    summed = mix(light + offset, Mixing(mode="sum", offset=offset), axis=1)
    mean = mix(light + offset, Mixing(), axis=1)
    np.testing.assert_allclose(summed, light.sum(axis=1, keepdims=True) + offset, atol=1e-9)
    np.testing.assert_allclose(mean, light.mean(axis=1, keepdims=True) + offset, atol=1e-9)
    np.testing.assert_array_equal(mix(light[0], Mixing(), axis=0), mix(light[:1], Mixing(), axis=1)[0])


def test_an_unknown_mode_is_refused() -> None:
    unknown: Any = "median"
    with pytest.raises(ValueError, match="mode"):
        Mixing(mode=unknown)


@given(st.integers(1, 4), st.floats(0, 100), st.integers(0, 99), st.sampled_from(["mean", "sum"]))
def test_equal_weights_are_the_plain_mix(channels: int, offset: float, seed: int, mode: Any) -> None:
    counts = np.random.default_rng(seed).uniform(offset, 999, (3, channels, 4, 5))
    mixing = Mixing(mode=mode, offset=offset)
    equal = np.full((3, channels), 1 / channels)
    plain = mix(counts, mixing, axis=1)
    np.testing.assert_allclose(mix(counts, mixing, axis=1, weights=equal), plain)
    np.testing.assert_allclose(mix(counts[0], mixing, axis=0, weights=equal[0]), plain[0])


def test_weights_scale_the_light_and_keep_the_camera_offset_once() -> None:
    light = np.random.default_rng(0).uniform(0, 10, (1, 2, 4, 5))
    weights = np.array([[0.2, 0.7]])
    for mode, factor in (("mean", 1), ("sum", 2)):
        mixing = Mixing(mode="sum" if mode == "sum" else "mean", offset=100.0)
        mixed = mix(light + 100, mixing, axis=1, weights=weights)
        expected = 100 + factor * (0.2 * light[:, :1] + 0.7 * light[:, 1:])
        np.testing.assert_allclose(mixed, expected)


def test_weights_of_a_patch_share_one_way_between_their_ends() -> None:
    mixing = Mixing(alpha=((0.0, 1.0), (1.0, 0.5), (0.3, 0.3)))
    weights = random_weights(mixing, 4000, 3, np.random.default_rng(0))
    assert weights is not None
    way = weights[:, 0]
    np.testing.assert_allclose(weights[:, 1], 1 - way / 2)
    np.testing.assert_allclose(weights[:, 2], 0.3)
    assert way.min() < 0.01 < 0.99 < way.max()
    assert way.mean() == pytest.approx(0.5, abs=5 * (1 / 12 / 4000) ** 0.5)
    assert random_weights(Mixing(), 4, 3, np.random.default_rng(0)) is None
    with pytest.raises(ChannelCountError, match=r"\$\.data\.mixing\.alpha: expected 2 channels \(got 3\)"):
        random_weights(mixing, 4, 2, np.random.default_rng(0))


@given(many, st.sampled_from(["mean", "sum"]), st.floats(0, 200))
def test_statistics_by_every_rule(targets: list[Float32Array], mode: Any, offset: float) -> None:
    mixing = Mixing(mode=mode, offset=offset)
    flat = np.concatenate([t.reshape(len(t), -1) for t in targets], axis=1).astype(np.float64)
    mixed = mix(flat, mixing, axis=0)
    share = 1 / len(flat) if mode == "mean" else 1
    expected = {
        "pooled": (flat.mean(), flat.std()),
        "images": (mixed.mean(), mixed.std()),
        "independent": (mixed.mean(), share * np.sqrt(flat.var(axis=1).sum())),
    }
    for rule, numbers in expected.items():
        chosen: Any = rule
        stats = intensity_stats(targets, mixing, normalisation=Normalisation(mixed=chosen, targets="pooled"))
        np.testing.assert_allclose([stats.mixed_mean, stats.mixed_std], numbers, rtol=1e-6)
        np.testing.assert_allclose(stats.target_mean, [flat.mean()] * len(flat))
        np.testing.assert_allclose(stats.target_std, [flat.std()] * len(flat))


def test_means_are_taken_before_additive_noise_where_that_is_known() -> None:
    clean = fields(0, 2, [6, 7])
    noisy = [
        f + np.random.default_rng(i).normal(5, 9, f.shape).astype(np.float32) for i, f in enumerate(clean)
    ]
    stats = intensity_stats(noisy, Mixing(), noiseless=clean)
    assert stats.target_mean == intensity_stats(clean, Mixing()).target_mean
    assert stats.target_std == intensity_stats(noisy, Mixing()).target_std
    assert stats.mixed_mean == intensity_stats(clean, Mixing()).mixed_mean
    assert stats.mixed_std == intensity_stats(noisy, Mixing()).mixed_std
