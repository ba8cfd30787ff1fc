"""Images that are not in memory give the same numbers as the same pixels in an array, to the last bit."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images import block_walks, context_pyramid, lazy
from denoisplit.core.images.bases import Field, Image
from denoisplit.core.images.conditioning import Conditioning
from denoisplit.core.images.context_pyramid import pyramid
from denoisplit.core.images.cut_fields import cut_fields
from denoisplit.core.images.data_fingerprint import array_fingerprint
from denoisplit.core.images.derived_images import padded
from denoisplit.core.images.foreground import ForegroundPixels, foreground
from denoisplit.core.images.image_checks import check_pixels
from denoisplit.core.images.intensity_range import Background, Clip
from denoisplit.core.images.intensity_statistics import intensity_stats
from denoisplit.core.images.io import open_image
from denoisplit.core.images.lazy import LazyPixels, is_lazy
from denoisplit.core.images.mixing import Mixing, mixed_image
from denoisplit.core.images.noise_pairs import pairs_from_clean
from denoisplit.core.images.overlap import kept_blocks
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.images.quantiles import quantile
from denoisplit.core.images.recorded_mixed import condition_fields
from denoisplit.core.storage.image_files import installed_formats, save_image
from tests.flipping import FLIPS

SHAPES = st.tuples(st.integers(4, 40), st.integers(4, 40))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows, so that small images have many."""
    monkeypatch.setattr(block_walks, "BLOCK_PIXELS", 100)
    monkeypatch.setattr(context_pyramid, "_BAND_PIXELS", 60)


def lazily(image: npt.NDArray[Any]) -> LazyPixels:
    """The same pixels, read where they are asked for."""
    return LazyPixels(shape=image.shape, dtype=image.dtype, read=image.__getitem__, source="test")


def noise(*shape: int, seed: int = 0) -> Float32Array:
    return np.random.default_rng(seed).normal(200, 40, shape).astype(np.float32)


def fields(*, lazy: bool, size: int = 33) -> list[Field]:
    change = lazily if lazy else np.asarray
    return [
        Field(
            name=str(number),
            observed=change(noise(2, size, 29, seed=number)),
            clean=change(noise(2, size, 29, seed=9)),
        )
        for number in range(2)
    ]


@settings(max_examples=25, deadline=None)
@given(
    SHAPES,
    st.floats(0, 1),
    st.integers(0, 99),
    st.sampled_from([np.float32(1), np.float32(-1e-3), np.float32(500)]),
)
def test_quantiles_are_those_of_numpy(
    shape: tuple[int, int], level: float, seed: int, factor: np.float32
) -> None:
    image = np.round(noise(*shape, seed=seed)) * factor - np.float32(100)
    assert quantile([lazily(image)], level) == float(np.quantile(image, level))
    both = np.concatenate([image.ravel(), image.ravel() * 2])
    assert quantile([lazily(image), lazily(image * 2)], level) == float(np.quantile(both, level))


def test_counts_of_a_camera_are_read_once_for_a_quantile() -> None:
    image, reads = np.random.default_rng(0).poisson(7, (40, 30)).astype(np.float32), 0

    def read(region: Any) -> Any:
        nonlocal reads
        reads += image[region].size
        return image[region]

    pixels = LazyPixels(shape=image.shape, dtype=image.dtype, read=read, source="test")
    assert quantile([pixels], 0.3) == float(np.quantile(image, 0.3))
    assert reads == image.size


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.data())
def test_a_window_of_a_smaller_scale_is_that_of_the_whole_image(
    shape: tuple[int, int], data: st.DataObject
) -> None:
    image = noise(2, *shape)
    for whole, made in zip(pyramid(image, 2), pyramid(lazily(image), 2), strict=True):
        window = tuple(
            slice(low := data.draw(st.integers(0, side - 1)), data.draw(st.integers(low + 1, side)))
            for side in whole.shape[1:]
        )
        np.testing.assert_array_equal(made[(slice(None), *window)], whole[(slice(None), *window)])


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.tuples(st.integers(0, 90), st.integers(0, 90)))
def test_padding_reflects_as_numpy_does(shape: tuple[int, int], more: tuple[int, int]) -> None:
    image = noise(*shape)
    sides = [side + extra for side, extra in zip(shape, more, strict=True)]
    expected = np.pad(image, [(0, extra) for extra in more], mode="reflect")
    np.testing.assert_array_equal(padded(lazily(image), sides)[...], expected)
    np.testing.assert_array_equal(padded(lazily(image[:1]), (5, 4))[...], image[[0] * 5, :4])


def test_fingerprints_blocks_and_pairs_are_the_same() -> None:
    image, clean = noise(2, 70, 45), noise(2, 70, 45, seed=1)
    assert array_fingerprint(lazily(image)) == array_fingerprint(image)
    one, other = (kept_blocks([Field(name="a", observed=change(image))]) for change in (lazily, np.asarray))
    order = np.lexsort((one.columns, one.rows, one.hashes))
    same = np.lexsort((other.columns, other.rows, other.hashes))
    assert one.hashes.size > 0
    np.testing.assert_array_equal(one.hashes[order], other.hashes[same])
    np.testing.assert_array_equal(one.rows[order], other.rows[same])
    found, expected = (
        pairs_from_clean(change(clean), change(image), limit=500) for change in (lazily, np.asarray)
    )
    np.testing.assert_array_equal(found.signal, expected.signal)
    np.testing.assert_array_equal(found.observation, expected.observation)


def test_conditioned_fields_statistics_and_patches_are_the_same() -> None:
    how = Conditioning(
        background=Background(quantile=0.2, floor=True), clip=Clip(quantile=0.95, per_channel=True)
    )
    found, expected = (condition_fields(fields(lazy=one), how) for one in (True, False))
    assert all(is_lazy(field.observed) for field in found.fields)
    assert (found.fitted, found.background) == (expected.fitted, expected.background)
    for mode in ("mean", "sum"):
        mixing = Mixing(mode=mode, offset=10)
        stats = [intensity_stats([f.observed for f in one.fields], mixing) for one in (found, expected)]
        assert stats[0] == stats[1]
        for context in (0, 1):
            batches = [
                PatchSampler(
                    one.fields,
                    patch=(8, 8),
                    batch=3,
                    seed=0,
                    augmentation=FLIPS,
                    mixing=mixing,
                    context=context,
                ).batch(4)
                for one in (found, expected)
            ]
            np.testing.assert_array_equal(batches[0].mixed, batches[1].mixed)
            np.testing.assert_array_equal(batches[0].targets, batches[1].targets)
    for one, other in zip(found.fields, expected.fields, strict=True):
        np.testing.assert_array_equal(mixed_image(one, Mixing())[...], mixed_image(other, Mixing()))


def test_regions_and_recorded_mixed_images_are_cut_alike() -> None:
    def parts(change: Any) -> Any:
        recorded = change(noise(1, 40, 50, seed=3))
        field = Field(name="a", observed=change(noise(2, 40, 50)), mixed=recorded)
        return cut_fields([field], 0.3, 0.2, 2)

    for one, other in zip(parts(lazily), parts(np.asarray), strict=True):
        assert one[0].name == other[0].name
        np.testing.assert_array_equal(one[0].observed[...], other[0].observed)
        np.testing.assert_array_equal(mixed_image(one[0], Mixing())[...], mixed_image(other[0], Mixing()))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda image: image.__setitem__((17, 3), np.nan),
        lambda image: image.__setitem__(slice(None), 7),
        lambda image: image.__setitem__((slice(0, 30)), 4095),
    ],
)
def test_bad_pixels_are_refused_in_the_same_words(spoil: Any) -> None:
    image = noise(33, 29)
    spoil(image)
    said = []
    for change in (lazily, np.asarray):
        with pytest.raises(ImageError) as error:
            check_pixels(change(image), "x.tif")
        said.append(str(error.value))
    assert said[0] == said[1]


def test_foreground_of_a_sample_lies_on_structures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a part of the image is looked at, and what it finds is found in the whole image, too."""
    monkeypatch.setattr("denoisplit.core.images.foreground.SAMPLE_SIDE", 16)
    monkeypatch.setattr("denoisplit.core.images.foreground.SAMPLES", 30)
    image = noise(1, 128, 128)
    image[:, 40:90, 10:100] += 400
    reads: list[int] = []

    def read(region: Any) -> Any:
        reads.append(int(np.prod([part.stop - part.start for part in region])))
        return image[region]

    lazy_image = LazyPixels(shape=image.shape, dtype=image.dtype, read=read, source="test")
    pixels = ForegroundPixels([Field(name="a", observed=lazy_image)])
    assert sum(reads) == 30 * 16 * 16
    mask = foreground(image[0])
    found = [pixels.pixel(0, share) for share in np.linspace(0, 0.999, 200)]
    share = np.mean([mask[one[1]] for one in found if one is not None])
    assert len(found) == 200
    assert share > 0.95


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr", "a.h5", "a.zarr", "a.mrc"])
def test_lazy_pixels_go_to_other_processes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)
    image = noise(20, 30)
    save_image(tmp_path / name, Image(data=image, axes="yx"))
    data = open_image(tmp_path / name, installed_formats()).data
    np.testing.assert_array_equal(data[3:5], image[3:5])
    again = pickle.loads(pickle.dumps(data))  # noqa: S301
    assert isinstance(again, LazyPixels)
    np.testing.assert_array_equal(again[3:5], image[3:5])
