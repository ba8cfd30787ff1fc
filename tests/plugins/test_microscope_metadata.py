"""What files of microscopes say beside their pixels: names from wherever they are, and no harm if broken."""

import re
from pathlib import Path

import numpy as np
import pytest

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.plugins.image_formats._czi_metadata import metadata
from denoisplit.plugins.image_formats.czi import Czi
from denoisplit.plugins.image_formats.lif import Lif
from denoisplit.testing.image_files.microscope_files import write_lif


def czi_names(image: str, shown: str) -> tuple[str, ...]:
    xml = (
        f"<ImageDocument><Metadata><Information><Image><Dimensions><Channels>{image}</Channels></Dimensions>"
        f"</Image></Information><DisplaySetting><Channels>{shown}</Channels></DisplaySetting></Metadata>"
        f"</ImageDocument>"
    )
    return metadata(xml.encode()).channel_names


def test_channels_of_czi_have_the_names_of_the_image_or_of_the_display() -> None:
    nameless = "<Channel Id='Channel:0'/><Channel Id='Channel:1'/>"
    named = "<Channel Id='Channel:1' Name='actin'/><Channel Id='Channel:0' Name='DNA'/>"
    assert czi_names(nameless, named) == ("DNA", "actin")
    assert czi_names("<Channel Id='Channel:0' Name='a'/><Channel Id='Channel:1'/>", named) == ("a", "actin")
    assert czi_names(nameless, "<Channel Id='Channel:1' Name='actin'/>") == ("channel 0", "actin")
    assert czi_names(nameless, "") == ()


@pytest.mark.parametrize("xml", [b"", b"<ImageDocument><Metadata>", b"\xff\xfe", b"<a Index='\xc2\xb2'/>"])
def test_broken_metadata_of_czi_say_nothing(xml: bytes) -> None:
    known = metadata(xml)
    assert (known.sizes, known.channel_names, known.interval, known.scenes) == ({}, (), None, {})


def test_raw_phases_are_said_to_be_that(tmp_path: Path) -> None:
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        for phase, channel in ((0, 0), (1, 0), (2, 0), (0, 1)):
            file.write(np.ones((3, 4, 1), np.uint8), plane={"T": phase, "C": channel})
    whole = (tmp_path / "a.czi").read_bytes()
    (tmp_path / "a.czi").write_bytes(whole.replace(b"T\0\0\0", b"H\0\0\0"))
    with pytest.raises(ImageError, match=r"such as Airyscan, are not read \(got 3 along H\)"):
        Czi(Czi.Options()).open(tmp_path / "a.czi")


@pytest.mark.parametrize("entry", ["Length", "Unit"])
def test_broken_entries_of_lif_do_not_keep_the_pixels_from_being_read(tmp_path: Path, entry: str) -> None:
    pytest.importorskip("liffile")
    path, pixels = tmp_path / "a.lif", np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
    write_lif(
        path,
        Image(data=pixels, axes="tyx", pixel_size=PixelSize((0.2, 0.1)), time_interval=TimeInterval(2.0)),
    )
    axis = f'DimID="1" NumberOfElements="5" Origin="0" Length="{0.1 * 1e-6 * 4!r}" Unit="m"'
    broken = re.sub(
        rf' {entry}="([^"]*)"',
        lambda found: f' {entry}="{"nan".ljust(len(found[1]))[: len(found[1])]}"',
        axis,
    )
    whole = path.read_bytes()
    assert axis.encode("utf-16-le") in whole
    path.write_bytes(whole.replace(axis.encode("utf-16-le"), broken.encode("utf-16-le")))
    image = Lif(Lif.Options()).open(path)
    assert (image.pixel_size, image.time_interval) == (PixelSize((0.2, None)), TimeInterval(2.0))
    np.testing.assert_array_equal(image.pixels, pixels)
