"""Images in several files: every page comes from its own file, and what is missing is named."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import PixelSize
from denoisplit.core.survey.finding import find_images
from denoisplit.plugins.datasets.reading import ImageFiles
from denoisplit.testing.image_files.ome_sets import (
    Block,
    document,
    image_xml,
    uuid,
    write_channels,
    write_pages,
    write_positions,
)
from tests.reading import FORMATS, advised, opened, refused

PAGE = np.arange(72, dtype=np.uint16).reshape(9, 8)


@pytest.mark.parametrize("large", [False, True])
def test_a_file_gives_its_own_position(tmp_path: Path, large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = write_positions(tmp_path)
    if large:
        monkeypatch.setattr(lazy, "LAZY_FROM", 0)
    for i, position in enumerate(pixels):
        image = opened(tmp_path / f"p{i}.ome.tif")
        assert image.axes == "tyx"
        np.testing.assert_array_equal(image.pixels, position)
        np.testing.assert_array_equal(image.data[1:, 2:5], position[1:, 2:5])


def test_a_file_with_the_metadata_alone_gives_all_positions(tmp_path: Path) -> None:
    pixels = write_positions(tmp_path)
    with tifffile.TiffFile(tmp_path / "p0.ome.tif") as tif:
        described = tif.pages.first.description.replace(uuid(0), uuid(50), 1)
    write_pages(tmp_path / "master.ome.tif", np.zeros((1, 2, 2), np.uint16), described)
    image = opened(tmp_path / "master.ome.tif")
    assert image.axes == "styx"
    np.testing.assert_array_equal(image.pixels, pixels)


@pytest.mark.parametrize("large", [False, True])
def test_an_image_in_several_files_is_read_whole_from_any_of_them(
    tmp_path: Path, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = write_channels(tmp_path)
    if large:
        monkeypatch.setattr(lazy, "LAZY_FROM", 0)
    for i in range(3):
        image = opened(tmp_path / f"c{i}.ome.tif")
        assert (image.axes, image.channel_names) == ("cyx", ("a", "b", "c"))
        assert image.pixel_size == PixelSize((0.2, 0.1), "µm")
        np.testing.assert_array_equal(image.pixels, pixels)
        np.testing.assert_array_equal(image.data[1:, 2:5, 3], pixels[1:, 2:5, 3])


def test_a_set_counts_once_in_a_data_set(tmp_path: Path) -> None:
    write_channels(tmp_path)
    write_positions(tmp_path, 2)
    files = ImageFiles(FORMATS, 64)
    names = [path.name for path in files.matching(tmp_path, "*.tif")]
    assert names == ["c0.ome.tif", "p0.ome.tif", "p1.ome.tif"]
    assert [path.name for path in files.matching(tmp_path, "c1*")] == ["c1.ome.tif"], "it stands for itself"


def test_pictures_beside_images_of_their_name_are_none(tmp_path: Path) -> None:
    for name in ("f1.tif", "f1.png", "f2.png", "g/f1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    files = ImageFiles(FORMATS, 64)
    found = [path.relative_to(tmp_path).as_posix() for path in files.matching(tmp_path, "**/*.*")]
    assert found == ["f1.tif", "f2.png", "g/f1.png"]
    assert files.one(tmp_path, "f1") == tmp_path / "f1.tif"


def test_a_survey_counts_a_set_once(tmp_path: Path) -> None:
    write_channels(tmp_path)
    found = find_images(tmp_path, FORMATS)
    assert [str(image.path) for image in found.images] == ["c0.ome.tif"]


def test_the_metadata_of_a_part_are_in_its_companion(tmp_path: Path) -> None:
    pixels = write_channels(tmp_path, companion="set.companion.ome")
    image = opened(tmp_path / "c1.ome.tif")
    assert (image.axes, image.channel_names) == ("cyx", ("a", "b", "c"))
    np.testing.assert_array_equal(image.pixels, pixels)
    (tmp_path / "set.companion.ome").unlink()
    message = refused(
        tmp_path / "c1.ome.tif", "it is a part of an image", "set.companion.ome, which is not there"
    )
    np.testing.assert_array_equal(opened(tmp_path / "c1.ome.tif", advised(message)).pixels, pixels[1])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    pixels = write_channels(tmp_path)
    (tmp_path / "c2.ome.tif").unlink()
    message = refused(tmp_path / "c0.ome.tif", "c2.ome.tif, which holds planes of this image, is not there")
    np.testing.assert_array_equal(opened(tmp_path / "c0.ome.tif", advised(message)).pixels, pixels[0])


def test_a_truncated_file_of_a_set_is_named(tmp_path: Path) -> None:
    write_channels(tmp_path)
    other = tmp_path / "c1.ome.tif"
    other.write_bytes(other.read_bytes()[:-50])
    with pytest.raises(ImageError, match=r"c1\.ome\.tif: the file is truncated"):
        opened(tmp_path / "c0.ome.tif")


def test_a_file_of_another_set_under_the_right_name_is_refused(tmp_path: Path) -> None:
    write_channels(tmp_path)
    stranger = document(image_xml("8 9 1 1 1", [Block(said='IFD="0"')]), 77)
    write_pages(tmp_path / "c1.ome.tif", PAGE[None], stranger)
    refused(tmp_path / "c0.ome.tif", "c1.ome.tif is a file of another set", uuid(77))


@pytest.mark.parametrize(
    "name", ["../secret.ome.tif", "/secret.ome.tif", "sub/../../x.tif", "C:\\x.tif", ".."]
)
def test_a_file_outside_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    write_pages(tmp_path / "secret.ome.tif", PAGE[None], "")
    blocks = [Block(said='IFD="0"'), Block(file=name, number=5, said='FirstC="1" IFD="0"')]
    write_pages(folder / "a.ome.tif", PAGE[None], document(image_xml("8 9 2 1 1", blocks), 0))
    refused(folder / "a.ome.tif", "outside of its folder", repr(name))


@pytest.mark.parametrize("own", [3, None], ids=["uuid", "no uuid"])
def test_a_renamed_file_is_still_itself(tmp_path: Path, own: int | None) -> None:
    block = Block(file="before.ome.tif", number=3, said='IFD="0" PlaneCount="2"')
    pages = np.stack([PAGE, PAGE[::-1]])
    write_pages(tmp_path / "after.ome.tif", pages, document(image_xml("8 9 1 1 2", [block]), own))
    np.testing.assert_array_equal(opened(tmp_path / "after.ome.tif").pixels, pages)


def test_planes_in_any_order_come_to_their_places(tmp_path: Path) -> None:
    pages = np.random.default_rng(0).integers(0, 99, (6, 9, 8)).astype(np.uint16)
    order = [4, 2, 0, 5, 1, 3]
    blocks = [
        Block(said=f'IFD="{page}" FirstC="{plane % 2}" FirstT="{plane // 2}"')
        for plane, page in enumerate(order)
    ]
    write_pages(tmp_path / "a.ome.tif", pages, document(image_xml("8 9 2 1 3", blocks)))
    image = opened(tmp_path / "a.ome.tif")
    assert image.axes == "tcyx"
    np.testing.assert_array_equal(image.pixels.reshape(6, 9, 8), pages[order])


def test_strips_that_lie_in_another_order_on_a_later_page(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.ome.tif", np.random.default_rng(0).integers(0, 99, (2, 32, 8)).astype("<u2")
    tifffile.imwrite(path, pixels, rowsperstrip=8, metadata={"axes": "TYX"}, byteorder="<")
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[1].aspage()
        place, offsets, size = page.tags[273].valueoffset, page.dataoffsets, page.databytecounts[0]
    content = bytearray(path.read_bytes())
    one, two = (slice(offsets[i], offsets[i] + size) for i in (1, 2))
    content[one], content[two] = content[two], content[one]
    swapped = [offsets[i] for i in (0, 2, 1, 3)]
    content[place : place + 16] = np.array(swapped, "<u4").tobytes()
    path.write_bytes(content)
    np.testing.assert_array_equal(opened(path).pixels, pixels)


@pytest.mark.parametrize("sizes", ["8 9 1 1 5", "8 9 1 1 900000000000", "8 9 900000 900000 900000"])
def test_planes_that_are_claimed_but_not_there(tmp_path: Path, sizes: str) -> None:
    path = tmp_path / "a.ome.tif"
    pages = np.stack([PAGE, PAGE[::-1]])
    write_pages(path, pages, document(image_xml(sizes, [Block(said="")])))
    message = refused(path, "planes are missing (got 2 of ")
    np.testing.assert_array_equal(opened(path, advised(message).replace("c", "t")).pixels, pages)


@pytest.mark.parametrize(
    "damage",
    [('SizeX="8"', 'SizeX="5"'), ('SizeC="1"', ""), ("</OME>", ""), ('Order="XYCZT"', 'Order="XXXXX"')],
    ids=["sides", "none", "cut", "order"],
)
def test_a_document_that_does_not_fit_leaves_the_pages_readable(
    tmp_path: Path, damage: tuple[str, str]
) -> None:
    xml = document(image_xml("8 9 1 1 1", [Block()], pixels='PhysicalSizeX="7" PhysicalSizeY="7"'))
    write_pages(tmp_path / "a.ome.tif", PAGE[None], xml.replace(*damage))
    image = opened(tmp_path / "a.ome.tif")
    assert (image.axes, image.pixel_size) == ("yx", None)
    np.testing.assert_array_equal(image.pixels, PAGE)


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        ('PhysicalSizeX="0.5" PhysicalSizeY="0.5"', ("0.1 x 0.1 µm", "0.5 x 0.5 µm")),
        ("", ("0.1 x 0.1 µm", "without a size")),
        ("names", ("channels a/b", "channels d/e")),
    ],
)
def test_positions_that_differ_are_not_put_together(
    tmp_path: Path, other: str, differs: tuple[str, str]
) -> None:
    one, names = 'PhysicalSizeX="0.1" PhysicalSizeY="0.1"', ("ab", "de" if other == "names" else "ab")
    images = "".join(
        image_xml(
            "8 9 2 1 1",
            [Block(said=f'IFD="{2 * i}" PlaneCount="2"')],
            pixels=size,
            channels=[f'Name="{name}"' for name in names[i]],
            name=f"P{i}",
        )
        for i, size in enumerate((one, one if other == "names" else other))
    )
    write_pages(tmp_path / "a.ome.tif", np.stack([PAGE] * 4), document(images))
    refused(
        tmp_path / "a.ome.tif",
        "alike",
        f"P0 (2, 9, 8) {differs[0]}",
        f"P1 (2, 9, 8) {differs[1]}",
        "Save one",
    )


def test_channels_of_annotations_are_none_of_the_image(tmp_path: Path) -> None:
    xml = document(
        image_xml("8 9 1 1 1", [Block()], channels=['Name="Bright"'])
        + "<StructuredAnnotations><XMLAnnotation><Value><Channel Name='x'/><Channel Name='y'/></Value>"
        + "</XMLAnnotation></StructuredAnnotations>"
    )
    write_pages(tmp_path / "a.ome.tif", PAGE[None], xml)
    assert opened(tmp_path / "a.ome.tif").channel_names == ("Bright",)


def test_interleaved_lifetimes_ask_what_the_axes_are(tmp_path: Path) -> None:
    xml = document(
        image_xml("8 9 1 1 6", [Block(said='IFD="0" PlaneCount="6"')])
        + "<StructuredAnnotations><XMLAnnotation><Value><Modulo><ModuloAlongT Type='lifetime'/></Modulo>"
        + "</Value></XMLAnnotation></StructuredAnnotations>"
    )
    pages = np.stack([PAGE] * 6)
    write_pages(tmp_path / "a.ome.tif", pages, xml)
    message = refused(tmp_path / "a.ome.tif", "does not say what its axes are")
    assert opened(tmp_path / "a.ome.tif", advised(message)).data.shape == pages.shape
