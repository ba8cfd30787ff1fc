"""Data sets read what is not TIFF: folders of Zarr, images inside HDF5 files, MRC and NumPy as published."""

import logging
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Dataset, Image, PixelSize
from denoisplit.core.registry import Component, Registry, installed_registry
from denoisplit.core.storage import image_files
from denoisplit.core.storage.image_files import installed_formats, save_image
from denoisplit.plugins.datasets.biosr import BioSR
from denoisplit.plugins.datasets.folder import Folder
from denoisplit.plugins.datasets.hagen import Hagen
from denoisplit.plugins.datasets.manifest import Manifest
from denoisplit.plugins.datasets.single_channels import ChannelFiles, SeparateChannels
from denoisplit.plugins.datasets.w2s import W2S

TWO = ("mito", "actin")


def pixels(seed: int, *shape: int) -> Float32Array:
    return np.random.default_rng(seed).integers(0, 60_000, shape or (9, 8)).astype(np.float32)


def made(cls: Any, path: Path, *, channels: tuple[str, ...] = TWO, **options: Any) -> Dataset:
    dataset: Dataset = cls(cls.Options(path=path, **options), channels=channels, formats=installed_formats())
    return dataset


def write(path: Path, image: Float32Array, axes: str) -> Float32Array:
    save_image(path, Image(data=image, axes=axes, pixel_size=PixelSize((0.2, 0.1))))
    return image


def test_a_folder_of_zarr_images_counts_as_files_and_nothing_inside_does(tmp_path: Path) -> None:
    for number in (10, 9):
        write(tmp_path / f"f{number}.ome.zarr", pixels(number, 2, 9, 8), "cyx")
        write(tmp_path / "truth" / f"f{number}.zarr", pixels(number, 2, 9, 8) + 1, "cyx")
    (tmp_path / "notes.zarr.txt").touch()
    (tmp_path / "other").mkdir()
    fields = made(Folder, tmp_path, observed="*.ome.zarr", clean="truth/*.zarr").fields()
    assert [field.name for field in fields] == ["f9.ome.zarr", "f10.ome.zarr"]
    for field in fields:
        assert field.clean is not None
        np.testing.assert_array_equal(field.clean[...], field.observed[...] + 1)
        assert field.pixel_size == PixelSize((0.2, 0.1))
    everything = made(Folder, tmp_path, observed="**/*.zarr").fields()
    assert [field.name for field in everything] == [
        "f9.ome.zarr",
        "f10.ome.zarr",
        "truth/f9.zarr",
        "truth/f10.zarr",
    ]


@pytest.mark.parametrize("mark", ["::", "/"])
def test_images_inside_files_are_named_behind_the_pattern(tmp_path: Path, mark: str) -> None:
    for number in (0, 1):
        with h5py.File(tmp_path / f"f{number}.h5", "w") as file:
            for channel, name in enumerate(TWO):
                file[f"raw/{name}"] = pixels(2 * number + channel)
                file[f"long/{name}"] = pixels(2 * number + channel) + 1
    observed, clean = (tuple(f"*.h5{mark}{kind}/{name}" for name in TWO) for kind in ("raw", "long"))
    fields = made(ChannelFiles, tmp_path, observed=observed, clean=clean).fields()
    assert [field.name for field in fields] == [f"f{n}.h5{mark}raw/mito" for n in (0, 1)]
    for number, field in enumerate(fields):
        np.testing.assert_array_equal(field.observed, [pixels(2 * number), pixels(2 * number + 1)])
        assert field.clean is not None
        np.testing.assert_array_equal(field.clean[...], field.observed[...] + 1)
    only = made(
        Folder, tmp_path, channels=("mito",), observed=f"*.h5{mark}raw/mito", clean=f"*.h5{mark}long/mito"
    )
    assert [field.observed.shape for field in only.fields()] == [(1, 9, 8)] * 2
    with pytest.raises(ImageError, match=r"one image of a file is meant by its whole name \(got 'raw/\*'\)"):
        made(Folder, tmp_path, observed=f"*.h5{mark}raw/*").fields()
    with pytest.raises(ImageError, match=r"there is no image 'dark' \(got the data sets long/actin"):
        made(Folder, tmp_path, observed=f"*.h5{mark}dark").fields()


def test_images_inside_zarr_groups_are_named_behind_the_pattern(tmp_path: Path) -> None:
    for number in (0, 1):
        group: Any = zarr.open_group(str(tmp_path / f"f{number}.zarr"), mode="w")
        for channel, name in enumerate(TWO):
            group.create_array(name, data=pixels(2 * number + channel))
    fields = made(SeparateChannels, tmp_path, observed=tuple(f"*.zarr/{name}" for name in TWO)).fields()
    assert sorted(field.observed[0].tobytes() for field in fields) == sorted(
        pixels(n).tobytes() for n in (0, 2)
    )
    assert sorted(field.observed[1].tobytes() for field in fields) == sorted(
        pixels(n).tobytes() for n in (1, 3)
    )


def test_a_table_names_folders_and_images_inside_files(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", pixels(0), "yx")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["raw"], file["dark"] = pixels(1), pixels(2)
    table = tmp_path / "manifest.csv"
    table.write_text("field,channel,file\none,mito,a.zarr\none,actin,b.h5::raw\n")
    (field,) = made(Manifest, tmp_path).fields()
    np.testing.assert_array_equal(field.observed, [pixels(0), pixels(1)])
    table.write_text("field,channel,file\none,mito,nothing.zarr\none,actin,b.h5::raw\n")
    with pytest.raises(ImageError, match=r"line 2: there is no such file \(got 'nothing\.zarr'\)"):
        made(Manifest, tmp_path).fields()


def test_a_pattern_that_matches_nothing_is_told_what_is_there(tmp_path: Path) -> None:
    for name in ("a.ome.zarr", "b.ome.zarr", "c.h5"):
        write(tmp_path / "mito" / name, pixels(0), "yx")
    tifffile.imwrite(tmp_path / "mito" / "d.TIF", pixels(0))
    there = r"There are other images: 1 ending in \.TIF, 1 ending in \.h5, 2 ending in \.ome\.zarr\.$"
    with pytest.raises(ImageError, match=r"no file matches \(got observed='\*\.tif\*'\).*" + there):
        made(Folder, tmp_path / "mito").fields()
    for cls in (ChannelFiles, SeparateChannels):
        with pytest.raises(ImageError, match=r"'mito/\*\.tif\*'.*" + there):
            made(cls, tmp_path).fields()
    with pytest.raises(ImageError, match=r"Correct path or pattern\.$"):
        made(Folder, tmp_path).fields()


def test_biosr_reads_the_files_of_its_microscope(tmp_path: Path) -> None:
    """Headers without the word MAP and lengths in µm, which do not say what the sections are."""
    kept = {}
    for number, name in enumerate(TWO):
        data = pixels(number, 3, 9, 7)
        header = bytearray(1024)
        struct.pack_into("<4i", header, 0, 7, 9, 3, 6)
        struct.pack_into("<3i3f3f3i", header, 28, 7, 9, 0, 0.7, 0.9, 0, 90, 90, 90, 1, 2, 3)
        (tmp_path / name).mkdir()
        (tmp_path / name / "GT_all.mrc").write_bytes(bytes(header) + data.astype("<u2").tobytes())
        kept[name] = data
    fields = made(BioSR, tmp_path).fields()
    for position, field in enumerate(fields):
        np.testing.assert_array_equal(field.observed, [kept[name][position] for name in TWO])
        assert field.pixel_size is not None
        assert field.pixel_size.size == pytest.approx((0.1, 0.1))
        assert field.pixel_size.unit == "µm"
    assert [field.name for field in fields] == [
        f"mito/GT_all.mrc t={n} + actin/GT_all.mrc t={n}" for n in range(3)
    ]


def test_w2s_reads_the_arrays_that_are_published(tmp_path: Path) -> None:
    exposures = np.random.default_rng(0).integers(0, 4096, (2, 5, 9, 8)).astype(np.uint16)
    (tmp_path / "Image081").mkdir()
    for channel in range(2):
        np.save(tmp_path / "Image081" / f"wf_channel{channel}.npy", exposures[channel])
    (field,) = made(W2S, tmp_path, part="test").fields()
    np.testing.assert_array_equal(field.observed, exposures[:, 0])
    assert field.clean is not None
    np.testing.assert_allclose(field.clean, exposures[:, 1:].mean(axis=1), rtol=1e-6)


def test_stacks_may_have_all_five_axes(tmp_path: Path) -> None:
    """As converters to OME-Zarr write them, whatever they take the planes for."""
    kept = {}
    for name in TWO:
        kept[name] = pixels(len(name), 3, 9, 8)
        stack = np.expand_dims(kept[name], (0, 2)) if name == "mito" else np.expand_dims(kept[name], (0, 1))
        axes = "tzcyx" if name == "mito" else "tczyx"
        save_image(tmp_path / f"{name}-60x-noise2-lowsnr.ome.zarr", Image(data=stack, axes=axes))
    for position, field in enumerate(made(Hagen, tmp_path).fields()):
        np.testing.assert_array_equal(field.observed, [kept[name][position] for name in TWO])


def test_a_broken_format_of_another_package_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = Component(
        kind="image_format",
        name="odd",
        target="no_such_package:Odd",
        package="lab",
        version="1",
        summary="Odd.",
    )
    registry = Registry([*installed_registry().components(), row])
    expected = [type(known) for known in installed_formats()]
    monkeypatch.setattr(image_files, "installed_registry", lambda: registry)
    with caplog.at_level(logging.INFO, "denoisplit"):
        assert [type(known) for known in installed_formats()] == expected
    assert "left out: image_format lab/odd: no_such_package:Odd cannot be imported" in caplog.text
