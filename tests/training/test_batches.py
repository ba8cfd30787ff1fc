"""Batches of the training loader and the crops of validation."""

import attrs
import numpy as np
import pytest
import torch

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field, MixedSource
from denoisplit.core.images.context_pyramid import context_crop, pyramid
from denoisplit.core.images.mixing import Mixing, mixed_image
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.training.data.batches import training_loader, validation_loader
from tests.flipping import FLIPS

RNG = np.random.default_rng(0)


def field(*sides: int) -> Field:
    return Field(name="f", observed=RNG.normal(100, 10, (2, *sides)).astype(np.float32))


def sampler() -> PatchSampler:
    return PatchSampler([field(20, 20)], patch=(8, 8), batch=3, seed=5, augmentation=FLIPS, mixing=Mixing())


@pytest.mark.parametrize("done", [0, 4, 7])
def test_the_loader_goes_on_where_training_stopped(done: int) -> None:
    source = sampler()
    loader = training_loader(source, range(done, 7), workers=0)
    before = torch.get_rng_state()
    batches = list(loader)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(batches) == 7 - done
    for step, (mixed, targets) in enumerate(batches, start=done):
        expected = source.batch(step)
        assert np.array_equal(mixed.numpy(), expected.mixed)
        assert np.array_equal(targets.numpy(), expected.targets)
        assert mixed.shape == (3, 1, 8, 8)
        torch.testing.assert_close(mixed, targets.mean(1, keepdim=True))


@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_validation_sees_the_centre_of_every_field(mode: str) -> None:
    fields = [field(300, 257), field(31, 400), field(5, 20, 20)]
    crops = list(validation_loader(fields, Mixing(mode="sum" if mode == "sum" else "mean", offset=90.0)))
    assert [tuple(targets.shape) for _, targets in crops] == [
        (1, 2, 256, 256),
        (1, 2, 31, 256),
        (1, 2, 5, 20, 20),
    ]
    for (mixed, targets), given in zip(crops, fields, strict=True):
        assert mixed.shape == (1, 1, *targets.shape[2:])
        expected = targets.mean(1, keepdim=True) if mode == "mean" else targets.sum(1, keepdim=True) - 90
        torch.testing.assert_close(mixed, expected)
        assert np.isin(targets.numpy().flat[0], given.observed)
    assert np.array_equal(crops[0][1][0].numpy(), fields[0].observed[:, 22:278, :256])


def test_validation_sees_the_mixed_image_that_the_field_has() -> None:
    given, other = field(300, 30), field(300, 30)
    source = MixedSource(noiseless=other.observed, noise=np.full((1, 300, 30), 3, np.float32))
    ((mixed, targets),) = validation_loader([attrs.evolve(given, mixed_source=source)], Mixing())
    np.testing.assert_array_equal(targets[0], given.observed[:, 22:278])
    np.testing.assert_allclose(mixed[0, 0], other.observed[:, 22:278].mean(0) + 3, rtol=1e-6)


def test_validation_takes_eight_fields_at_most() -> None:
    assert len(validation_loader([field(9, 9)] * 11, Mixing())) == 8


@pytest.mark.parametrize("sides", [(300, 257), (3, 280, 31)])
def test_validation_sees_the_surround_of_its_crops(sides: tuple[int, ...]) -> None:
    given = field(*sides)
    ((plain, targets),) = validation_loader([given], Mixing())
    ((mixed, same),) = validation_loader([given], Mixing(), context=2)
    assert torch.equal(same, targets)
    assert torch.equal(mixed[:, :1], plain)
    crop = targets.shape[2:]
    corner = [(side - kept) // 2 for side, kept in zip(sides, crop, strict=True)]
    for scale, image in enumerate(pyramid(mixed_image(given, Mixing()), 2)):
        expected = context_crop(image, corner, crop, scale)
        np.testing.assert_array_equal(mixed[0, scale], expected[0])


def test_a_validation_field_too_small_for_its_surround_is_refused() -> None:
    with pytest.raises(ImageError, match="cannot be halved 4 times"):
        validation_loader([field(15, 40)], Mixing(), context=4)
