"""TIFF formats keep what they are given, say what they cannot read, and never leave half a file."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import Image, ImageFormat, PixelSize
from denoisplit.core.images.io import choose_format, open_image
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from denoisplit.plugins.image_formats.tiff import Tiff

TIFF = Tiff(Tiff.Options())
OME = OmeTiff(OmeTiff.Options())
FORMATS: tuple[ImageFormat, ...] = (TIFF, OME)
CASES = [(TIFF, "a.tif"), (OME, "a.ome.tif"), (OmeTiff(OmeTiff.Options(compression="zlib")), "b.ome.tiff")]
formats = pytest.mark.parametrize(("image_format", "name"), CASES, ids=["imagej", "ome", "ome-zlib"])
modest = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=8)


@st.composite
def images(draw: st.DrawFn) -> Image:
    axes = draw(
        st.sampled_from(["yx", "cyx", "zyx", "czyx", "tcyx", "tczyx", "zcyx", "tyx", "scyx", "yxc", "xy"])
    )
    shape = tuple(draw(st.integers(1, 5)) for _ in axes)
    dtype = draw(st.sampled_from(["uint8", "uint16", "float32"]))
    data = np.random.default_rng(draw(st.integers(0, 99))).uniform(0, 255, shape).astype(dtype)
    channels = shape[axes.index("c")] if "c" in axes else 1
    labels = draw(
        st.one_of(
            st.just([]), st.lists(names.map(str.strip).filter(bool), min_size=channels, max_size=channels)
        )
    )
    rank = sum(a in "zyx" for a in axes)
    sizes = draw(st.one_of(st.none(), st.lists(st.floats(1e-3, 1e3), min_size=rank, max_size=rank)))
    unit = draw(st.sampled_from(["µm", "nm", "mm"]))
    return Image(
        data=data,
        axes=axes,
        channel_names=tuple(labels),
        pixel_size=None if sizes is None else PixelSize(tuple(sizes), unit),
    )


@formats
@modest
@given(image=images())
def test_a_round_trip_keeps_pixels_axes_size_and_names(
    tmp_path: Path, image_format: ImageFormat, name: str, image: Image
) -> None:
    image_format.write(tmp_path / name, image)
    back = image_format.open(tmp_path / name)
    assert back.axes == image.axes
    assert back.data.dtype == image.data.dtype
    np.testing.assert_array_equal(back.data, image.data)
    assert back.channel_names == image.channel_names
    assert (back.pixel_size is None) == (image.pixel_size is None)
    if image.pixel_size is not None and back.pixel_size is not None:
        assert back.pixel_size.unit == image.pixel_size.unit
        known, found = (np.array(one.size, np.float64) for one in (image.pixel_size, back.pixel_size))
        np.testing.assert_allclose(found, known, rtol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == [name], "no temporary file stays behind"


@formats
@modest
@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused_wherever_it_was_cut(
    tmp_path: Path, image_format: ImageFormat, name: str, cut: float
) -> None:
    path = tmp_path / name
    image_format.write(path, Image(data=np.arange(2 * 9 * 8, dtype=np.uint16).reshape(2, 9, 8), axes="cyx"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(cut * len(whole))])
    with pytest.raises(ImageError) as caught:
        image_format.open(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lost", [1, 90, 300, 700, 900])
def test_a_chain_of_pages_that_breaks_off_is_refused(
    tmp_path: Path, lost: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in range(5):
            writer.write(np.full((8, 8), page, np.uint8), contiguous=False, metadata=None)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(ImageError):
        TIFF.open(path, axes="zyx")
    assert caplog.messages == []  # the error is the only line that anybody sees


@formats
def test_what_is_no_image_is_refused_in_one_line(
    tmp_path: Path, image_format: ImageFormat, name: str
) -> None:
    with pytest.raises(ImageError, match="no such file"):
        image_format.open(tmp_path / name)
    (tmp_path / name).write_text("hello")
    with pytest.raises(ImageError, match="not a readable TIFF file"):
        image_format.open(tmp_path / name)


@formats
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_else(
    tmp_path: Path, image_format: ImageFormat, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "folder" / name
    old = Image(data=np.eye(4, dtype=np.float32), axes="yx")
    image_format.write(path, old)

    def full(file: Path, *_: object, **__: object) -> None:
        Path(file).write_bytes(b"II*")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    monkeypatch.setattr(tifffile, "TiffWriter", full)
    with pytest.raises(ImageError, match="No space left"):
        image_format.write(path, Image(data=np.ones((4, 4), np.float32), axes="yx"))
    np.testing.assert_array_equal(image_format.open(path).data, old.data)
    assert [file.name for file in path.parent.iterdir()] == [name]


def test_imagej_finds_its_own_words_in_the_file(tmp_path: Path) -> None:
    data = np.zeros((3, 2, 5, 4), np.uint16)
    TIFF.write(
        tmp_path / "a.tif",
        Image(
            data=data, axes="zcyx", channel_names=("tubulin", "actin"), pixel_size=PixelSize((0.5, 0.1, 0.2))
        ),
    )
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        metadata = tif.imagej_metadata
        assert metadata is not None
        assert (metadata["channels"], metadata["slices"], metadata["hyperstack"]) == (2, 3, True)
        assert metadata["unit"] == "\\u00B5m"
        assert metadata["spacing"] == 0.5
        assert metadata["Labels"] == ["tubulin", "actin"] * 3
        x, y = (tif.pages.first.tags[f"{a}Resolution"].value for a in "XY")
    assert x[0] / x[1] == pytest.approx(5)
    assert y[0] / y[1] == pytest.approx(10)


def test_ome_xml_is_what_other_readers_expect(tmp_path: Path) -> None:
    OME.write(
        tmp_path / "a.ome.tif",
        Image(
            data=np.zeros((2, 5, 4)),
            axes="cyx",
            channel_names=("a<b", "007"),
            pixel_size=PixelSize((0.1, 0.2)),
        ),
    )
    assert tifffile.imread(tmp_path / "a.ome.tif").dtype == np.float64
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        pixels = tifffile.xml2dict(tif.ome_metadata or "")["OME"]["Image"]["Pixels"]
    assert (pixels["SizeC"], pixels["SizeY"], pixels["SizeX"]) == (2, 5, 4)
    assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeX"], pixels["PhysicalSizeXUnit"]) == (0.1, 0.2, "µm")
    assert OME.open(tmp_path / "a.ome.tif").channel_names == ("a<b", "007")


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_files_written_by_imagej_itself_are_understood(tmp_path: Path, unit: str) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.arange(60, dtype=np.uint16).reshape(3, 5, 4),
        imagej=True,
        resolution=(8, 4),
        metadata={"axes": "ZYX", "unit": unit, "spacing": 2.0, "Labels": ["p1.png", "p2.png", "p3.png"]},
    )
    image = TIFF.open(tmp_path / "a.tif")
    assert (image.axes, image.pixel_size) == ("zyx", PixelSize((2.0, 0.25, 0.125), "µm"))
    assert image.channel_names == (), "labels that differ along z are not channel names"
    assert image.data.dtype == np.dtype(np.uint16)


def test_plain_files_use_centimetres_but_never_the_dots_per_inch_of_a_screen(tmp_path: Path) -> None:
    plane = np.eye(6, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "cm.tif", plane, resolution=(1e5, 5e4), resolutionunit="CENTIMETER")
    tifffile.imwrite(tmp_path / "inch.tif", plane, resolution=(72, 72), resolutionunit="INCH")
    size = TIFF.open(tmp_path / "cm.tif").pixel_size
    assert size is not None
    assert size.size == pytest.approx((0.2, 0.1))
    assert size.unit == "µm"
    assert TIFF.open(tmp_path / "inch.tif").pixel_size is None


def test_a_file_that_does_not_name_its_axes_asks_for_them(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in range(3):
            writer.write(np.full((9, 8), page, np.uint8), contiguous=False, metadata=None)
    with pytest.raises(ImageError, match=r"\(3, 9, 8\).*axes='cyx'"):
        TIFF.open(tmp_path / "a.tif")
    assert TIFF.open(tmp_path / "a.tif", axes="CYX").axes == "cyx"
    with pytest.raises(ImageError, match="do not fit"):
        TIFF.open(tmp_path / "a.tif", axes="yx")


@pytest.mark.parametrize(
    ("pixels", "photometric", "problem"),
    [
        (np.zeros((6, 5, 3), np.uint8), "rgb", "RGB"),
        (np.zeros((6, 5), np.uint8), "palette", "palette"),
        (np.zeros((6, 5), np.complex64), "minisblack", "real numbers"),
    ],
)
def test_pictures_and_complex_pixels_are_refused(
    tmp_path: Path, pixels: AnyArray, photometric: str, problem: str
) -> None:
    colours = np.zeros((3, 256), np.uint16) if photometric == "palette" else None
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric, colormap=colours)
    with pytest.raises(ImageError, match=problem):
        TIFF.open(tmp_path / "a.tif")


def test_colours_can_be_asked_for_as_channels(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 5, 3), np.uint8), photometric="rgb")
    assert TIFF.open(tmp_path / "a.tif", axes="yxc").axes == "yxc"


def test_several_images_in_one_file_are_refused_not_dropped(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.zeros((4, 4), np.uint8))
        writer.write(np.zeros((5, 5), np.uint8))
    with pytest.raises(ImageError, match="one image per file"):
        TIFF.open(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (Image(data=np.zeros((2, 2)), axes="yx"), "float64.*ome"),
        (Image(data=np.zeros((2, 2), np.uint8), axes="yxc"), "do not fit"),
        (
            Image(data=np.zeros((2, 2, 2), np.uint8), axes="cyx", channel_names=("a",)),
            "2 channels need 2 names",
        ),
        (
            Image(data=np.zeros((2, 2), np.uint8), axes="yx", pixel_size=PixelSize((1.0,))),
            "one number per spatial",
        ),
        (Image(data=np.zeros((2, 2, 2, 2), np.uint8), axes="styx"), "samples besides time"),
    ],
)
def test_images_that_do_not_fit_the_format_are_refused_with_advice(
    tmp_path: Path, image: Image, problem: str
) -> None:
    with pytest.raises(ImageError, match=problem):
        TIFF.write(tmp_path / "a.tif", image)
    assert not list(tmp_path.iterdir())


@formats
def test_large_pixels_are_read_where_they_are_asked_for(
    tmp_path: Path, image_format: ImageFormat, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    image_format.write(tmp_path / name, Image(data=data, axes="czyx"))
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)
    back = image_format.open(tmp_path / name)
    assert isinstance(back.data, lazy.LazyPixels)
    np.testing.assert_array_equal(back.data[1, :, 2:], data[1, :, 2:])
    np.testing.assert_array_equal(back.data, data)


def test_the_longest_suffix_chooses_the_format(tmp_path: Path) -> None:
    for order in (FORMATS, FORMATS[::-1]):
        assert choose_format(Path("a.OME.TIF"), order) is OME
        assert choose_format(Path("a.b.tiff"), order) is TIFF
    with pytest.raises(ImageError, match=r"a\.png: .*\.ome\.tif, \.ome\.tiff, \.stk, \.tif, \.tiff"):
        choose_format(Path("a.png"), FORMATS)
    OME.write(
        tmp_path / "a.ome.tif", Image(data=np.eye(3, dtype=np.uint8), axes="yx", channel_names=("dna",))
    )
    assert open_image(tmp_path / "a.ome.tif", FORMATS).channel_names == ("dna",)


def test_real_images_say_their_axes(data_root: Path) -> None:
    image = open_image(data_root / "small" / "w2s" / "fov_073_noisy.tif", FORMATS)
    assert (image.axes, image.data.shape, image.data.dtype) == ("cyx", (3, 512, 512), np.dtype(np.uint16))
