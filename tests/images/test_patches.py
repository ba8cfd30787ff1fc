"""Patches are a pure function of (seed, step), uniform over all positions, turned alike in all channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.mixing import Mixing, mix
from denoisplit.core.images.patches import PatchSampler
from tests.flipping import FLIPS


def field(number: int, shape: tuple[int, ...], channels: int = 2) -> Field:
    """Channel 0 numbers the pixels of all fields without repetition; channel c is -c times channel 0."""
    first = 1 + 10_000 * number + np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Field(name=f"f{number}", observed=np.stack([first, *(-c * first for c in range(1, channels))]))


def sampler(
    fields: list[Field], patch: tuple[int, ...], *, batch: int = 4, seed: int = 0, augment: bool = False
) -> PatchSampler:
    return PatchSampler(
        fields, patch=patch, batch=batch, seed=seed, augmentation=FLIPS if augment else None, mixing=Mixing()
    )


@settings(max_examples=25)
@given(st.integers(0, 2**40), st.integers(0, 2**40), st.booleans())
def test_a_step_is_the_same_whenever_and_wherever_it_is_drawn(seed: int, step: int, augment: bool) -> None:
    fields = [field(0, (20, 23)), field(1, (9, 8))]
    one, other = (sampler(fields, (8, 8), seed=seed, augment=augment) for _ in range(2))
    for earlier in (step + 1, 0):
        one.batch(earlier)
    np.testing.assert_array_equal(one.batch(step).targets, other.batch(step).targets)
    assert not np.array_equal(one.batch(step).targets, one.batch(step + 1).targets)
    another_run = sampler(fields, (8, 8), seed=seed + 1, augment=augment).batch(step).targets
    assert not np.array_equal(one.batch(step).targets, another_run)
    assert not np.array_equal(one.batch(step + 1).targets, another_run), "runs do not follow each other"


@pytest.mark.parametrize("augment", [False, True])
def test_every_position_of_every_field_is_equally_likely(augment: bool) -> None:
    fields = [field(0, (7, 6)), field(1, (4, 9))]
    draws = sampler(fields, (4, 4), batch=6000, augment=augment).batch(0).targets[:, 0]
    corners, counts = np.unique(draws.min(axis=(1, 2)), return_counts=True)
    grid_0 = [1 + 6 * y + x for y in range(4) for x in range(3)]
    grid_1 = [10_001 + x for x in range(6)]
    assert corners.tolist() == grid_0 + grid_1
    assert stats.chisquare(counts).pvalue > 1e-3


def test_consecutive_steps_are_uniform_as_well() -> None:
    draws = sampler([field(0, (5, 5))], (4, 4), batch=1)
    corners = [draws.batch(step).targets[0, 0, 0, 0] for step in range(2000)]
    assert stats.chisquare(np.unique(corners, return_counts=True)[1]).pvalue > 1e-3


def test_all_eight_orientations_occur_and_are_the_same_in_all_channels() -> None:
    base = field(0, (5, 5), channels=3)
    batch = sampler([base], (5, 5), batch=800, augment=True).batch(0)
    for channel in (1, 2):
        np.testing.assert_array_equal(batch.targets[:, channel], -channel * batch.targets[:, 0])
    np.testing.assert_array_equal(batch.mixed, mix(batch.targets, Mixing(), axis=1))
    image = base.observed[0]
    turned = [np.rot90(image, k) for k in range(4)]
    expected = {t.tobytes() for t in turned} | {np.fliplr(t).tobytes() for t in turned}
    found, counts = np.unique([p.tobytes() for p in batch.targets[:, 0]], return_counts=True)
    assert len(expected) == 8
    assert set(found.tolist()) == expected
    assert stats.chisquare(counts).pvalue > 1e-3


def test_stacks_and_oblong_patches_keep_their_shape() -> None:
    batch = sampler([field(0, (6, 9, 12))], (3, 4, 8), batch=50, augment=True).batch(0)
    assert batch.targets.shape == (50, 2, 3, 4, 8)
    assert batch.mixed.shape == (50, 1, 3, 4, 8)
    assert batch.mixed.dtype == batch.targets.dtype == np.float32
    assert np.all(np.diff(batch.targets[:, 0], axis=1) > 0), "depth is never mirrored"


def test_fields_that_do_not_fit_are_named_with_advice() -> None:
    with pytest.raises(ImageError, match=r"'f1'.*smaller than a patch.*\(5, 30\).*training\.patch to 5"):
        sampler([field(0, (30, 30)), field(1, (5, 30))], (8, 8))
    with pytest.raises(ImageError, match=r"2D model.*model\.dimensions to 3"):
        sampler([field(0, (9, 30, 30))], (8, 8))
    with pytest.raises(ChannelCountError, match="'f1'"):
        sampler([field(0, (9, 9)), field(1, (9, 9), channels=3)], (8, 8))
    with pytest.raises(ImageError, match="no field"):
        sampler([], (8, 8))


@pytest.mark.parametrize("augment", [False, True])
def test_random_weights_change_the_mixed_patches_alone_and_with_the_step_alone(augment: bool) -> None:
    def weighted(mixing: Mixing) -> PatchSampler:
        return PatchSampler(
            [field(0, (20, 23))],
            patch=(8, 8),
            batch=6,
            seed=1,
            augmentation=FLIPS if augment else None,
            mixing=mixing,
        )

    ranges = Mixing(alpha=((0.0, 1.0), (1.0, 0.0)))
    one, other, plain = weighted(ranges), weighted(ranges), weighted(Mixing())
    one.batch(8)
    for step in (3, 4):
        batch = one.batch(step)
        np.testing.assert_array_equal(batch.mixed, other.batch(step).mixed)
        np.testing.assert_array_equal(batch.targets, plain.batch(step).targets)
        # Channel 1 is -1 times channel 0: weights w and 1 - w leave 2 w - 1 of it.
        shares = (batch.mixed / batch.targets[:, :1]).reshape(6, -1)
        np.testing.assert_allclose(shares, np.broadcast_to(shares[:, :1], shares.shape), atol=1e-4)
        assert len(np.unique(shares[:, 0].round(4))) == 6
        assert np.abs(shares).max() <= 1.0001
    assert not np.allclose(one.batch(3).mixed / one.batch(3).targets[:, :1], shares.reshape(6, 1, 8, 8))


def test_a_part_of_the_patches_has_channels_of_different_places() -> None:
    """The others are those of a training without; in these, every channel is anywhere."""
    fields = [field(0, (9, 8)), field(1, (6, 6))]
    plain, shuffled = (
        PatchSampler(
            fields, patch=(4, 4), batch=4000, seed=3, augmentation=FLIPS, mixing=Mixing(shuffle=share)
        )
        for share in (0.0, 0.25)
    )
    batch, whole = shuffled.batch(0), plain.batch(0)
    kept = np.all(batch.targets == whole.targets, axis=(1, 2, 3))
    assert abs(1 - kept.mean() - 0.25) < 0.03
    np.testing.assert_array_equal(batch.mixed, mix(batch.targets, Mixing(), axis=1))
    corners = np.abs(batch.targets[~kept]).min((2, 3))
    for own in corners.T:
        found, counts = np.unique(own, return_counts=True)
        assert len(found) == 6 * 5 + 3 * 3
        assert stats.chisquare(counts).pvalue > 1e-3
    assert (corners[:, 0] == corners[:, 1]).mean() < 0.1
