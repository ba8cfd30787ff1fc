"""Maps of a camera go where their pixels go: into patches, crops, regions and pairs."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.augmentation import Augmentation, Several
from denoisplit.core.images.bases import Field
from denoisplit.core.images.cut_fields import cut_fields
from denoisplit.core.images.large_fields import in_memory
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.images.noise_pairs import (
    bootstrap_pairs,
    join_pairs,
    pairs_from_clean,
    pairs_from_repeats,
)
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.registry import load_registry
from denoisplit.core.training.data.batches import validation_loader
from tests.flipping import FLIPS


def image(*shape: int, seed: int = 0) -> Float32Array:
    return np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)


def maps_like(field: Field) -> Float32Array:
    """Two maps [m c y x]: the images of the field themselves (of the first plane), and less than them."""
    plane: Float32Array = field.observed[:] if field.observed.ndim == 3 else field.observed[:, 0]
    return np.stack([plane, plane - 1])


@pytest.mark.parametrize("augment", [True, False])
@pytest.mark.parametrize(
    ("shape", "patch", "separate", "context"),
    [
        ((2, 24, 30), (8, 8), False, 0),
        ((3, 24, 30), (8, 12), False, 0),
        ((2, 24, 30), (8, 8), True, 0),
        ((1, 64, 64), (16, 16), False, 1),
    ],
    ids=["square", "oblong", "separate", "context"],
)
def test_patches_of_maps_are_those_of_their_pixels(
    shape: tuple[int, ...], patch: tuple[int, ...], separate: bool, context: int, augment: bool
) -> None:
    fields = [Field(name=str(n), observed=image(*shape, seed=n), separate=separate) for n in range(3)]

    def sampler(camera: Sequence[Float32Array] = ()) -> PatchSampler:
        return PatchSampler(
            fields,
            patch=patch,
            batch=8,
            seed=1,
            augmentation=FLIPS if augment else None,
            mixing=Mixing(),
            context=context,
            camera=camera,
        )

    with_maps, plain = sampler([maps_like(field) for field in fields]), sampler()
    for step in range(3):
        batch, same = with_maps.batch(step), plain.batch(step)
        assert batch.camera is not None
        assert same.camera is None
        np.testing.assert_array_equal(batch.camera, np.stack([batch.targets, batch.targets - 1]))
        np.testing.assert_array_equal(batch.mixed, same.mixed)


def test_all_planes_of_a_stack_have_the_maps_of_the_plane() -> None:
    stack = np.repeat(image(2, 1, 20, 20), 4, axis=1)
    field = Field(name="stack", observed=stack)
    sampler = PatchSampler(
        [field],
        patch=(2, 8, 8),
        batch=4,
        seed=0,
        augmentation=FLIPS,
        mixing=Mixing(),
        camera=[maps_like(field)],
    )
    batch = sampler.batch(0)
    assert batch.camera is not None
    np.testing.assert_array_equal(batch.camera[0], batch.targets)


class Shifted(Augmentation):
    """One that a package may bring: pixels move along x, round the patch."""

    choices = 5

    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        return np.roll(patch, choice, axis=-1)


AUGMENTATIONS = {row.name: row.load() for row in load_registry().components("augmentation")}


@pytest.mark.parametrize("made", [Shifted, *AUGMENTATIONS.values()], ids=["of a package", *AUGMENTATIONS])
@pytest.mark.parametrize("deep", [False, True], ids=["planes", "stacks"])
def test_whatever_moves_the_pixels_moves_their_maps(made: type[Augmentation], deep: bool) -> None:
    """Also of channels from different places, and after another one; in a stack, all planes have the maps."""
    planes = image(2, 20, 24)
    stack = np.repeat(planes[:, None], 4, axis=1) if deep else planes
    fields = [Field(name=str(n), observed=stack + 300 * n, separate=True) for n in range(2)]
    augmentation = Several([made(getattr(made, "Options", lambda: None)()), Shifted(None)])
    sampler = PatchSampler(
        fields,
        patch=(2, 8, 8) if deep else (8, 8),
        batch=24,
        seed=0,
        mixing=Mixing(),
        augmentation=augmentation,
        camera=[maps_like(field) for field in fields],
    )
    batch = sampler.batch(0)
    assert batch.camera is not None
    np.testing.assert_array_equal(batch.camera, np.stack([batch.targets, batch.targets - 1]))


def test_parts_of_fields_know_their_place() -> None:
    frame = image(2, 300, 280)
    (part, held, test) = cut_fields([Field(name="a", observed=frame)], 0.3, 0.2, 4)
    regions = [*part, *held, *test]
    again, _, _ = cut_fields(regions[:1], 0.5, 0.0, 2)
    lazy = LazyPixels(shape=frame.shape, dtype=frame.dtype, read=lambda box: frame[box], source="")
    for field in (*regions, *again, *in_memory([Field(name="large", observed=lazy)], 32, "a test")):
        assert field.frame_part.frame == (300, 280)
        np.testing.assert_array_equal(field.observed, frame[:, *field.frame_part.slices])


def test_validation_crops_ask_for_their_pixels() -> None:
    frame = image(1, 300, 420)

    def camera(part: FramePart) -> torch.Tensor:
        return torch.from_numpy(frame[:, *part.slices])[None, None]

    (batch,) = validation_loader([Field(name="a", observed=frame)], Mixing(), camera=camera)
    assert torch.equal(batch[2][0], batch[1])


def _joined(images: Sequence[Float32Array], kind: str) -> tuple[Float32Array, npt.NDArray[np.int64]]:
    """Observations of pairs and their places, of parts one above the other of one frame."""
    pairs = []
    for number, one in enumerate(images):
        part = FramePart((40, 20), (20 * number, 0), (20, 20))
        if kind == "clean":
            pairs.append(pairs_from_clean(one, one, limit=150, part=part))
        elif kind == "repeats":
            pairs.append(pairs_from_repeats(np.stack([one, one]), limit=500, part=part))
        else:
            pairs.append(bootstrap_pairs(one, part=part))
    found = join_pairs(pairs, limit=200)
    assert found.place is not None
    return found.signal.astype(np.float32), found.place


@pytest.mark.parametrize("kind", ["clean", "repeats"])
def test_pairs_know_their_pixel(kind: str) -> None:
    frame = image(40, 20)
    signal, (y, x) = _joined([frame[:20], frame[20:]], kind)
    np.testing.assert_array_equal(signal, frame[y, x])


def test_bootstrap_pairs_know_their_pixel() -> None:
    frame = np.arange(800, dtype=np.float32).reshape(40, 20)
    signal, (y, x) = _joined([frame[:20], frame[20:]], "bootstrap")
    inner = (y % 20 > 4) & (y % 20 < 15) & (x > 4) & (x < 15)
    np.testing.assert_allclose(signal[inner], frame[y, x][inner], atol=0.01)
