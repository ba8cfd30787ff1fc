"""Synthetic noise on images that are not in memory is that on the same pixels in an array, bit for bit."""

import pickle
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images import block_walks
from denoisplit.core.images import drawn as drawing
from denoisplit.core.images.bases import Field
from denoisplit.core.images.conditioning import Conditioned, Conditioning
from denoisplit.core.images.data_fingerprint import field_fingerprint
from denoisplit.core.images.degradation import Degradation, add_read_noise
from denoisplit.core.images.drawn import ByPlace
from denoisplit.core.images.fresh_noise import fresh_noise
from denoisplit.core.images.intensity_range import Background, Clip
from denoisplit.core.images.intensity_statistics import intensity_stats
from denoisplit.core.images.large_fields import in_memory
from denoisplit.core.images.lazy import LazyPixels, is_lazy
from denoisplit.core.images.mixing import Mixing, mixed_image
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.images.recorded_mixed import condition_fields
from denoisplit.core.images.selection import select
from tests.flipping import FLIPS

BOTH = Degradation(gaussian=7.0, poisson=3.0)
OWN = attrs.evolve(BOTH, dependent=False)
RANGE: dict[str, Any] = {
    "background": Background(quantile=0.2, floor=True),
    "clip": Clip(quantile=0.9, per_channel=True),
}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_walks, "BLOCK_PIXELS", 100)
    monkeypatch.setattr(drawing, "SEGMENT", 7)


def lazily(image: npt.NDArray[Any]) -> LazyPixels:
    return LazyPixels(shape=image.shape, dtype=image.dtype, read=image.__getitem__, source="test")


def fields(*, lazy: bool, shape: tuple[int, ...] = (33, 29), repeats: int = 0) -> list[Field]:
    change = lazily if lazy else np.asarray
    made = []
    for number in range(2):
        rng = np.random.default_rng(number)
        exposures = rng.uniform(5, 400, (1 + repeats, 2, *shape)).astype(np.float32)
        made.append(
            Field(
                name=str(number),
                observed=change(exposures[0]),
                repeats=change(exposures[1:]) if repeats else None,
            )
        )
    return made


def conditioned(how: Conditioning, **given: Any) -> tuple[Conditioned, Conditioned]:
    """Of large fields, and of the same in memory."""
    large, whole = (condition_fields(fields(lazy=lazy, **given), how) for lazy in (True, False))
    assert all(is_lazy(field.observed) for field in large.fields)
    return large, whole


def normal(pixels: Float32Array, rng: np.random.Generator) -> Float32Array:
    return rng.standard_normal(pixels.shape, dtype=np.float32)


def photons(pixels: Float32Array, rng: np.random.Generator) -> Float32Array:
    return rng.poisson(pixels).astype(np.float32)


@pytest.mark.parametrize("draw", [normal, photons])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_draws_of_a_region_are_those_of_the_whole(draw: drawing.Draw, data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 20), min_size=2, max_size=4), "shape")
    image = np.random.default_rng(1).uniform(0, 30, shape).astype(np.float32)
    one, other = (ByPlace(np.random.SeedSequence(3)) for _ in range(2))
    for draws in (one, other)[: data.draw(st.integers(0, 1), "images before") * 2]:
        draws.of(image, draw)
    expected, found = one.of(image, draw)[...], other.of(lazily(image), draw)
    assert is_lazy(found)
    np.testing.assert_array_equal(found[...], expected)
    region = tuple(
        slice(*sorted(data.draw(st.tuples(st.integers(0, side), st.integers(0, side))))) for side in shape
    )
    np.testing.assert_array_equal(found[region], expected[region])
    np.testing.assert_array_equal(one.of(image, draw), other.of(lazily(image), draw), "of a second image")
    assert not np.array_equal(one.of(image, normal), expected), "every image has draws of its own"


@pytest.mark.parametrize("dependent", [True, False])
@pytest.mark.parametrize("lazy", [True, False])
def test_noise_of_early_versions_is_drawn_in_order(lazy: bool, dependent: bool) -> None:
    """By NumPy's generator, of which the stream is told here anew: exposures, mixed image, then repeats."""
    how = Degradation(gaussian=7.0, noise="in_order", dependent=dependent)
    (given_field, _), (bare, _) = fields(lazy=lazy, repeats=2), fields(lazy=False, repeats=2)
    found = add_read_noise(given_field, how, Mixing(), seed=5)
    digest = int(field_fingerprint(bare)[:32], 16)
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((5, digest), spawn_key=(2,))))
    np.testing.assert_array_equal(found.observed, bare.observed + 7 * normal(bare.observed[...], rng))
    if found.mixed_source is not None:
        own = np.float32(7.0) * rng.standard_normal((1, 33, 29), dtype=np.float32)
        np.testing.assert_array_equal(found.mixed_source.noise, own)
    assert bare.repeats is not None
    np.testing.assert_array_equal(found.repeats, bare.repeats + 7 * normal(bare.repeats[...], rng))


@pytest.mark.parametrize(("channel", "row", "first"), [(0, 0, 0), (1, 30, 21), (1, 32, 28)])
def test_noise_by_place_belongs_to_a_segment_of_a_row(channel: int, row: int, first: int) -> None:
    """Philox with the key of the image; the counter tells segment and row, and runs from there."""
    (bare, _) = fields(lazy=False)
    found = add_read_noise(bare, Degradation(gaussian=7.0), Mixing(), seed=5)
    digest = int(field_fingerprint(bare)[:32], 16)
    key = np.random.SeedSequence((5, digest), spawn_key=(2, 0)).generate_state(2, np.uint64)
    philox = np.random.Philox(key=key, counter=[0, first // 7, 33 * channel + row, 0])
    numbers = np.random.Generator(philox).standard_normal(7, dtype=np.float32)
    segment = (channel, row, slice(first, first + 7))
    expected = bare.observed[segment] + np.float32(7.0) * numbers[: 29 - first]
    np.testing.assert_array_equal(found.observed[segment], expected)


@pytest.mark.parametrize("mode", ["mean", "sum"])
@pytest.mark.parametrize("degradation", [BOTH, OWN, Degradation(poisson=2.0), Degradation(gaussian=4.0)])
@pytest.mark.parametrize("shape", [(33, 29), (3, 13, 17)])
def test_noisy_fields_are_those_in_memory(
    mode: str, degradation: Degradation, shape: tuple[int, ...]
) -> None:
    mixing = Mixing(mode="sum" if mode == "sum" else "mean")
    how = Conditioning(degradation=degradation, mixing=mixing, seed=5, **RANGE)
    large, whole = conditioned(how, shape=shape, repeats=2)
    assert (large.fitted, large.background) == (whole.fitted, whole.background)
    for one, other in zip(large.fields, whole.fields, strict=True):
        for kind in ("observed", "clean", "repeats"):
            np.testing.assert_array_equal(getattr(one, kind)[...], getattr(other, kind))
        np.testing.assert_array_equal(mixed_image(one, mixing)[...], mixed_image(other, mixing))
        for wanted in ("a", "mixed"):
            chosen = [select(field, wanted, ("a", "b"), mixing) for field in (one, other)]
            for kind in ("observed", "clean", "repeats"):
                found, expected = (getattr(field, kind) for field in chosen)
                assert (found is None) == (expected is None)
                if expected is not None:
                    np.testing.assert_array_equal(found[...], expected)
    stats = [
        intensity_stats([f.observed for f in one.fields], mixing, noiseless=one.noiseless)
        for one in (large, whole)
    ]
    assert stats[0] == stats[1]


@pytest.mark.parametrize(("degradation", "context"), [(OWN, 1), (BOTH, 0)])
def test_patches_have_the_noise_of_the_field(degradation: Degradation, context: int) -> None:
    mixing = Mixing(alpha=((0.3, 0.6), (0.7, 0.4)))
    how = Conditioning(degradation=degradation, mixing=mixing, seed=5, **RANGE)
    batches = [
        PatchSampler(
            one.fields, patch=(8, 8), batch=4, seed=1, augmentation=FLIPS, mixing=mixing, context=context
        ).batch(3)
        for one in conditioned(how)
    ]
    np.testing.assert_array_equal(batches[0].mixed, batches[1].mixed)
    np.testing.assert_array_equal(batches[0].targets, batches[1].targets)


def test_fresh_noise_is_drawn_for_patches_of_large_fields_but_not_for_their_surround() -> None:
    how = Conditioning(degradation=attrs.evolve(OWN, fresh=True), **RANGE)

    def sampler(lazy: bool, measured: Conditioned, context: int) -> PatchSampler:
        return PatchSampler(
            fields(lazy=lazy),
            patch=(8, 8),
            batch=4,
            seed=1,
            augmentation=FLIPS,
            mixing=Mixing(),
            fresh=fresh_noise(how, measured),
            context=context,
        )

    large, whole = conditioned(how)
    one, other = sampler(True, large, 0).batch(2), sampler(False, whole, 0).batch(2)
    np.testing.assert_array_equal(one.mixed, other.mixed)
    np.testing.assert_array_equal(one.targets, other.targets)
    with pytest.raises(
        ImageError, match=r"\$\.data\.degradation\.fresh: with lateral context.*field '0'.*Remove fresh"
    ):
        sampler(True, large, 1)


def test_the_centre_of_a_noisy_field_has_its_noise() -> None:
    how = Conditioning(degradation=OWN)
    large, whole = conditioned(how)
    (centre, _) = in_memory(large.fields, 8, "test")
    found, expected = mixed_image(centre, Mixing()), mixed_image(whole.fields[0], Mixing())
    assert not is_lazy(found)
    np.testing.assert_array_equal(found, expected[:, 12:20, 10:18])


def test_noisy_fields_go_to_other_processes() -> None:
    how = Conditioning(degradation=Degradation(gaussian=4.0))
    image = condition_fields(fields(lazy=True), how).fields[0].observed
    again = pickle.loads(pickle.dumps(image))  # noqa: S301
    np.testing.assert_array_equal(again[:, 3:9, 11:20], image[:, 3:9, 11:20])


def test_negative_counts_are_refused_as_in_memory() -> None:
    said = []
    for lazy in (True, False):
        (bad, _) = fields(lazy=False)
        bad.observed[...][1, 20, 20] = -3
        given_field = attrs.evolve(bad, observed=lazily(bad.observed[...])) if lazy else bad
        with pytest.raises(ImageError, match=r"negative counts \(got -3\.0\)") as error:
            condition_fields([given_field], Conditioning(degradation=BOTH))
        said.append(str(error.value))
    assert said[0] == said[1]
