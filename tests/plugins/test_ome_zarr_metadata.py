"""OME-Zarr as other programs write it: right pixels, no guess, or one line that says what is missing."""

import importlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from denoisplit.core.errors import ImageError
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.plugins.image_formats.ome_zarr import OmeZarr
from denoisplit.plugins.image_formats.zarr_arrays import ZarrArrays

codecs: Any = importlib.import_module("numcodecs")

OME = OmeZarr(OmeZarr.Options())
ZARR = ZarrArrays(ZarrArrays.Options())
PIXELS = np.random.default_rng(1).integers(0, 9999, (2, 16, 20)).astype(np.uint16)


def axes_of(names: str, unit: str | None = "micrometer") -> list[dict[str, Any]]:
    kinds = {"c": "channel", "t": "time"}
    return [{"name": a, "type": kinds.get(a, "space"), **({} if a == "c" else {"unit": unit})} for a in names]


def scale(*sizes: Any) -> list[dict[str, Any]]:
    return [{"type": "scale", "scale": list(sizes)}]


def group(path: Path, multiscales: Any = None, levels: Any = None, **attributes: Any) -> Any:
    """A group of Zarr 2 with an image of version 0.4 that is whole unless entries are given."""
    made = zarr.open_group(str(path), mode="w", zarr_format=2)
    for name, pixels in ({"0": PIXELS} if levels is None else levels).items():
        made.create_array(name, data=pixels, chunks=pixels.shape)
    datasets = [{"path": "0", "coordinateTransformations": scale(0.3, 0.2, 0.1)}]
    whole = {"version": "0.4", "axes": axes_of("zyx"), "datasets": datasets}
    made.attrs.update({"multiscales": [whole | (multiscales or {})], **attributes})
    return made


def opened(path: Path, **how: Any) -> Image:
    return OME.open(path, **how)


def refused(path: Path, **how: Any) -> str:
    with pytest.raises(ImageError) as caught:
        opened(path, **how)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def level(transformations: Any) -> dict[str, Any]:
    return {"datasets": [{"path": "0", "coordinateTransformations": transformations}]}


SIZE = PixelSize((0.3, 0.2, 0.1))


@pytest.mark.parametrize(
    ("multiscales", "attributes", "size"),
    [
        ({}, {}, SIZE),
        (level(None), {}, None),
        (level([None, 3, {"type": "scale"}, {"type": "scale", "scale": "0.1"}]), {}, None),
        (level(scale(0.1, 0.1)), {}, None),
        (level(scale(None, 0.2, 0.1)), {}, PixelSize((None, 0.2, 0.1))),
        (level(scale(0, 0.2, -0.1)), {}, PixelSize((None, 0.2, None))),
        (level(scale("a", 1e-40, 0.1)), {}, PixelSize((None, None, 0.1))),
        ({"coordinateTransformations": scale(2, 2, 2)}, {}, PixelSize((0.6, 0.4, 0.2))),
        ({"axes": [*axes_of("z", "nanometer"), *axes_of("yx")]}, {}, PixelSize((0.0003, 0.2, 0.1))),
        ({"axes": [*axes_of("z", None), *axes_of("yx")]}, {}, PixelSize((None, 0.2, 0.1))),
        ({"axes": axes_of("zyx", "pixel")}, {}, None),
        ({"axes": ["z", "y", "x"]}, {}, None),
        ({"version": None}, {"omero": None}, SIZE),
        ({"version": "0.4.1"}, {"omero": [1]}, SIZE),
        ({"name": 3, "metadata": None}, {"omero": {"channels": None}}, SIZE),
        ({}, {"omero": {"channels": [None]}}, SIZE),
        ({}, {"omero": {"channels": [{"label": None}]}, "denoisplit": [1]}, SIZE),
    ],
)
def test_what_is_broken_beside_the_pixels_is_left_out(
    tmp_path: Path, multiscales: Any, attributes: Any, size: PixelSize | None
) -> None:
    group(tmp_path / "a.ome.zarr", multiscales, **attributes)
    image = opened(tmp_path / "a.ome.zarr")
    assert (image.axes, image.pixel_size, image.channel_names) == ("zyx", size, ())
    np.testing.assert_array_equal(image.pixels, PIXELS)


def test_a_channel_without_a_label_gets_a_number(tmp_path: Path) -> None:
    labels = {"channels": [{"label": None}, {"label": "actin"}]}
    group(tmp_path / "a.ome.zarr", {"axes": axes_of("cyx")}, omero=labels)
    assert opened(tmp_path / "a.ome.zarr").channel_names == ("channel 0", "actin")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["cyx", "yx", "tcyx"])
def test_every_channel_is_shown_in_its_own_range(tmp_path: Path, version: Any, axes: str) -> None:
    """A std of few counts beside a mean of hundreds would be black in its range."""
    sides = {"t": 2, "c": 3, "y": 20, "x": 30}
    pixels = np.random.default_rng(0).normal(5, 1, [sides[letter] for letter in axes]).astype(np.float32)
    names: tuple[str, ...] = ("a std",)
    if "c" in axes:
        names = ("a mean", "a std", "even")
        pixels[..., 0, :, :] += 500
        pixels[..., 2, :, :] = 7
    path = tmp_path / "a.ome.zarr"
    ome = OmeZarr(OmeZarr.Options(version=version, chunk=16))
    image = Image(data=pixels, axes=axes, channel_names=names, source="made")
    with ome.create(path, image.layout) as writer:
        for start in (0, 10):
            rows = slice(start, start + 10)
            whole = tuple(rows if a == "y" else slice(0, n) for a, n in zip(axes, pixels.shape, strict=True))
            writer.write(whole, pixels[whole])
    said: Any = zarr.open_group(str(path), mode="r").attrs.asdict()
    shown = said.get("ome", said)["omero"]["channels"]
    own = {name: pixels.take(i, -3) if "c" in axes else pixels for i, name in enumerate(names)}
    for channel in shown:
        low, high = float(own[channel["label"]].min()), float(own[channel["label"]].max())
        high = high if low < high else low + 1  # an empty range cannot be shown
        assert channel["window"] == {"start": low, "end": high, "min": low, "max": high}
    assert len(shown) == len(names)


@pytest.mark.parametrize("version", ["0.6", "0.6-dev1", "1.0", "0.10", "", 6])
@pytest.mark.parametrize("nested", [False, True])
def test_an_unknown_version_is_refused(tmp_path: Path, version: Any, nested: bool) -> None:
    made = group(tmp_path / "a.ome.zarr", {"version": None if nested else version})
    if nested:
        made.attrs["ome"] = {"version": version, "multiscales": made.attrs["multiscales"]}
    assert "unsupported version of OME-Zarr" in refused(tmp_path / "a.ome.zarr")


@pytest.mark.parametrize(
    ("first", "found"),
    [
        ({"name": "Time", "type": "time"}, "t"),
        ({"name": "t"}, "t"),
        ({"name": "wavelength", "type": "channel"}, "c"),
        ({"name": "channels"}, "c"),
        ({"name": "position"}, "s"),
        ({"name": "tile", "type": "space"}, None),
        ({"name": "t", "type": "space"}, None),
        ({"name": "cell"}, None),
        ({"name": "zoom"}, None),
        ({"name": None}, None),
        ({"type": "space"}, None),
    ],
)
def test_names_of_axes_are_no_guess(tmp_path: Path, first: dict[str, Any], found: str | None) -> None:
    group(tmp_path / "a.ome.zarr", {"axes": [first, *axes_of("yx")]})
    if found is None:
        assert "does not say what its axes are" in refused(tmp_path / "a.ome.zarr")
        assert opened(tmp_path / "a.ome.zarr", axes="syx").axes == "syx"
    else:
        assert opened(tmp_path / "a.ome.zarr").axes == f"{found}yx"


@pytest.mark.parametrize(("name", "found"), [("time", "t"), ("tile", None), ("cell", None), ("channel", "c")])
def test_names_of_dimensions_are_no_guess(tmp_path: Path, name: str, found: str | None) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=PIXELS, dimension_names=[name, "y", "x"])
    if found is None:
        with pytest.raises(ImageError, match="does not say what its axes are"):
            ZARR.open(tmp_path / "a.zarr")
    else:
        assert ZARR.open(tmp_path / "a.zarr").axes == f"{found}yx"


def test_the_largest_array_is_found_by_its_size(tmp_path: Path) -> None:
    small = {"path": "small", "coordinateTransformations": scale(0.3, 0.4, 0.2)}
    full = {"path": "full", "coordinateTransformations": scale(0.3, 0.2, 0.1)}
    levels = {"small": PIXELS[:, ::2, ::2], "full": PIXELS}
    group(tmp_path / "a.ome.zarr", {"datasets": [small, full]}, levels)
    image = opened(tmp_path / "a.ome.zarr")
    assert image.pixel_size == SIZE
    np.testing.assert_array_equal(image.pixels, PIXELS)


def plate(
    path: Path, *, sizes: tuple[float, float] = (0.1, 0.1), names: tuple[str, str] = ("a", "a")
) -> Path:
    made = zarr.open_group(str(path), mode="w", zarr_format=2)
    made.attrs["plate"] = {"version": "0.4", "wells": [{"path": "A/1"}, {"path": "A/2"}, {"path": "A/3"}]}
    for well, size, name in zip(("A/1", "A/2"), sizes, names, strict=True):
        made.create_group(well).attrs["well"] = {"version": "0.4", "images": [{"path": "0"}]}
        group(
            path / well / "0",
            {"axes": axes_of("cyx"), **level(scale(1, size, size))},
            omero={"channels": [{"label": name}, {"label": "b"}]},
        )
    return path


def test_wells_that_are_not_there_are_passed_over_but_images_are_not(tmp_path: Path) -> None:
    path = plate(tmp_path / "p.ome.zarr")
    assert opened(path).data.shape == (2, *PIXELS.shape)
    shutil.rmtree(path / "A" / "2" / "0")
    assert f"{path}/A/2/0: this image is missing" in refused(path)
    shutil.rmtree(path / "A")
    assert "none of the wells that the plate lists is there (got A/1, A/2, A/3)" in refused(path)


@pytest.mark.parametrize("unlike", [{"sizes": (0.1, 0.5)}, {"names": ("a", "z")}])
def test_wells_that_differ_in_what_is_known_of_them_are_not_put_together(tmp_path: Path, unlike: Any) -> None:
    path = plate(tmp_path / "p.ome.zarr", **unlike)
    message = refused(path)
    assert "its images differ (got A/1/0 with " in message
    assert opened(path / "A" / "2" / "0").data.shape == PIXELS.shape


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    made = group(tmp_path / "a.ome.zarr", {"datasets": [{"path": "0"}, {"path": "1"}]})
    assert "the array 1 of the image is missing (got 0)" in refused(tmp_path / "a.ome.zarr")
    del made["0"]
    assert "the array 0 of the image is missing (got none of them)" in refused(tmp_path / "a.ome.zarr")


def test_a_summary_of_the_metadata_that_is_older_than_the_folder_is_not_used(tmp_path: Path) -> None:
    made = group(tmp_path / "a.ome.zarr", levels={})
    zarr.consolidate_metadata(str(tmp_path / "a.ome.zarr"))
    made.create_array("0", data=PIXELS)
    np.testing.assert_array_equal(opened(tmp_path / "a.ome.zarr").pixels, PIXELS)


def test_intervals_that_differ_are_not_those_of_all(tmp_path: Path) -> None:
    collection = zarr.open_group(str(tmp_path / "a.ome.zarr"), mode="w", zarr_format=2)
    collection.attrs["bioformats2raw.layout"] = 3
    axes = [{"name": "t", "type": "time", "unit": "second"}, *axes_of("yx")]
    for name, interval in (("0", 2.0), ("1", 2.0)):
        group(tmp_path / "a.ome.zarr" / name, {"axes": axes, **level(scale(interval, 0.2, 0.1))})
    assert opened(tmp_path / "a.ome.zarr").time_interval == TimeInterval(2.0)
    group(tmp_path / "a.ome.zarr" / "1", {"axes": axes, **level(scale(3.0, 0.2, 0.1))})
    assert opened(tmp_path / "a.ome.zarr").time_interval is None


CODECS: tuple[dict[str, Any], ...] = (
    *(
        {"compressors": codecs.Blosc(cname=name), "zarr_format": 2}
        for name in ("lz4", "zstd", "blosclz", "zlib")
    ),
    {"compressors": None, "filters": [codecs.Delta("u2"), codecs.Blosc()], "zarr_format": 2},
    {"compressors": codecs.Zlib(), "zarr_format": 2},
    {"compressors": codecs.LZ4(), "zarr_format": 2},
    {"compressors": None, "zarr_format": 2},
    {"compressors": BloscCodec(cname="lz4"), "zarr_format": 3},
    {"compressors": ZstdCodec(), "zarr_format": 3},
    {"compressors": GzipCodec(), "zarr_format": 3},
    {"compressors": None, "zarr_format": 3},
    {"compressors": BloscCodec(), "zarr_format": 3, "shards": (2, 16, 20)},
)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("in_parts", [False, True])
def test_a_chunk_that_was_cut_off_never_gives_pixels(
    tmp_path: Path, codec: dict[str, Any], in_parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(str(path), data=PIXELS, chunks=(1, 16, 20), **codec)
    monkeypatch.setattr(lazy, "LAZY_FROM", 0 if in_parts else 2**28)
    np.testing.assert_array_equal(ZARR.open(path, axes="zyx").data[1], PIXELS[1])
    chunk = max((file for file in path.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    whole = chunk.read_bytes()
    for kept in (len(whole) - 1, len(whole) // 2, 15, 0):
        chunk.write_bytes(whole[:kept])
        with pytest.raises(ImageError, match=r"^[^\n]+$"):
            np.asarray(ZARR.open(path, axes="zyx").data)
