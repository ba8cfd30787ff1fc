"""Files that are read piece by piece give the same fields as in memory, to the last bit, in every layout."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import Field
from denoisplit.core.images.data_fingerprint import data_fingerprint
from denoisplit.core.images.intensity_statistics import intensity_stats
from denoisplit.core.images.lazy import is_lazy
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.images.recorded_mixed import recorded_images
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.plugins.datasets.biosr import BioSR
from denoisplit.plugins.datasets.folder import Folder
from denoisplit.plugins.datasets.frames import mean_image
from denoisplit.plugins.datasets.hagen import Hagen
from denoisplit.plugins.datasets.manifest import Manifest
from denoisplit.plugins.datasets.reading import ImageFiles
from denoisplit.plugins.datasets.single_channels import ChannelFiles, SeparateChannels
from denoisplit.plugins.datasets.w2s import W2S
from tests.e2e.layouts_everywhere import CHANNELS, LAYOUTS, Pair, Save, saving
from tests.flipping import FLIPS

DATASETS: dict[str, Any] = {
    "folder": Folder,
    "channel_files": ChannelFiles,
    "separate_channels": SeparateChannels,
    "manifest": Manifest,
    "biosr": BioSR,
    "hagen": Hagen,
    "w2s": W2S,
}
FORMATS = {type(known).__name__: known for known in installed_formats()}
LAZY = ("Tiff", "OmeZarr", "Hdf5", "Mrc", "NumpyArrays")
IMAGES = ("observed", "clean", "mixed", "repeats")
EXPOSURES = {"biosr": 3}
"""Of every image; 9 where it is not named."""
RECORDED = ("folder", "channel_files", "manifest")


@pytest.fixture(autouse=True)
def small_files_are_lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    from denoisplit.core.images import block_walks

    monkeypatch.setattr(lazy, "LAZY_FROM", 1)
    monkeypatch.setattr(block_walks, "BLOCK_PIXELS", 100)


def exposed(save: Save, seed: int, count: int) -> Save:
    """Writes every stack [t y x] as several noisy exposures of each of its images."""
    rng = np.random.default_rng(seed)

    def several(stem: Path, pixels: AnyArray, axes: str) -> Path:
        if axes != "tyx":
            return save(stem, pixels, axes)
        stack = np.repeat(pixels, count, axis=0)
        return save(stem, (stack + rng.normal(0, 9, stack.shape)).astype(np.float32), axes)

    return several


def written(root: Path, layout: str, name: str, shape: tuple[int, int], seed: int) -> dict[str, Any]:
    """Three fields in a layout; the options of its data set, recorded mixed images included."""
    rng = np.random.default_rng(seed)
    pairs: list[Pair] = []
    for _ in range(3):
        clean = rng.gamma(3, 60, (len(CHANNELS), *shape)).astype(np.float32)
        pairs.append(((clean + rng.normal(0, 15, clean.shape)).astype(np.float32), clean))
    suffix, save = saving(FORMATS[name])
    several = save if layout == "hagen" else exposed(save, seed, EXPOSURES.get(layout, 9))
    options = LAYOUTS[layout](root, pairs, suffix, several)
    del options["use"]
    if layout in RECORDED:
        for number, (noisy, _) in enumerate(pairs):
            save(root / f"mixed_{number}", noisy.mean(axis=0), "yx")
    if layout == "manifest":
        lines = [f"cell {number},,mixed_{number}{suffix},mixed" for number in range(3)]
        with (root / "manifest.csv").open("a", encoding="utf-8") as table:
            table.write("\n" + "\n".join(lines))
    elif layout == "folder":
        options |= {"mixed": f"mixed_*{suffix}"}
    elif layout == "channel_files":
        options["observed"] = [f"{channel}/*_noisy{suffix}" for channel in CHANNELS]
        options["mixed"] = f"mixed_*{suffix}"
    return options


def read(root: Path, layout: str, options: dict[str, Any], *, memory: int) -> tuple[Field, ...]:
    cls = DATASETS[layout]
    known = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    made = cls(
        cls.Options(path=root, memory=memory, **known), channels=CHANNELS, formats=list(FORMATS.values())
    )
    fields: tuple[Field, ...] = made.fields()
    return fields


def images(field: Field) -> dict[str, AnyArray]:
    return {kind: getattr(field, kind) for kind in IMAGES if getattr(field, kind) is not None}


def assert_same(large: Sequence[Field], whole: Sequence[Field], data: st.DataObject) -> None:
    """Names, files, all pixels, the pixels of any region, patches and statistics."""
    assert [(f.name, f.pixel_size, f.separate, f.files) for f in large] == [
        (f.name, f.pixel_size, f.separate, f.files) for f in whole
    ]
    for one, other in zip(large, whole, strict=True):
        assert images(one).keys() == images(other).keys()
        for kind, pixels in images(other).items():
            found = images(one)[kind]
            assert is_lazy(found)
            assert not is_lazy(pixels)
            assert (found.shape, found.dtype) == (pixels.shape, pixels.dtype)
            np.testing.assert_array_equal(np.asarray(found), pixels)
            ends = [sorted(data.draw(st.tuples(*[st.integers(0, side)] * 2))) for side in pixels.shape]
            region = tuple(slice(*pair) for pair in ends)
            np.testing.assert_array_equal(found[region], pixels[region])
    assert data_fingerprint(large) == data_fingerprint(whole)
    stats = [
        intensity_stats([f.observed for f in fields], Mixing(), recorded=recorded_images(fields) or None)
        for fields in (large, whole)
    ]
    assert stats[0] == stats[1]
    batches = [
        PatchSampler(
            fields,
            patch=(4, 4),
            batch=3,
            seed=1,
            augmentation=FLIPS,
            mixing=Mixing(),
            context=1,
            foreground=0.5,
        ).batch(2)
        for fields in (large, whole)
    ]
    np.testing.assert_array_equal(batches[0].mixed, batches[1].mixed)
    np.testing.assert_array_equal(batches[0].targets, batches[1].targets)


@pytest.mark.parametrize("layout", DATASETS)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_fields_in_files_are_the_fields_in_memory(layout: str, data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(8, 40), st.integers(8, 40)), "shape")
    name = data.draw(st.sampled_from(LAZY), "format")
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        options = written(root, layout, name, shape, seed=data.draw(st.integers(0, 99), "seed"))
        if layout == "w2s":
            options["average"] = data.draw(st.integers(1, 4), "average")
            options["repeats"] = data.draw(st.integers(0, 3), "repeats")
        large, whole = (read(root, layout, options, memory=memory) for memory in (0, 1024))
        assert_same(large, whole, data)


@pytest.mark.parametrize(("side", "expected"), [(480, False), (540, True)])
def test_memory_is_counted_per_file_as_float32(tmp_path: Path, side: int, expected: bool) -> None:
    """0.9 MiB as float32 stay in memory with ``memory: 1``, 1.1 MiB do not; the file has half."""
    pixels = np.zeros((side, side), np.uint16)
    path = saving(FORMATS["Tiff"])[1](tmp_path / "a", pixels, "yx")
    files = ImageFiles(installed_formats(), memory=1)
    assert [is_lazy(array) for array in files.arrays(files.planes(path, "", 2))] == [expected]


def test_of_a_field_only_what_cannot_be_read_in_parts_is_in_memory(tmp_path: Path) -> None:
    *channels, mixed = np.random.default_rng(0).gamma(3, 60, (3, 20, 20)).astype(np.float32)
    for name, pixels in zip(CHANNELS, channels, strict=True):
        saving(FORMATS["Tiff"])[1](tmp_path / name, pixels, "yx")
    np.savez_compressed(tmp_path / "both.npz", mixed)
    options = {"observed": [f"{name}.tiff" for name in CHANNELS], "mixed": "both.npz"}
    (large,) = read(tmp_path, "channel_files", options, memory=0)
    lazily = {kind: is_lazy(image) for kind, image in images(large).items()}
    assert lazily == {"observed": True, "mixed": False}
    assert large.mixed is not None
    np.testing.assert_array_equal(np.asarray(large.mixed), mixed[None])


def test_the_mean_of_images_is_that_of_numpy() -> None:
    stack = np.random.default_rng(0).normal(100, 30, (9, 30, 31)).astype(np.float32)
    np.testing.assert_array_equal(
        mean_image(list(stack)), stack.mean(axis=0, dtype=np.float64).astype(np.float32)
    )


def test_a_bad_pixel_of_a_large_file_is_named(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).gamma(3, 60, (20, 20)).astype(np.float32)
    _, save = saving(FORMATS["Tiff"])
    for name in CHANNELS:
        save(tmp_path / name / "a", pixels, "yx")
    pixels[3, 4] = np.nan
    save(tmp_path / CHANNELS[1] / "a", pixels, "yx")
    for memory in (0, 1024):
        with pytest.raises(ImageError, match=r"a\.tiff: 1 of 400 pixels are NaN .*\(got nan at \(3, 4\)\)"):
            read(tmp_path, "channel_files", {}, memory=memory)
