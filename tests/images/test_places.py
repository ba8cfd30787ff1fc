"""Where patches come from: separate channels from places of their own, more of them where structures are."""

from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field, MixedSource
from denoisplit.core.images.conditioning import Conditioning
from denoisplit.core.images.context_pyramid import context_crop, pyramid
from denoisplit.core.images.degradation import Degradation
from denoisplit.core.images.foreground import ForegroundPixels, foreground
from denoisplit.core.images.fresh_noise import FreshNoise
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.images.selection import select
from tests.flipping import FLIPS


def numbered(number: int, shape: tuple[int, ...], *, separate: bool = True) -> Field:
    """Two channels whose pixels all differ: channel 0 is positive, channel 1 negative."""
    first = 1 + 10_000 * number + np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Field(name=f"f{number}", observed=np.stack([first, -first]), separate=separate)


def sampler(fields: list[Field], **chosen: Any) -> PatchSampler:
    options = {"patch": (4, 4), "batch": 4, "seed": 0, "mixing": Mixing()}
    return PatchSampler(fields, **{**options, **chosen})


def test_channels_of_separate_fields_are_drawn_from_independent_places() -> None:
    fields = [numbered(0, (6, 6)), numbered(1, (7, 5))]
    targets = sampler(fields, batch=6000).batch(3).targets
    corners = np.abs(targets).min(axis=(2, 3))
    known, pairs = np.unique(corners, return_inverse=True)
    places = 9 + 8
    assert known.size == places
    table = np.zeros((places, places))
    np.add.at(table, tuple(pairs.reshape(-1, 2).T), 1)
    # Every pair of places is equally likely, those of different fields included.
    assert table.min() > 0
    assert stats.chisquare(table.ravel()).pvalue > 1e-3


def test_channels_of_one_field_stay_together_and_their_draws_are_those_of_before() -> None:
    together = [numbered(0, (6, 6), separate=False), numbered(1, (7, 5), separate=False)]
    targets = sampler(together).batch(3).targets
    np.testing.assert_array_equal(targets[:, 0], -targets[:, 1])
    apart = sampler([attrs.evolve(field, separate=True) for field in together]).batch(3).targets
    np.testing.assert_array_equal(apart[:, 0], targets[:, 0])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**40), st.integers(0, 2**40), st.booleans(), st.sampled_from([0.0, 0.7]))
def test_a_step_is_a_pure_function_of_seed_and_number(
    seed: int, step: int, augment: bool, share: float
) -> None:
    fields = [numbered(0, (20, 23)), numbered(1, (9, 11))]
    one, other = (
        sampler(fields, seed=seed, augmentation=FLIPS if augment else None, foreground=share)
        for _ in range(2)
    )
    one.batch(step + 1)
    np.testing.assert_array_equal(one.batch(step).mixed, other.batch(step).mixed)
    assert not np.array_equal(one.batch(step).targets, one.batch(step + 1).targets)


def turned(image: Float32Array, turn: int) -> Float32Array:
    quarters = np.rot90(image, turn // 2, axes=(-2, -1))
    return np.ascontiguousarray(quarters[..., ::-1] if turn % 2 else quarters)


def test_patch_and_surround_of_every_separate_channel_are_turned_alike() -> None:
    """At every scale the mixed image is the mean of the channels, each about its own place in its turn."""
    fields = [numbered(0, (44, 40)), numbered(1, (50, 38))]
    batch = sampler(fields, patch=(8, 8), batch=20, augmentation=FLIPS, context=2).batch(1)
    pairs = set()
    for mixed, target in zip(batch.mixed, batch.targets, strict=True):
        found: list[tuple[int, int]] = []
        total = [np.zeros((8, 8), dtype=np.float32)] * 3
        for channel in range(2):
            places = (
                (number, turn, turned(field.observed[channel], turn))
                for number, field in enumerate(fields)
                for turn in range(8)
            )
            for number, turn, image in places:
                corner = tuple(
                    int(i[0]) if i.size else -1 for i in np.nonzero(image == target[channel, 0, 0])
                )
                if -1 in corner:
                    continue
                window = image[corner[0] : corner[0] + 8, corner[1] : corner[1] + 8]
                if np.array_equal(window, target[channel]):
                    found.append((number, turn))
                    scales = [
                        context_crop(scale, corner, (8, 8), m) for m, scale in enumerate(pyramid(image, 2))
                    ]
                    total = [a + b for a, b in zip(total, scales, strict=True)]
                    break
        pairs.add(tuple(found))
        for scale in range(3):
            np.testing.assert_allclose(mixed[scale], total[scale] / 2, rtol=1e-5, atol=1e-2)
    assert len({one for one, _ in pairs}) > 8
    assert any(one != other for one, other in pairs)


def test_noise_of_a_mixed_image_of_separate_channels_is_added_once() -> None:
    """Without signal, the mixed patch is the noise of the mixed image of one of the fields."""
    fields = []
    for number in range(3):
        field = numbered(number, (9, 9))
        own = MixedSource(noiseless=field.observed, noise=field.observed[:1] * 100)
        fields.append(attrs.evolve(field, mixed_source=own))
    batch = sampler(fields, batch=8).batch(0)
    noise = batch.mixed[:, 0] - batch.targets.mean(axis=1)
    np.testing.assert_allclose(noise, 100 * batch.targets[:, 0], rtol=1e-4)


def test_fresh_noise_subtracts_the_background_of_the_field_of_every_channel() -> None:
    how = Conditioning(degradation=Degradation(gaussian=1e-6, fresh=True))
    fields = [
        Field(name=f"f{n}", observed=np.full((2, 6, 6), 10.0 * n, dtype=np.float32), separate=True)
        for n in (1, 2)
    ]
    background = ((10.0, 10.0), (20.0, 20.0))
    how = attrs.evolve(how, background=attrs.evolve(how.background, quantile=0.1))
    noise = FreshNoise(how=how, background=background, ceiling=(np.inf, np.inf))
    for context in (0, 1):
        targets = sampler(fields, batch=30, fresh=noise, context=context).batch(0).targets
        np.testing.assert_allclose(targets, 0, atol=1e-4)


def test_fields_of_both_sorts_and_recorded_mixed_images_of_separate_channels_are_refused() -> None:
    with pytest.raises(ImageError, match="1 of 2 fields come from different places"):
        sampler([numbered(0, (6, 6)), numbered(1, (6, 6), separate=False)])
    field = numbered(0, (6, 6))
    with pytest.raises(ImageError, match="channels come from different places"):
        sampler([attrs.evolve(field, mixed=field.observed[:1])])
    assert not select(field, "a", ("a", "b"), Mixing()).separate


def spots(seed: int, centres: list[tuple[int, int]], shape: tuple[int, ...] = (64, 80)) -> Float32Array:
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 5, shape)
    for y, x in centres:
        image[..., y - 2 : y + 3, x - 2 : x + 3] += 200
    return image.astype(np.float32)


def test_foreground_is_where_the_local_mean_rises_five_standard_errors() -> None:
    image = spots(0, [(20, 30), (50, 60)])
    mask = foreground(image)
    assert mask[20, 30]
    assert mask[50, 60]
    near = np.zeros_like(mask)
    for y, x in ((20, 30), (50, 60)):
        near[y - 4 : y + 5, x - 4 : x + 5] = True
    # Above the lower quartile by 5 standard errors is 4.3 above the mean: once in 100 000 pixels of noise.
    assert (mask & ~near).sum() <= 3
    np.testing.assert_array_equal(foreground(3 * image + 7), mask)


def test_every_foreground_pixel_of_a_channel_is_equally_likely() -> None:
    channels = [np.stack([spots(n, [(20, 9)], (2, 40, 33)), spots(9 + n, [], (2, 40, 33))]) for n in range(2)]
    pixels = ForegroundPixels([Field(name=str(n), observed=image) for n, image in enumerate(channels)])
    masks = [foreground(image[0]) for image in channels]
    total = sum(int(mask.sum()) for mask in masks)
    drawn = [pixels.pixel(0, (k + 0.5) / total) for k in range(total)]
    expected = [(n, tuple(i)) for n, mask in enumerate(masks) for i in np.argwhere(mask).tolist()]
    assert drawn == expected


def test_a_share_of_the_patches_shows_structures_and_every_channel_as_often() -> None:
    """Each channel has one spot; a patch centred on a spot's neighbourhood contains its centre."""
    field = Field(name="f", observed=np.stack([spots(1, [(12, 12)]), spots(2, [(50, 70)])]))
    count = 2000

    def hits(share: float) -> list[int]:
        targets = sampler([field], patch=(16, 16), batch=count, foreground=share).batch(0).targets
        return [int((targets[:, c].max(axis=(1, 2)) > 250).sum()) for c in range(2)]

    by_chance = hits(0.0)
    for found, chance in zip(hits(0.6), by_chance, strict=True):
        expected = 0.3 + (1 - 0.6) * chance / count
        assert abs(found / count - expected) < 4 * np.sqrt(expected / count)


def test_patches_elsewhere_are_those_drawn_without_foreground() -> None:
    field = Field(name="f", observed=np.stack([spots(1, [(12, 12)]), spots(2, [(50, 70)])]))
    bare = sampler([field], batch=400).batch(5).targets
    some = sampler([field], batch=400, foreground=0.25).batch(5).targets
    same = np.array([np.array_equal(a, b) for a, b in zip(bare, some, strict=True)])
    assert abs(same.mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 400)


def test_a_channel_without_any_structure_is_drawn_from_everywhere() -> None:
    empty = Field(name="f", observed=np.zeros((1, 9, 9), dtype=np.float32))
    one, other = (sampler([empty], batch=3, foreground=share).batch(0).targets for share in (0.0, 1.0))
    np.testing.assert_array_equal(one, other)


def test_shuffled_channels_are_drawn_about_their_own_structures() -> None:
    """A structure of 3 pixels in each channel, and patches that show little else."""
    observed = np.zeros((2, 64, 64), dtype=np.float32)
    observed[0, 10:13, 10:13], observed[1, 50:53, 50:53] = 1000, 2000
    observed += np.random.default_rng(0).normal(size=observed.shape)
    fields = [Field(name="f", observed=observed)]
    batch = sampler(fields, batch=60, patch=(8, 8), mixing=Mixing(shuffle=1), foreground=1).batch(0)
    assert (batch.targets[:, 0].max((1, 2)) > 900).all()
    assert (batch.targets[:, 1].max((1, 2)) > 1900).all()


@pytest.mark.parametrize("mixing", [Mixing(alpha=((0, 1), (1, 0))), Mixing(shuffle=0.1)])
def test_recorded_mixed_images_are_not_mixed_anew(mixing: Mixing) -> None:
    field = numbered(0, (9, 9), separate=False)
    recorded = attrs.evolve(field, mixed=field.observed[:1])
    with pytest.raises(ImageError, match=r"^\$\.data\.mixing\.\w+: it makes a new mixed image"):
        sampler([recorded], mixing=mixing)
