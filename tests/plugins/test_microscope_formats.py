"""CZI, ND2 and LIF: scenes, positions and tiles, what is refused, and what their own libraries read."""

import struct
import sys
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError, MissingPackageError
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.plugins.image_formats._czi_metadata import metadata
from denoisplit.plugins.image_formats._czi_segments import Block, Extent, _decoded
from denoisplit.plugins.image_formats.czi import Czi
from denoisplit.plugins.image_formats.lif import Lif
from denoisplit.plugins.image_formats.nd2 import Nd2
from denoisplit.testing.image_files.microscope_files import write_czi, write_lif, write_nd2
from tests.reading import opened, refused

WRITERS: dict[str, Callable[..., None]] = {"czi": write_czi, "nd2": write_nd2, "lif": write_lif}
READERS = {"czi": Czi(Czi.Options()), "nd2": Nd2(Nd2.Options()), "lif": Lif(Lif.Options())}
every_format = pytest.mark.parametrize("ending", list(WRITERS))


def counts(*shape: int, dtype: str = "uint16") -> Image:
    """An image whose last axes are c, y and x, as far as there are so many."""
    pixels = np.random.default_rng(sum(shape)).integers(0, 250, shape).astype(dtype)
    return Image(data=pixels, axes="tzcyx"[-len(shape) :], channel_names=("actin", "DNA", "MT")[: shape[-3]])


def coloured(ending: str, path: Path) -> Image:
    """An RGB picture."""
    image = Image(data=np.random.default_rng(0).integers(0, 250, (4, 6, 3)).astype(np.uint8), axes="yxr")
    WRITERS[ending](path, image)
    return image


@pytest.mark.parametrize("how", ["uncompressed:", "zstd0:ExplicitLevel=3", "zstd1:ExplicitLevel=1"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_tiles_of_a_scene_are_put_together(tmp_path: Path, how: str, dtype: str) -> None:
    image = counts(3, 2, 11, 7, dtype=dtype)
    write_czi(tmp_path / "a.czi", image, compression=how, tile=4, places=[(-5, 9)])
    back = opened(tmp_path / "a.czi")
    assert back.axes == "czyx"
    assert back.data.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(back.pixels, np.moveaxis(image.pixels, 1, 0))


@pytest.mark.parametrize(
    ("number", "encode"), [(2, imagecodecs.lzw_encode), (4, imagecodecs.jpegxr_encode)], ids=["lzw", "jpegxr"]
)
def test_compressions_of_older_files(number: int, encode: Callable[[AnyArray], bytes]) -> None:
    pixels = counts(1, 16, 12).pixels[0]
    extents = {"Y": Extent(0, 16, 16), "X": Extent(0, 12, 12)}
    block = Block(position=0, pixel_type=1, compression=number, extents=extents)
    stored = encode(pixels) if number == 4 else encode(np.frombuffer(pixels.tobytes(), np.uint8))
    np.testing.assert_array_equal(_decoded(stored, block, Path("a.czi")).reshape(16, 12), pixels)


def test_gaps_and_overlaps_of_a_mosaic_are_those_of_the_library_of_the_maker(tmp_path: Path) -> None:
    czi = pytest.importorskip("pylibCZIrw.czi")
    path, random = tmp_path / "mosaic.czi", np.random.default_rng(2)
    with czi.create_czi(str(path)) as file:
        for place in ((3, 2), (7, 4), (14, 1), (6, 3)):
            tile = random.integers(1, 999, (5, 6, 1)).astype(np.uint16)
            file.write(tile, location=place)
    with czi.open_czi(str(path)) as file:
        box = file.total_bounding_rectangle
        expected = file.read(roi=box)[..., 0]
    assert (expected == 0).any(), "the mosaic has no gap"
    image = opened(path)
    np.testing.assert_array_equal(image.pixels, expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lazy, "LAZY_FROM", 0)
        np.testing.assert_array_equal(opened(path).data[2:6, 3:-2], expected[2:6, 3:-2])


def test_scenes_become_positions_or_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.czi"
    one, two = counts(2, 5, 6), Image(data=counts(2, 5, 6).pixels[::-1], axes="cyx")
    write_czi(path, one, two, names=["P1", "P2"], places=[(0, 0), (100, 30)])
    assert opened(path).axes == "scyx"
    np.testing.assert_array_equal(opened(path).pixels, [one.pixels, two.pixels])
    np.testing.assert_array_equal(opened(path / "P2").pixels, two.pixels)
    np.testing.assert_array_equal(opened(tmp_path / "a.czi::P1").pixels, one.pixels)
    refused(path / "P3", "there is no image 'P3' (got the images P1, P2)")
    write_czi(path, one, counts(2, 5, 7), places=[(0, 0), (100, 30)])
    refused(path, "got the images 0 (2, 5, 6), 1 (2, 5, 7)", "for example a.czi/0.")
    assert opened(path / "1").data.shape == (2, 5, 7)


def test_smaller_copies_of_an_image_are_left_out(tmp_path: Path) -> None:
    path, image = tmp_path / "a.czi", counts(1, 4, 6)
    write_czi(path, image, image)
    data = bytearray(path.read_bytes())
    for side in (b"X\0\0\0", b"Y\0\0\0"):
        # The second scene becomes a copy of the first at half the size.
        entry = data.rindex(side)
        start, size, place, _ = struct.unpack_from("<iifi", data, entry + 4)
        struct.pack_into("<iifi", data, entry + 4, start, 2 * size, place, size)
    path.write_bytes(data)
    np.testing.assert_array_equal(opened(path).pixels, image.pixels[0])


def test_channels_of_different_types_get_one_that_holds_both(tmp_path: Path) -> None:
    czi = pytest.importorskip("pylibCZIrw.czi")
    bytes_, floats = (
        counts(1, 4, 6, dtype="uint8").pixels[0],
        counts(1, 4, 6, dtype="float32").pixels[0] + 0.5,
    )
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        file.write(bytes_[..., None], plane={"C": 0})
        file.write(floats[..., None], plane={"C": 1})
    image = opened(tmp_path / "a.czi")
    assert image.data.dtype == np.float32
    np.testing.assert_array_equal(image.pixels, [bytes_, floats])


def test_what_is_read_later_can_be_sent_to_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy, "LAZY_FROM", 0)
    for ending, write in WRITERS.items():
        image = counts(2, 2, 5, 6) if ending != "czi" else counts(2, 5, 6)
        write(tmp_path / f"a.{ending}", image)
        sent = ForkingPickler.loads(ForkingPickler.dumps(opened(tmp_path / f"a.{ending}").data))
        np.testing.assert_array_equal(np.asarray(sent), image.pixels)


@pytest.mark.parametrize(
    ("xml", "interval", "sizes"),
    [
        ("<Scaling><Items><Distance Id='X'><Value>none</Value></Distance></Items></Scaling>", None, {}),
        (
            "<Scaling><Items><Distance Id='Z'><Value>5E-07</Value></Distance></Items></Scaling>",
            None,
            {"z": 0.5},
        ),
        ("<T><Interval><TimeSpan><Value>2.5</Value></TimeSpan></Interval></T>", 2.5, {}),
        (
            "<Interval><TimeSpan><DefaultUnitFormat>ms</DefaultUnitFormat><Value>40</Value></TimeSpan></Interval>",
            0.04,
            {},
        ),
    ],
)
def test_metadata_of_other_programs(xml: str, interval: float | None, sizes: dict[str, float]) -> None:
    known = metadata(f"<ImageDocument><Metadata>{xml}</Metadata></ImageDocument>\0\0".encode())
    assert (known.interval, known.sizes, known.channel_names) == (interval, sizes, ())


def test_planes_of_a_recording_that_did_not_end(tmp_path: Path) -> None:
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        for time, channel in ((0, 0), (0, 1), (1, 0)):
            file.write(np.ones((3, 4, 1), np.uint8), plane={"T": time, "C": channel})
    refused(tmp_path / "a.czi", "planes are missing", "(got 3 of 4)", "ZEN")
    write_nd2(tmp_path / "a.nd2", counts(3, 2, 1, 4, 5), frames=5)
    refused(tmp_path / "a.nd2", "frames are missing", "(got 5 of 6)", "NIS-Elements")


def test_positions_of_nd2_have_names_or_numbers(tmp_path: Path) -> None:
    pixels = np.arange(3 * 2 * 2 * 4 * 5, dtype=np.uint16).reshape(3, 2, 2, 4, 5)
    image = Image(data=pixels, axes="tscyx", time_interval=TimeInterval(4.0))
    write_nd2(tmp_path / "a.nd2", image, names=["left", "right"])
    write_nd2(tmp_path / "b.nd2", image)
    both = opened(tmp_path / "a.nd2")
    assert (both.axes, both.time_interval) == ("stcyx", TimeInterval(4.0, "s"))
    np.testing.assert_array_equal(both.pixels, pixels.swapaxes(0, 1))
    for path in (tmp_path / "a.nd2" / "right", tmp_path / "b.nd2" / "1"):
        np.testing.assert_array_equal(opened(path).pixels, pixels[:, 1])
    refused(tmp_path / "a.nd2" / "middle", "there is no image 'middle' (got the images left, right)")


def test_loops_that_have_no_letter_ask_for_axes(tmp_path: Path) -> None:
    image = counts(3, 2, 4, 5)
    write_nd2(tmp_path / "a.nd2", image, loop=7)
    refused(tmp_path / "a.nd2", "does not say what its axes are (got shape (3, 2, 4, 5)", "--axes")
    np.testing.assert_array_equal(opened(tmp_path / "a.nd2", "scyx").pixels, image.pixels)
    angles = Image(data=image.pixels, axes="hcyx")
    write_lif(tmp_path / "a.lif", angles)
    refused(tmp_path / "a.lif", "does not say what its axes are", "--axes")
    assert opened(tmp_path / "a.lif", "tcyx").axes == "tcyx"


def test_a_project_of_leica_lists_its_images(tmp_path: Path) -> None:
    path, first = tmp_path / "project.lif", counts(2, 5, 6)
    same = [Image(data=first.pixels + i, axes="cyx", channel_names=first.channel_names) for i in (1, 2)]
    write_lif(
        path, first, ("Region/Position 1", same[0]), ("Region/Position 2", same[1]), ("Z", counts(3, 5, 6))
    )
    refused(
        path,
        "Series001 (2, 5, 6) channels actin/DNA, Region/Position 1 (2, 5, 6)",
        "for example project.lif/Series001.",
    )
    np.testing.assert_array_equal(opened(path / "Series001").pixels, first.pixels)
    region = opened(path / "Region")
    assert (region.axes, region.channel_names) == ("scyx", ("actin", "DNA"))
    np.testing.assert_array_equal(region.pixels, [image.pixels for image in same])
    np.testing.assert_array_equal(opened(path / "Region" / "Position 2").pixels, same[1].pixels)
    refused(path / "Regio", "there is no image 'Regio'")


def test_images_with_other_pixels_are_no_positions_of_one(tmp_path: Path) -> None:
    image = counts(1, 5, 6)
    sizes = [Image(data=image.pixels, axes="cyx", pixel_size=PixelSize((s, s))) for s in (0.1, 0.2)]
    write_lif(tmp_path / "a.lif", sizes[0], ("Series002", sizes[1]))
    refused(tmp_path / "a.lif", "expected one image, or several that are alike")
    write_lif(tmp_path / "a.lif", sizes[0], ("Series002", sizes[0]))
    assert opened(tmp_path / "a.lif").pixel_size == PixelSize((0.1, 0.1), "µm")


@every_format
def test_a_picture_is_refused_unless_its_colours_are_channels(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    image = coloured(ending, path)
    refused(path, "RGB picture (got shape (4, 6, 3))", "--axes yxc")
    order = [2, 1, 0] if ending == "czi" else [0, 1, 2]  # blue comes first in CZI
    np.testing.assert_array_equal(opened(path, "yxc").pixels, image.pixels[..., order])


@every_format
def test_bad_files(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    refused(path, "there is no such file")
    path.write_bytes(b"")
    refused(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    refused(path, "got a PNG picture")
    WRITERS[ending](path, counts(2, 5, 6))
    whole = path.read_bytes()
    wrong = tmp_path / "b.czi" if ending != "czi" else tmp_path / "b.lif"
    wrong.write_bytes(whole)
    refused(wrong, f"Rename it to end in .{ending}.")
    # Behind the directory of a CZI file is room for a longer one.
    for size in range(1, len(whole) - (1100 if ending == "czi" else 0), 97):
        path.write_bytes(whole[:size])
        refused(path)


@pytest.mark.parametrize(("ending", "needed"), [("nd2", "nd2"), ("lif", "liffile")])
def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, ending: str, needed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"a.{ending}").write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, needed, None)
    with pytest.raises(MissingPackageError, match=rf"the package {needed},.*'denoisplit\[{ending}\]'\.$"):
        opened(tmp_path / f"a.{ending}")


@every_format
def test_nothing_is_written(tmp_path: Path, ending: str) -> None:
    image, chosen = counts(2, 5, 6), READERS[ending]
    with pytest.raises(ImageError, match=r"only read .* Write \.ome\.tif\."):
        chosen.create(tmp_path / f"a.{ending}", image.layout)
    assert list(tmp_path.iterdir()) == []


def test_the_files_of_these_tests_are_read_by_the_libraries_of_others(tmp_path: Path) -> None:
    image = counts(3, 2, 2, 4, 5)
    write_nd2(tmp_path / "a.nd2", image)
    nd2 = pytest.importorskip("nd2")
    np.testing.assert_array_equal(nd2.imread(tmp_path / "a.nd2"), image.pixels)
    write_lif(tmp_path / "a.lif", image)
    liffile = pytest.importorskip("liffile")
    np.testing.assert_array_equal(liffile.imread(tmp_path / "a.lif"), image.pixels)
