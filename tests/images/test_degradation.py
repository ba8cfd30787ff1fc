"""Synthetic noise belongs to the pixels and the seed; the images before it become clean references."""

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.conditioning import Conditioning, condition
from denoisplit.core.images.degradation import Degradation
from denoisplit.core.images.fresh_noise import FreshNoise, fresh_noise
from denoisplit.core.images.intensity_range import Background, Clip
from denoisplit.core.images.mixing import Mixing, mix, mixed_image
from denoisplit.core.images.patches import PatchSampler
from tests.flipping import FLIPS

BOTH = Degradation(gaussian=7.0, poisson=3.0)


def field(number: int, shape: tuple[int, ...] = (12, 13), channels: int = 2, *, repeats: int = 0) -> Field:
    rng = np.random.default_rng(number)
    exposures = rng.uniform(50, 400, (1 + repeats, channels, *shape)).astype(np.float32)
    return Field(name=f"f{number}", observed=exposures[0], repeats=exposures[1:] if repeats else None)


def noisy(given: Field, degradation: Degradation, *, seed: int = 0, mixing: Mixing | None = None) -> Field:
    how = Conditioning(degradation=degradation, mixing=mixing or Mixing(), seed=seed)
    return condition([given], how).fields[0]


@settings(max_examples=20)
@given(st.integers(0, 2**62), st.integers(0, 50))
def test_frozen_noise_is_a_function_of_pixels_and_seed(seed: int, number: int) -> None:
    one, other = field(number), field(number + 1)
    how = Conditioning(degradation=BOTH, seed=seed)
    alone = condition([one], how).fields[0]
    last = condition([other, attrs.evolve(one, name="renamed")], how).fields[1]
    np.testing.assert_array_equal(alone.observed, last.observed)
    assert not np.array_equal(alone.observed, noisy(one, BOTH, seed=seed + 1).observed)
    flat = [attrs.evolve(f, observed=f.observed[...] * 0 + n) for n, f in enumerate((one, other))]
    first, second = (noisy(f, Degradation(gaussian=7.0), seed=seed).observed[...] for f in flat)
    assert not np.allclose(first, second - 1, atol=0.1), "two fields do not share their noise"


def test_images_before_degradation_are_the_clean_reference_unless_there_is_a_better_one() -> None:
    bare = field(0, repeats=3)
    result = noisy(bare, BOTH)
    np.testing.assert_array_equal(result.clean, bare.observed)
    assert result.repeats is not None
    exposures = [result.observed, *result.repeats]
    assert len({exposure.tobytes() for exposure in exposures}) == 4
    clean = np.full_like(bare.observed, 200)
    np.testing.assert_array_equal(noisy(attrs.evolve(bare, clean=clean), BOTH).clean, clean)
    assert result.observed.dtype == result.repeats.dtype == np.float32


def test_nothing_asked_for_is_nothing_done() -> None:
    given_field = field(0, repeats=2)
    result = condition([given_field], Conditioning())
    (same,) = result.fields
    assert same.observed is given_field.observed
    assert same.repeats is given_field.repeats
    assert same.clean is None
    assert same.mixed_source is None
    assert np.isinf(result.ceiling).all()


@pytest.mark.parametrize("mode", ["mean", "sum"])
@pytest.mark.parametrize("channels", [2, 3])
def test_noise_of_a_mixed_image_of_its_own_has_the_variance_of_mixed_noise_or_of_one_image(
    mode: str, channels: int
) -> None:
    mixing = Mixing(mode="sum" if mode == "sum" else "mean")
    base = field(1, (300, 300), channels)
    result = noisy(base, Degradation(gaussian=10.0, dependent=False), mixing=mixing)
    extra = mixed_image(result, mixing)[...] - mix(base.observed[...], mixing, axis=0)
    assert extra.std() == pytest.approx(10 * (channels**0.5 if mode == "sum" else 1), rel=0.02)
    target = result.observed[...] - base.observed[...]
    assert abs(np.corrcoef(extra.ravel(), target[0].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_dependent_noise_is_that_of_the_channels_with_or_without_a_source(mode: str) -> None:
    plain = Mixing(mode="sum" if mode == "sum" else "mean")
    weighted = attrs.evolve(plain, alpha=((0.5, 0.5), (0.5, 0.5)))
    degradation = Degradation(gaussian=10.0)
    one, other = (noisy(field(2), degradation, mixing=mixing) for mixing in (plain, weighted))
    assert one.mixed_source is None
    assert other.mixed_source is not None
    np.testing.assert_array_equal(one.observed, other.observed)
    np.testing.assert_allclose(mixed_image(one, plain), mixed_image(other, weighted), rtol=1e-5)


@pytest.mark.parametrize(
    "how",
    [
        Conditioning(degradation=Degradation(gaussian=5.0, poisson=2.0, fresh=True)),
        Conditioning(
            degradation=Degradation(gaussian=5.0, fresh=True, dependent=False),
            background=Background(quantile=0.1, floor=True),
            clip=Clip(quantile=0.9),
            mixing=Mixing(mode="sum"),
        ),
    ],
    ids=["dependent", "independent"],
)
def test_fresh_noise_is_a_function_of_the_step_and_new_at_every_step(how: Conditioning) -> None:
    fields = [field(0), field(3)]
    fresh = fresh_noise(how, condition(fields, how))
    assert fresh is not None

    def sampler(noise: FreshNoise | None) -> PatchSampler:
        return PatchSampler(
            fields, patch=(8, 8), batch=3, seed=4, augmentation=FLIPS, mixing=how.mixing, fresh=noise
        )

    one, other = sampler(fresh), sampler(fresh)
    one.batch(9)
    for step in (5, 6):
        np.testing.assert_array_equal(one.batch(step).mixed, other.batch(step).mixed)
        np.testing.assert_array_equal(one.batch(step).targets, other.batch(step).targets)
    batch, bare = one.batch(5), sampler(None).batch(5)
    other_step = one.batch(6).targets - sampler(None).batch(6).targets
    assert not np.array_equal(batch.targets - bare.targets, other_step)
    if how.degradation.dependent:
        np.testing.assert_allclose(batch.mixed, mix(batch.targets, how.mixing, axis=1), rtol=1e-5)
    else:
        assert not np.allclose(batch.mixed, mix(batch.targets, how.mixing, axis=1))


def test_fresh_noise_has_the_moments_of_frozen_noise() -> None:
    how = Conditioning(degradation=Degradation(gaussian=20.0, poisson=9.0, fresh=True))
    flat = Field(name="flat", observed=np.full((2, 40, 40), 100, np.float32))
    fresh = fresh_noise(how, condition([flat], how))
    sampler = PatchSampler([flat], patch=(40, 40), batch=60, seed=0, mixing=Mixing(), fresh=fresh)
    targets = sampler.batch(0).targets.astype(np.float64)
    gaussian = (
        attrs.evolve(fresh, how=Conditioning(degradation=Degradation(gaussian=20.0))) if fresh else None
    )
    steps = PatchSampler([flat], patch=(40, 40), batch=2, seed=0, mixing=Mixing(), fresh=gaussian)
    assert not np.array_equal(steps.batch(0).targets, steps.batch(1).targets)
    count = targets.size
    variance = 20.0**2 + 9 * 100
    assert abs(targets.mean() - 100) < 5 * np.sqrt(variance / count)
    assert targets.var() == pytest.approx(variance, rel=5 * np.sqrt(2.1 / count))


def test_background_and_ceiling_follow_the_order_of_the_reference() -> None:
    fields = [field(0, repeats=2), field(1, repeats=2)]
    how = Conditioning(
        background=Background(quantile=0.25), clip=Clip(quantile=0.8, per_channel=True), seed=3
    )
    clean = [attrs.evolve(f, clean=f.observed[...].copy()) for f in fields]
    result = condition(clean, how)
    lowered = []
    for given_field, levels in zip(fields, result.background, strict=True):
        expected = [int(np.percentile(channel, 25)) for channel in given_field.observed]
        assert list(levels) == expected
        lowered.append(given_field.observed - np.array(expected, np.float32)[:, None, None])
    pixels = np.concatenate([f.reshape(2, -1) for f in lowered], axis=1)
    np.testing.assert_allclose(result.ceiling, np.percentile(pixels, 80, axis=1), rtol=1e-6)
    for found, low in zip(result.fields, lowered, strict=True):
        np.testing.assert_allclose(found.observed, np.minimum(low, np.array(result.ceiling)[:, None, None]))
        np.testing.assert_array_equal(found.clean, found.observed)
        assert found.repeats is not None
        assert (found.repeats[...].max((0, 2, 3)) <= np.array(result.ceiling, np.float32)).all()
    degraded = condition(fields, attrs.evolve(how, degradation=Degradation(gaussian=50.0)))
    assert degraded.ceiling == result.ceiling, "additive noise comes after the ceiling"
    assert degraded.fields[0].observed[...].max() > max(degraded.ceiling)
    np.testing.assert_array_equal(degraded.fields[0].clean, result.fields[0].observed)
    np.testing.assert_array_equal(degraded.noiseless[0], result.fields[0].observed)


def test_a_ceiling_of_other_fields_and_a_floor_are_kept() -> None:
    how = Conditioning(background=Background(quantile=0.5, floor=True), clip=Clip(quantile=0.5))
    result = condition([field(0)], how, ceiling=(20.0, 30.0))
    assert result.ceiling == (20.0, 30.0)
    observed = result.fields[0].observed[...]
    assert observed.min() == 0
    np.testing.assert_array_equal(observed.max((1, 2)), [20, 30])


def test_images_that_cannot_be_degraded_are_refused() -> None:
    bad = field(0)
    bad.observed[...][0, 1, 2] = -3
    with pytest.raises(ImageError, match=r"\$\.data\.degradation\.poisson: .*negative counts \(got -3\.0\)"):
        noisy(bad, BOTH)
    bad.observed[...][0, 1, 2] = np.nan
    with pytest.raises(ImageError, match="'f0': 1 of 312 pixels"):
        noisy(bad, BOTH)
    with pytest.raises(ChannelCountError, match="'f2'"):
        condition([field(1), field(2, channels=3)], Conditioning(clip=Clip(quantile=0.5)))
