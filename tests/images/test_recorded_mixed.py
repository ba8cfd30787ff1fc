"""Mixed images that were recorded, and single images chosen out of a field."""

import attrs
import numpy as np
import pytest

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ImageError, SpecError
from denoisplit.core.images.bases import Field, MixedSource
from denoisplit.core.images.conditioning import Conditioning, condition
from denoisplit.core.images.degradation import Degradation
from denoisplit.core.images.fresh_noise import fresh_noise
from denoisplit.core.images.intensity_range import Background, Clip
from denoisplit.core.images.intensity_statistics import intensity_stats
from denoisplit.core.images.mixing import Mixing, mixed_image
from denoisplit.core.images.normalisation import Normalisation
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.images.recorded_mixed import condition_fields
from denoisplit.core.images.selection import select
from tests.flipping import FLIPS

NAMES = ("a", "b", "c")
SUM = Mixing(mode="sum", offset=100.0)
RNG = np.random.default_rng(0)


def pixels(*shape: int) -> Float32Array:
    return RNG.normal(300, 40, shape).astype(np.float32)


def field(name: str = "f", *, recorded: bool = True) -> Field:
    return Field(
        name=name,
        observed=pixels(3, 20, 24),
        clean=pixels(3, 20, 24),
        repeats=pixels(2, 3, 20, 24),
        mixed=pixels(1, 20, 24) if recorded else None,
    )


def recorded_of(given: Field) -> Float32Array:
    assert given.mixed is not None
    return np.asarray(given.mixed)


@pytest.mark.parametrize("mixing", [Mixing(), SUM], ids=["mean", "sum"])
def test_a_recorded_mixed_image_is_taken_as_it_is(mixing: Mixing) -> None:
    given = field()
    np.testing.assert_array_equal(mixed_image(given, mixing), recorded_of(given))


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("mixing", [Mixing(), SUM], ids=["mean", "sum"])
def test_patches_of_the_recorded_image_lie_where_those_of_the_channels_do(
    mixing: Mixing, augment: bool
) -> None:
    """Channels that equal the recorded image must give patches that equal the mixed ones."""
    fields = [field(name) for name in "xyz"]
    same = [attrs.evolve(f, observed=np.repeat(recorded_of(f), 3, axis=0)) for f in fields]
    sampler = PatchSampler(
        same, patch=(8, 8), batch=5, seed=1, augmentation=FLIPS if augment else None, mixing=mixing
    )
    for step in range(3):
        batch = sampler.batch(step)
        assert batch.mixed.shape == (5, 1, 8, 8)
        np.testing.assert_array_equal(batch.mixed[:, 0], batch.targets[:, 1])


def test_mixed_images_of_some_fields_only_or_mixed_anew_are_refused() -> None:
    both = [field("with"), field("without", recorded=False)]
    with pytest.raises(ImageError, match=r"1 of 2 fields have a recorded mixed image \(field 'without'"):
        condition_fields(both, Conditioning())
    for sampled, mixing in ((both, Mixing()), (both[:1], Mixing(alpha=((0, 1),) * 3))):
        with pytest.raises(ImageError, match="recorded"):
            PatchSampler(sampled, patch=(8, 8), batch=1, seed=0, mixing=mixing)
    how = Conditioning(degradation=Degradation(gaussian=3, fresh=True))
    fresh = fresh_noise(how, condition_fields(both[:1], how))
    with pytest.raises(ImageError, match=r"\$\.data\.degradation\.fresh: .* recorded \(got field 'with'\)"):
        PatchSampler(both[:1], patch=(8, 8), batch=1, seed=0, mixing=Mixing(), fresh=fresh)


def test_a_recorded_image_is_conditioned_like_a_channel_of_its_own() -> None:
    fields = [field(name) for name in "xy"]
    how = Conditioning(
        degradation=Degradation(gaussian=25, dependent=False),
        background=Background(quantile=0.2),
        clip=Clip(quantile=0.9),
        mixing=SUM,
    )
    found = condition_fields(fields, how)
    plain = condition([attrs.evolve(f, mixed=None) for f in fields], how)
    assert found.ceiling == plain.ceiling
    brightest = 3 * plain.ceiling[0] - 2 * 100
    for given, new, channels in zip(fields, found.fields, plain.fields, strict=True):
        np.testing.assert_array_equal(new.observed, channels.observed)
        assert new.mixed_source is None
        assert given.mixed is not None
        lowered = given.mixed[...] - int(np.quantile(given.mixed[...], 0.2))
        noise = recorded_of(new) - np.minimum(lowered, brightest)
        assert noise.std() == pytest.approx(25, rel=0.1)
        assert abs(np.corrcoef(noise.ravel(), (new.observed[0] - given.observed[0]).ravel())[0, 1]) < 0.2


def test_a_ceiling_holds_for_recorded_images() -> None:
    """Channels cut off at c mix to c at most in the mean, and to 3 c - 2 offset in the sum."""
    given = attrs.evolve(field(), mixed=10 * pixels(1, 20, 24))
    for mixing, factor, offset in ((Mixing(), 1, 0), (SUM, 3, 200)):
        found = condition_fields([given], Conditioning(clip=Clip(quantile=0.9), mixing=mixing))
        (new,) = found.fields
        assert recorded_of(new).max() == pytest.approx(factor * found.ceiling[0] - offset, rel=1e-6)


def test_statistics_of_recorded_images_are_their_own() -> None:
    fields = [field(name) for name in "xyz"]
    channels, mixed = [f.observed for f in fields], [recorded_of(f) for f in fields]
    everything = np.stack(mixed).astype(np.float64)
    for mixing in (Mixing(), SUM):
        own = intensity_stats(channels, mixing, recorded=mixed)
        assert own.mixed_mean == pytest.approx(everything.mean(), rel=1e-9)
        assert own.mixed_std == pytest.approx(everything.std(), rel=1e-9)
        assert own.target_std == intensity_stats(channels, mixing).target_std
    pooled = intensity_stats(channels, Mixing(), normalisation=Normalisation(mixed="pooled"), recorded=mixed)
    assert pooled == intensity_stats(channels, Mixing())
    broken = [mixed[0], np.full_like(mixed[1], np.nan), mixed[2]]
    with pytest.raises(ImageError, match="training field 1, mixed image: 480 of 480 pixels are NaN"):
        intensity_stats(channels, Mixing(), recorded=broken)


# One image out of a field


def test_a_channel_is_chosen_with_all_that_belongs_to_it() -> None:
    given = field()
    chosen = select(given, "b", NAMES, Mixing())
    assert given.clean is not None
    assert given.repeats is not None
    np.testing.assert_array_equal(chosen.observed, given.observed[[1]])
    np.testing.assert_array_equal(chosen.clean, given.clean[[1]])
    np.testing.assert_array_equal(chosen.repeats, given.repeats[:, [1]])
    np.testing.assert_array_equal(mixed_image(chosen, Mixing()), chosen.observed)


@pytest.mark.parametrize("mixing", [Mixing(), SUM], ids=["mean", "sum"])
def test_the_mixed_image_is_chosen_with_mixed_references(mixing: Mixing) -> None:
    given = field(recorded=False)
    chosen = select(given, "mixed", NAMES, mixing)
    assert given.clean is not None
    assert given.repeats is not None
    assert chosen.clean is not None
    assert chosen.repeats is not None
    divisor, offset = (3, 0) if mixing.mode == "mean" else (1, 200)
    np.testing.assert_allclose(
        chosen.observed, given.observed[...].sum(0, keepdims=True) / divisor - offset, 1e-6
    )
    np.testing.assert_allclose(chosen.clean, given.clean[...].sum(0, keepdims=True) / divisor - offset, 1e-6)
    np.testing.assert_allclose(
        chosen.repeats, given.repeats[...].sum(1, keepdims=True) / divisor - offset, 1e-6
    )
    np.testing.assert_array_equal(mixed_image(chosen, mixing), chosen.observed)


def test_a_mixed_image_with_its_own_noise_keeps_it_and_has_no_repeats() -> None:
    given = field()
    chosen = select(given, "mixed", NAMES, Mixing())
    np.testing.assert_array_equal(chosen.observed, given.mixed)
    assert (chosen.clean, chosen.repeats) == (None, None)
    source = MixedSource(noiseless=given.observed, noise=pixels(1, 20, 24))
    noisy = select(attrs.evolve(given, mixed=None, mixed_source=source), "mixed", NAMES, Mixing())
    np.testing.assert_array_equal(noisy.observed, given.observed[...].mean(0, keepdims=True) + source.noise)
    assert noisy.clean is not None
    assert noisy.repeats is None


def test_an_unknown_channel_is_refused() -> None:
    with pytest.raises(SpecError, match=r"\$\.channels: no such channel \(got 'd'\)\. Name one of a, b, c"):
        select(field(), "d", NAMES, Mixing())
