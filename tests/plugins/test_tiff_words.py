"""What programs say beside the pixels of TIFF files is understood or left out, and so is what we say."""

import itertools
import struct
from pathlib import Path

import numpy as np
import ome_types
import pytest
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.core.images.physical_units import IN_MICRONS, IN_SECONDS
from denoisplit.core.storage.image_files import save_image
from denoisplit.testing.image_files.vendor_tiffs import write_lsm, write_stk
from tests.reading import opened

STACK = np.random.default_rng(0).integers(1, 250, (3, 16, 20)).astype(np.uint16)


def imagej(path: Path, *lines: str, resolution: tuple[float, float] = (10, 10)) -> Image:
    """A stack with this description."""
    text = "\n".join(["ImageJ=1.54f", "images=3", "slices=3", *lines, ""])
    tifffile.imwrite(
        path, STACK, description=text, metadata=None, resolution=resolution, photometric="minisblack"
    )
    image = opened(path)
    np.testing.assert_array_equal(image.pixels, STACK)
    return image


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        (("unit=um", "spacing=0.3"), PixelSize((0.3, 0.1, 0.1))),
        (("unit=um", "zunit=nm", "spacing=300"), PixelSize((0.3, 0.1, 0.1))),
        (("unit=cm", "yunit=mm", "zunit=pm", "spacing=2"), PixelSize((2e-6, 100, 1000))),
        (("unit=um", "yunit=pixel", "spacing=0.3"), PixelSize((0.3, None, 0.1))),
        (("unit=um", "spacing=0,5"), PixelSize((None, 0.1, 0.1))),
        (("unit=um", "spacing=-0.5"), PixelSize((0.5, 0.1, 0.1))),
        (("unit=um", "spacing=0"), PixelSize((None, 0.1, 0.1))),
        (("unit=um", "spacing=nan"), PixelSize((None, 0.1, 0.1))),
        (("unit=um",), PixelSize((1.0, 0.1, 0.1))),
        (("unit=null", "spacing=0.3"), None),
        (("unit=pixel",), None),
        (('unit=("cm",)', "spacing=0.3"), None),
    ],
)
def test_every_axis_of_imagej_has_its_own_unit(
    tmp_path: Path, lines: tuple[str, ...], size: PixelSize | None
) -> None:
    assert imagej(tmp_path / "a.tif", *lines).pixel_size == size


@pytest.mark.parametrize("resolution", [(0, 0), (0, 10), (10, 0)])
def test_a_resolution_of_nothing_is_none(tmp_path: Path, resolution: tuple[float, float]) -> None:
    wide, high = (1 / side if side else None for side in resolution)
    found = imagej(tmp_path / "a.tif", "unit=um", "spacing=0.3", resolution=resolution).pixel_size
    assert found == PixelSize((0.3, high, wide))


@pytest.mark.parametrize(
    ("unit", "interval"), [("minutes", "min"), ("hr", "h"), ("sec", "s"), ("frame", ""), ("null", "")]
)
def test_times_of_imagej(tmp_path: Path, unit: str, interval: str) -> None:
    found = imagej(tmp_path / "a.tif", "finterval=2.0", f"tunit={unit}").time_interval
    assert found == (TimeInterval(2.0, interval) if interval else None)


@pytest.mark.parametrize(
    ("pixels", "size"),
    [
        (
            'PhysicalSizeZ="300" PhysicalSizeZUnit="nm" PhysicalSizeY="0.1" PhysicalSizeX="0.1"',
            (0.3, 0.1, 0.1),
        ),
        ('PhysicalSizeY="0.1" PhysicalSizeX="0.1"', (None, 0.1, 0.1)),
        ('PhysicalSizeZ="0,3" PhysicalSizeY="0.1" PhysicalSizeX=""', (None, 0.1, None)),
        ('PhysicalSizeZ="0" PhysicalSizeY="-1" PhysicalSizeX="NaN" TimeIncrement="0"', ()),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="pixel"', ()),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="reference frame"', ()),
        ('PhysicalSizeZ="2" PhysicalSizeY="0.1" PhysicalSizeX="-0.1"', (2.0, None, None)),
        ('TimeIncrement="x" TimeIncrementUnit="frame"', ()),
    ],
)
def test_every_axis_of_ome_has_its_own_size(
    tmp_path: Path, pixels: str, size: tuple[float | None, ...]
) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, STACK, metadata={"axes": "ZYX"}, photometric="minisblack")
    said = str(tifffile.tiffcomment(path)).replace("<Pixels ", f"<Pixels {pixels} ", 1)
    tifffile.tiffcomment(path, said.encode())
    image = opened(path)
    assert image.pixel_size == (PixelSize(size) if size else None)
    assert image.time_interval is None
    np.testing.assert_array_equal(image.pixels, STACK)


@pytest.mark.parametrize("calibrated", [True, False])
def test_stacks_of_metamorph(tmp_path: Path, calibrated: bool) -> None:
    write_stk(tmp_path / "a.stk", STACK, size=0.1613, unit="um", step=0.3, calibrated=calibrated)
    image = opened(tmp_path / "a.stk")
    assert image.axes == "zyx"
    assert image.pixel_size == PixelSize((0.3, *((0.1613,) * 2 if calibrated else (None, None))))
    np.testing.assert_array_equal(image.pixels, STACK)
    write_stk(tmp_path / "a.stk", STACK, size=0.1613, unit="um", step=0.0)
    image = opened(tmp_path / "a.stk")
    assert (image.axes, image.pixel_size) == ("tyx", PixelSize((0.1613, 0.1613)))


def test_words_that_cannot_be_read_leave_the_pixels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, metadata={"axes": "ZYX"}, photometric="minisblack")
    content = path.read_bytes()
    for words, damage in ((b'"shape"', b'"sh?pe"'), (b"[3, 16", b"[3, 99"), (b'"ZYX"', b'"Z,X ')):
        path.write_bytes(content.replace(words, damage))
        with pytest.raises(ImageError, match="Give axes='cyx'"):
            opened(path)
        np.testing.assert_array_equal(opened(path, "zyx").pixels, STACK)
    write_stk(tmp_path / "a.stk", STACK, size=0.1, unit="um", step=0.3)
    content = (tmp_path / "a.stk").read_bytes()
    calibration = struct.pack("<HHI", 33628, 4, 4)
    (tmp_path / "a.stk").write_bytes(content.replace(calibration, struct.pack("<HHI", 33628, 3, 4)))
    np.testing.assert_array_equal(opened(tmp_path / "a.stk", "zyx").pixels, STACK)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("state", "size"), [("on", PixelSize((0.65, 0.65))), ("off", None)])
def test_planes_of_metaxpress(tmp_path: Path, state: str, size: PixelSize | None) -> None:
    props = {
        "spatial-calibration-state": ("bool", state),
        "spatial-calibration-x": ("float", "0.65"),
        "spatial-calibration-y": ("float", "0.65"),
        "spatial-calibration-units": ("string", "um"),
        "_IllumSetting_": ("string", "DAPI"),
    }
    inner = "".join(
        f'<prop id="{key}" type="{kind}" value="{value}"/>' for key, (kind, value) in props.items()
    )
    said = f"<MetaData><PlaneInfo>{inner}</PlaneInfo></MetaData>"
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], description=said, metadata=None, software="MetaSeries")
    image = opened(tmp_path / "a.tif")
    assert (image.pixel_size, image.channel_names) == (size, ("DAPI",))
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], description=said[:-20], metadata=None)
    assert opened(tmp_path / "a.tif").pixel_size is None


@pytest.mark.parametrize(
    ("depth", "channels", "axes"), [(3, 3, "zcyx"), (3, 1, "zyx"), (1, 3, "cyx"), (1, 1, "yx")]
)
def test_stacks_of_zeiss(tmp_path: Path, depth: int, channels: int, axes: str) -> None:
    pixels = np.stack([STACK, STACK[::-1], STACK + 9], axis=1)[:depth, :channels]
    write_lsm(tmp_path / "a.lsm", pixels, voxel=(3e-7, 2e-7, 1e-7))
    image = opened(tmp_path / "a.lsm")
    assert (image.axes, image.pixel_size) == (axes, PixelSize((0.3, 0.2, 0.1)[-2 - ("z" in axes) :]))
    np.testing.assert_array_equal(image.pixels, pixels.reshape(image.data.shape))


SIZES = [1e-9, 1e-7, 1.0, 1e5]
LAYOUTS = [
    *((PixelSize((2.0, size, size), unit), None) for size, unit in itertools.product(SIZES, ("µm", "m"))),
    *((PixelSize((3.0, 1.0, 1.0), unit), None) for unit in IN_MICRONS),
    *((PixelSize(sides), None) for sides in ((None, 0.1, 0.1), (0.3, None, 0.1), (0.3, 0.1, None))),
    *((None, TimeInterval(2.5, unit)) for unit in IN_SECONDS),
]


@pytest.mark.parametrize(("size", "interval"), LAYOUTS, ids=str)
def test_whatever_is_known_can_be_written_and_others_read_it(
    tmp_path: Path, size: PixelSize | None, interval: TimeInterval | None
) -> None:
    image = Image(
        data=STACK[None, :, None].astype(np.float32),
        axes="tzcyx",
        channel_names=("a<b>&\"'µ",),
        pixel_size=size,
        time_interval=interval,
    )
    for name in ("a.tif", "a.ome.tif"):
        save_image(tmp_path / name, image)
        assert opened(tmp_path / name).layout == image.layout
    pixels = ome_types.from_tiff(tmp_path / "a.ome.tif").images[0].pixels
    assert [channel.name for channel in pixels.channels] == list(image.channel_names)
    if size is not None:
        assert (pixels.physical_size_z, pixels.physical_size_y, pixels.physical_size_x) == size.size
        assert size.unit in {pixels.physical_size_x_unit.value, pixels.physical_size_y_unit.value}
    if interval is not None:
        assert (pixels.time_increment, pixels.time_increment_unit.value) == (2.5, interval.unit)
