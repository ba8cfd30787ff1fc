"""Axes mean what their letters say, and bad pixels are refused with one clear line."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.axes import ambiguous_axes, parse_axes, propose_axes, reorder, to_canonical
from denoisplit.core.images.bases import Image, PixelSize
from denoisplit.core.images.image_checks import check_channels, check_pixels
from denoisplit.core.images.io import iterate_planes
from denoisplit.core.images.physical import IntensityScale

LENGTHS = {"s": 2, "t": 3, "c": 4, "z": 5, "y": 6, "x": 7}
orders = (
    st.sets(st.sampled_from("stcz"))
    .map(lambda extra: "".join(sorted(extra)) + "yx")
    .flatmap(lambda axes: st.permutations(list(axes)))
    .map("".join)
)


def coded(axes: str) -> AnyArray:
    """Every pixel says where it is: the digit of each axis in base 10 is the position along it."""
    grids = np.meshgrid(*(np.arange(LENGTHS[a]) for a in axes), indexing="ij")
    return sum(
        (grid * 10 ** "stczyx".index(a) for a, grid in zip(axes, grids, strict=True)), np.zeros(1, int)
    )


@given(orders)
def test_canonical_order_moves_pixels_with_their_axes(axes: str) -> None:
    size = tuple(float(LENGTHS[a]) for a in axes if a in "zyx")
    image = to_canonical(Image(data=coded(axes), axes=axes, pixel_size=PixelSize(size)))
    assert image.axes == "".join(sorted(axes, key="stczyx".index))
    np.testing.assert_array_equal(image.data, coded(image.axes))
    assert image.pixel_size is not None
    assert image.pixel_size.size == tuple(float(LENGTHS[a]) for a in image.axes if a in "zyx")


def test_reorder_adds_axes_of_length_one_and_drops_no_pixels() -> None:
    assert reorder(coded("yx"), "yx", "czyx").shape == (1, 1, 6, 7)
    with pytest.raises(ImageError, match="axis t"):
        reorder(coded("tyx"), "tyx", "yx")


@pytest.mark.parametrize("text", ["CYX", " cyx ", "cYx"])
def test_axes_are_read_in_either_case(text: str) -> None:
    assert parse_axes(text, (2, 5, 5), "a.tif") == "cyx"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("qyx", "unknown"), ("yyx", "twice"), ("yx", "do not fit"), ("zcx", "needs the axes")],
)
def test_wrong_axes_say_what_is_wrong_and_propose_others(text: str, problem: str) -> None:
    with pytest.raises(ImageError, match=rf"^a\.tif: .*{problem}.*cyx") as caught:
        parse_axes(text, (2, 50, 50), "a.tif")
    assert "\n" not in str(caught.value)


def test_an_ambiguous_image_shows_its_shape_and_proposes_axes() -> None:
    message = str(ambiguous_axes((3, 512, 512), "a.tif"))
    assert "(3, 512, 512)" in message
    assert "axes='cyx'" in message
    assert propose_axes((512, 512, 3))[0] == "yxc"


@pytest.mark.parametrize(
    ("pixels", "problem"),
    [
        (np.full((4, 4), 7.0), "all pixels are equal.*7"),
        (np.ones((1, 1)), "more than one pixel"),
        (np.ones((4, 4), complex), "real numbers.*complex128"),
        (np.array([["a", "b"]]), "real numbers"),
    ],
)
def test_useless_images_are_refused(pixels: AnyArray, problem: str) -> None:
    with pytest.raises(ImageError, match=rf"^field 3: .*{problem}"):
        check_pixels(pixels, "field 3")


@given(
    st.sets(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1),
    st.sampled_from([np.nan, np.inf, -np.inf]),
)
def test_bad_pixels_are_counted_and_the_first_is_shown(where: set[tuple[int, int]], value: float) -> None:
    pixels = np.arange(35.0).reshape(5, 7)
    for place in where:
        pixels[place] = value
    with pytest.raises(ImageError) as caught:
        check_pixels(pixels, "a.tif")
    assert f"{len(where)} of 35 pixels" in str(caught.value)
    assert f"at {min(where)}" in str(caught.value)


def test_good_images_pass() -> None:
    check_pixels(np.array([[0, 1]], np.uint8), "a.tif")
    check_channels(2, 2, "a.tif", "")
    with pytest.raises(ChannelCountError, match=r"expected 2 channels \(got 3\)\. Choose two\."):
        check_channels(3, 2, "a.tif", "Choose two.")


@given(orders, st.sampled_from([2, 3]))
def test_planes_cover_the_image_once_and_assemble_to_it(axes: str, rank: int) -> None:
    image = Image(data=coded(axes), axes=axes)
    if rank == 3 and "z" not in axes:
        with pytest.raises(ImageError, match="3D model"):
            iterate_planes(image, rank)
        return
    planes = iterate_planes(image, rank)
    results = []
    for index, pixels in planes:
        assert pixels.dtype == np.float32
        assert pixels.ndim == rank + 1
        expected = reorder(coded(axes), axes, planes.leading + "c" + planes.spatial)[index]
        np.testing.assert_array_equal(pixels, expected)
        results.append(pixels)
    assert len(results) == len(planes)
    whole = planes.assemble(results, tuple("abcd"[: results[0].shape[0]]))
    np.testing.assert_array_equal(whole.data, reorder(coded(axes), axes, whole.axes))
    assert set(whole.axes) == set(axes) | {"c"}


def test_planes_know_the_pixel_size_of_one_plane_and_of_the_whole() -> None:
    image = Image(data=coded("zyx"), axes="zyx", pixel_size=PixelSize((0.3, 0.2, 0.1)))
    planes = iterate_planes(image, 2)
    assert planes.pixel_size == PixelSize((0.2, 0.1))
    assert planes.assemble([p for _, p in planes], ("a",)).pixel_size == image.pixel_size
    assert list(itertools.islice((i for i, _ in planes), 2)) == [(0,), (1,)]


@pytest.mark.parametrize("scale", [1e-30, 1e-14, 1e-11, 1.0, 1e12, 1e16, 1e30])
def test_numbers_whose_squares_single_precision_does_not_hold_are_refused_with_a_factor(scale: float) -> None:
    counts = np.random.default_rng(0).poisson(10, (8, 8))
    image = (counts * scale).astype(np.float32)
    if 1e-12 < scale < 1e14:
        check_pixels(image, "f.tif")
        return
    with pytest.raises(ImageError, match=r"single precision .* Multiply all images by 1e-?\d+") as caught:
        check_pixels(image, "f.tif")
    factor = float(str(caught.value).split("images by ")[1].split(",")[0])
    check_pixels((image.astype(np.float64) * factor).astype(np.float32), "f.tif")


@given(orders, st.data())
def test_numbers_that_single_precision_cannot_hold_are_told_with_their_place(
    axes: str, data: st.DataObject
) -> None:
    value = data.draw(st.sampled_from([1e300, -3.5e38, np.float64(np.finfo(np.float32).max) * 1.0001]))
    place = {axis: data.draw(st.integers(0, LENGTHS[axis] - 1)) for axis in axes}
    image = Image(data=coded(axes).astype(np.float64), axes=axes, source="a.tif")
    np.asarray(image.data)[tuple(place[axis] for axis in axes)] = value
    planes = iterate_planes(image, 2)
    index = tuple(place[axis] for axis in planes.leading)
    region = (slice(None), *(slice(data.draw(st.integers(0, place[axis])), None) for axis in "yx"))
    for part in ((), region):
        with pytest.raises(ImageError) as caught:
            planes.read(index, part)
        said = " ".join(["a.tif", *(f"{axis}={place[axis]}" for axis in planes.leading)])
        assert str(caught.value).startswith(f"{said}: a pixel is beyond the largest number of single")
        assert f"(got {value:g} at {(place['y'], place['x'])})" in str(caught.value)


def test_what_single_precision_holds_stays_and_so_do_bad_pixels() -> None:
    pixels = np.array([[np.finfo(np.float32).max, -1e-300], [np.nan, -np.inf]])
    found = iterate_planes(Image(data=pixels, axes="yx"), 2).read(())
    np.testing.assert_array_equal(found, [[[np.finfo(np.float32).max, 0], [np.nan, -np.inf]]])


def test_a_scale_that_single_precision_cannot_hold_is_told() -> None:
    scale = IntensityScale((1.0, 1e35), (0.0, 5.0))
    image = Image(
        data=np.full((2, 1, 3), 40000, np.uint16), axes="cyx", intensity_scale=scale, source="a.tif"
    )
    with pytest.raises(ImageError, match=r"a\.tif: a pixel is beyond .* \(got 4e\+39 at \(0, 0\)\)"):
        iterate_planes(image, 2).read(())
    assert iterate_planes(image, 2).read((), (slice(0, 1), slice(None), slice(None))).max() == 40000
