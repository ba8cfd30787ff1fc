"""What is known of an image is in its prediction, as the libraries of others read it, in every format."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
import zarr
from click.testing import CliRunner

import denoisplit
from denoisplit.cli import main
from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.core.storage.image_files import installed_formats, save_image
from denoisplit.plugins.image_formats.ome_zarr import OmeZarr
from tests.e2e.experiment import Experiment

MOVIE: Final = np.random.default_rng(0).normal(200, 50, (2, 3, 9, 7)).astype(np.float32)
"""[t z y x]"""
SIZE: Final = (0.5, 0.25, 0.125)


@attrs.frozen(kw_only=True)
class Found:
    """What a library says of a file.

    Attributes:
        pixels: [t c z y x].
        size: of a pixel along z, y and x, µm.
        seconds: between time points.
        names: of the channels.
        said: of the scale of the pixels, as our remark puts it.
    """

    pixels: AnyArray = attrs.field(eq=False, repr=False)
    size: tuple[float, ...]
    seconds: float
    names: tuple[str, ...]
    said: dict[str, Any]


def imagej(path: Path) -> Found:
    with tifffile.TiffFile(path) as tif:
        (series,), page, said = tif.series, tif.pages[0], tif.imagej_metadata or {}
        assert (series.axes, said["unit"], said["tunit"]) == ("TZCYX", "\\u00B5m", "sec")
        steps = [page.aspage().tags[name].value for name in ("YResolution", "XResolution")]
        return Found(
            pixels=series.asarray().swapaxes(1, 2),
            size=(said["spacing"], *(below / above for above, below in steps)),
            seconds=said["finterval"],
            names=tuple(said["Labels"][: said["channels"]]),
            said=json.loads(said["denoisplit"]),
        )


def ome_tiff(path: Path) -> Found:
    with tifffile.TiffFile(path) as tif:
        ome = tifffile.xml2dict(tif.ome_metadata or "")["OME"]["Image"]
        known, pixels, axes = ome["Pixels"], tif.series[0].asarray(), tif.series[0].axes
    assert {known[f"PhysicalSize{a}Unit"] for a in "XYZ"} | {known["TimeIncrementUnit"]} == {"µm", "s"}
    return Found(
        pixels=np.moveaxis(pixels, [axes.index(a) for a in "TCZYX"], range(5)),
        size=tuple(known[f"PhysicalSize{a}"] for a in "ZYX"),
        seconds=known["TimeIncrement"],
        names=tuple(channel["Name"] for channel in known["Channel"]),
        said=json.loads(ome["Description"].partition(" denoisplit=")[2]),
    )


def ome_zarr(path: Path) -> Found:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    location = parse_url(path)
    assert location is not None
    (node,) = list(Reader(location)())
    axes = node.metadata["axes"]
    assert [axis["name"] for axis in axes] == list("tczyx")
    assert [axis.get("unit") for axis in axes] == ["second", None, *["micrometer"] * 3]
    seconds, _, *size = node.metadata["coordinateTransformations"][0][0]["scale"]
    attributes: Any = dict(zarr.open_group(str(path), mode="r").attrs)
    return Found(
        pixels=np.asarray(node.data[0]),
        size=tuple(size),
        seconds=seconds,
        names=tuple(node.metadata["channel_names"]),
        said=attributes["denoisplit"],
    )


def zarr_array(path: Path) -> Found:
    array: Any = zarr.open_array(str(path), mode="r")
    assert array.metadata.dimension_names == tuple("tczyx")
    said: Any = dict(array.attrs)
    return _noted(np.asarray(array[...]), said)


def hdf5(path: Path) -> Found:
    with h5py.File(path) as file:
        data = file["data"]
        assert [axis["key"] for axis in json.loads(data.attrs["axistags"])["axes"]] == list("tczyx")
        assert data.attrs["unit"] == "µm"
        return Found(
            pixels=data[...],
            size=tuple(data.attrs["element_size_um"]),
            seconds=data.attrs["time_interval"],
            names=tuple(data.attrs["channel_names"]),
            said=json.loads(data.attrs["denoisplit"]),
        )


def mrc(path: Path) -> Found:
    with mrcfile.open(path) as file:
        said = json.loads(file.extended_header.tobytes())
        angstrom = file.voxel_size.tolist()
        pixels = np.array(file.data).reshape(said["sides"])
    return attrs.evolve(_noted(pixels, said), size=tuple(length / 1e4 for length in reversed(angstrom)))


def npz(path: Path) -> Found:
    with np.load(path) as arrays:
        return _noted(arrays["data"], json.loads(str(arrays["denoisplit"])))


def _noted(pixels: AnyArray, said: dict[str, Any]) -> Found:
    assert (said["axes"], said["unit"], said["time_unit"]) == ("tczyx", "µm", "s")
    return Found(
        pixels=pixels,
        size=tuple(said["pixel_size"]),
        seconds=said["time_interval"],
        names=tuple(said["channel_names"]),
        said=said,
    )


READERS: Final[Mapping[str, Callable[[Path], Found]]] = {
    ".tif": imagej,
    ".ome.tif": ome_tiff,
    ".ome.zarr": ome_zarr,
    ".zarr": zarr_array,
    ".h5": hdf5,
    ".mrc": mrc,
    ".npz": npz,
}


def predict(*arguments: object) -> str:
    result = CliRunner().invoke(main, ["predict", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_format_that_is_written_is_read_here_by_another_library() -> None:
    written = [set(known.suffixes) - set(known.read_only) for known in installed_formats()]
    of_denoisplit = [
        suffixes
        for known, suffixes in zip(installed_formats(), written, strict=True)
        if type(known).__module__.startswith("denoisplit.") and suffixes
    ]
    assert all(suffixes & set(READERS) for suffixes in of_denoisplit)


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
@pytest.mark.parametrize("suffix", READERS)
def test_a_movie_of_stacks_keeps_what_is_known_of_it(
    experiment: Experiment, tmp_path: Path, suffix: str, dtype: str
) -> None:
    """A 2D model walks through time and depth; sizes, interval and names are in the output."""
    image, out = tmp_path / f"movie{suffix}", tmp_path / f"split{suffix}"
    known = Image(data=MOVIE, axes="tzyx", pixel_size=PixelSize(SIZE), time_interval=TimeInterval(2.5))
    save_image(image, known)
    assert f"{out}: TCZYX 2x6x3x9x7" in predict(experiment.run, image, "--out", out, "--dtype", dtype)
    expected = denoisplit.load(experiment.run).predict(MOVIE, axes="tzyx").to_image()
    assert expected.axes == "tczyx"
    found = READERS[suffix](out)
    assert found.pixels.dtype == dtype
    assert found.names == tuple(
        f"{channel} {kind}"
        for kind in ("mean", "std", "calibrated std")
        for channel in ("filaments", "mitochondria")
    )
    assert found.size == pytest.approx(SIZE, rel=1e-6)
    assert found.seconds == 2.5
    if dtype == "float32":
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        return
    # Where counts fit, they are the numbers of the file.
    assert not {"factor", "offset"} & set(found.said)
    np.testing.assert_array_equal(found.pixels, np.round(expected.pixels))


@pytest.mark.parametrize("name", ["plate.zarr", "plate.npz", "plate.h5", "plate.ome.zarr", "plate.tif"])
def test_all_wells_of_a_plate_are_predicted(experiment: Experiment, tmp_path: Path, name: str) -> None:
    plate = tmp_path / "in.ome.zarr"
    wells = [{"path": f"A/{column}", "rowIndex": 0, "columnIndex": column - 1} for column in (1, 2)]
    root: Any = zarr.open_group(str(plate), mode="w", zarr_format=2)
    root.attrs["plate"] = {"wells": wells, "rows": [{"name": "A"}], "columns": [{"name": "1"}, {"name": "2"}]}
    for well, stack in zip(wells, MOVIE, strict=True):
        root.create_group(str(well["path"])).attrs["well"] = {"images": [{"path": "0"}]}
        made = tmp_path / "one.ome.zarr"
        known = Image(data=stack, axes="zyx", pixel_size=PixelSize(SIZE))
        OmeZarr(OmeZarr.Options(version="0.4")).write(made, known)
        made.rename(plate / str(well["path"]) / "0")
    out, single = tmp_path / name, tmp_path / "single.npz"
    assert f"{out}: SCZYX 2x6x3x9x7" in predict(experiment.run, plate, "--out", out)
    assert f"{single}: CZYX 6x3x9x7" in predict(experiment.run, plate / "A" / "2" / "0", "--out", single)
    (whole,) = (known.open(out) for known in installed_formats() if name[5:] in known.suffixes)
    assert (whole.axes, whole.pixel_size) == ("sczyx", PixelSize(SIZE))
    assert whole.channel_names[:2] == ("filaments mean", "mitochondria mean")
    np.testing.assert_array_equal(whole.pixels[1], np.load(single)["data"])
    expected = denoisplit.load(experiment.run).predict(MOVIE[0], axes="zyx").to_image()
    np.testing.assert_array_equal(whole.pixels[0], expected.pixels)
