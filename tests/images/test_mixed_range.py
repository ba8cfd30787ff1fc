"""Mixed images from elsewhere get the background and the ceiling of the training images."""

import numpy as np
import pytest

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.bases import Field
from denoisplit.core.images.conditioning import Conditioning, condition
from denoisplit.core.images.degradation import Degradation
from denoisplit.core.images.intensity_range import Background, Clip
from denoisplit.core.images.mixed_range import FittedRange, condition_mixed
from denoisplit.core.images.mixing import Mixing, mixed_image

MIXINGS = [Mixing(), Mixing(mode="sum"), Mixing(mode="sum", offset=30.0)]
HALF = Background(quantile=0.5)


def field(seed: int, *shape: int) -> Field:
    """Sparse structures on a background of each channel's own."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.uniform(50, 90, (2, *[1] * len(shape))), (2, *shape))
    counts[rng.random(counts.shape) < 0.2] += 100
    return Field(name=str(seed), observed=counts.astype(np.float32))


def plain(mixing: Mixing, *fields: Field) -> list[Float32Array]:
    return [mixed_image(one, mixing)[0] for one in fields]


@pytest.mark.parametrize("mixing", MIXINGS, ids=str)
@pytest.mark.parametrize("shape", [(31, 40), (5, 12, 14)])
def test_the_mixed_image_of_one_training_field_is_what_its_channels_make(
    mixing: Mixing, shape: tuple[int, ...]
) -> None:
    given = field(0, *shape)
    found = condition([given], Conditioning(background=Background(quantile=0.05), mixing=mixing))
    (delivered,) = plain(mixing, given)
    mixed = condition_mixed(delivered, found.fitted, Background(quantile=0.05), mixing)
    np.testing.assert_allclose(mixed, mixed_image(found.fields[0], mixing)[0], rtol=0, atol=1e-4)


def test_of_several_fields_the_shift_is_the_mean() -> None:
    fields = [field(seed, 40, 40) for seed in range(3)]
    found = condition(fields, Conditioning(background=HALF))
    left = []
    for one, mixed in zip(found.fields, plain(Mixing(), *fields), strict=True):
        difference = condition_mixed(mixed, found.fitted, HALF, Mixing()) - mixed_image(one, Mixing())[0]
        assert np.ptp(difference) < 1e-4
        left.append(difference.mean())
    assert np.mean(left) == pytest.approx(0, abs=1e-4)
    assert np.std(left) > 0


def test_the_shift_is_that_of_images_with_all_their_noise() -> None:
    """The lower quantile of the mean of two noisy channels is z sigma (1 - 1/sqrt 2) above theirs."""
    flat = Field(name="flat", observed=np.full((2, 400, 400), 1000, np.float32))
    noisy = condition([flat], Conditioning(degradation=Degradation(gaussian=50.0))).fields[0]
    quantile, z = 0.158655, 1.0
    expected = -50 * z * (1 - 1 / np.sqrt(2))
    found = condition([noisy], Conditioning(background=Background(quantile=quantile)))
    assert found.fitted.background_shift == pytest.approx(expected, abs=1.5)
    # Noise that comes after the background is there in mixed images all the same.
    how = Conditioning(background=Background(quantile=quantile), degradation=Degradation(gaussian=50.0))
    assert condition([flat], how).fitted.background_shift == pytest.approx(50 * z / np.sqrt(2), abs=1.5)


@pytest.mark.parametrize("more", [7, 500])
def test_a_brighter_background_changes_nothing(more: int) -> None:
    (mixed,) = plain(Mixing(mode="sum"), field(1, 20, 20))
    fitted = FittedRange(ceiling=(np.inf, np.inf), background_shift=-3.25)
    one, other = (condition_mixed(image, fitted, HALF, Mixing(mode="sum")) for image in (mixed, mixed + more))
    np.testing.assert_array_equal(one, other)
    assert np.median(one) == pytest.approx(3.25, abs=0.5)


def test_a_mixed_image_is_cut_off_at_the_mixture_of_the_ceilings() -> None:
    (mixed,) = plain(Mixing(), field(2, 20, 20))
    for mixing, highest in zip(MIXINGS, (110.0, 220.0, 190.0), strict=True):
        found = condition_mixed(mixed, FittedRange(ceiling=(90.0, 130.0)), Background(), mixing)
        np.testing.assert_array_equal(found, np.minimum(mixed, np.float32(highest)))
        assert found.dtype == np.float32


@pytest.mark.parametrize(("mixing", "lowest"), list(zip(MIXINGS, (0.0, 0.0, -30.0), strict=True)), ids=str)
def test_a_floor_is_the_mixture_of_empty_channels(mixing: Mixing, lowest: float) -> None:
    how = Conditioning(
        background=Background(quantile=0.9, floor=True), clip=Clip(quantile=0.99), mixing=mixing
    )
    given = field(3, 50, 50)
    found = condition([given], how)
    (mixed,) = plain(mixing, given)
    assert condition_mixed(mixed, found.fitted, how.background, mixing)[...].min() == lowest
    assert mixed_image(found.fields[0], mixing)[...].min() == lowest


def test_where_nothing_is_asked_for_the_image_stays() -> None:
    given = field(4, 9, 9)
    fitted = condition([given], Conditioning()).fitted
    assert fitted == FittedRange(ceiling=(np.inf, np.inf))
    (mixed,) = plain(Mixing(), given)
    assert condition_mixed(mixed, fitted, Background(), Mixing()) is mixed
    assert condition([], Conditioning(background=HALF), ceiling=(1.0,)).fitted == FittedRange(ceiling=(1.0,))
