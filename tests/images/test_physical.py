"""Sizes, intervals, scales and names that cannot be are not made, whoever says them."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import sizes_by_axis, to_canonical
from denoisplit.core.images.bases import Image, IntensityScale, PixelSize, TimeInterval
from denoisplit.core.images.channel_names import check_names, known_names
from denoisplit.core.images.io import iterate_planes
from denoisplit.core.images.layout import check_layout
from denoisplit.core.images.physical import known_interval, known_scale, known_size
from denoisplit.core.images.physical_units import IN_MICRONS, IN_SECONDS, length_unit, time_unit

anything: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.binary(max_size=6)
    | st.sampled_from([1e-30, 1e300, "0,1", "nan", "1e400", b"0.5", [], {}, np.float32(0.5)])
)
said_units = anything | st.sampled_from(
    [*IN_MICRONS, *IN_SECONDS, "pixel", "null", "frame", "reference frame"]
)


@given(st.lists(st.tuples(anything, said_units), min_size=1, max_size=3))
def test_whatever_a_file_says_of_sizes_becomes_a_size_that_can_be_or_nothing(said: list[Any]) -> None:
    found = known_size(*zip(*said, strict=True))
    if found is not None:
        assert len(found.size) == len(said)
        assert found.unit in IN_MICRONS
        assert all(s is None or (math.isfinite(s) and s > 0) for s in found.size)
        assert any(found.size)


@given(anything, said_units)
def test_whatever_a_file_says_of_times_becomes_a_time_that_can_be_or_nothing(value: Any, unit: Any) -> None:
    found = known_interval(value, unit)
    assert found is None or (found.value > 0 and math.isfinite(found.value) and found.unit in IN_SECONDS)


def test_an_axis_without_a_size_does_not_take_those_of_the_others() -> None:
    assert known_size([0, 0.1, "0.1"], ["µm"] * 3) == PixelSize((None, 0.1, 0.1))
    assert known_size([300, 0.1, 0.1], ["nm", "micron", "um"]) == PixelSize((0.3, 0.1, 0.1), "µm")
    assert known_size([7, 0.1, 0.1], ["pixel", "nm", "nm"]) == PixelSize((None, 0.1, 0.1), "nm")
    assert known_size([7], [None]) is None
    image = Image(data=np.zeros((2, 3, 4)), axes="xzy", pixel_size=PixelSize((0.1, None, 0.2)))
    assert to_canonical(image).pixel_size == PixelSize((None, 0.2, 0.1))
    assert iterate_planes(image, 2).pixel_size == PixelSize((0.2, 0.1))
    assert sizes_by_axis(image, "nm") == {"x": 100.0, "y": 200.0}
    assert (
        iterate_planes(
            Image(data=image.data, axes="zyx", pixel_size=PixelSize((1.0, None, None))), 2
        ).pixel_size
        is None
    )
    assert str(PixelSize((None, 0.2, 0.1))) == "? x 0.2 x 0.1 µm"


UNITS = {
    "µm": "um UM \u00b5m \u03bcm micron Microns micrometer micrometre MICROMETERS \\u00B5m",
    "nm": "nm nanometer nanometers",
    "Å": "\u00c5 \u212b A angstrom Angstroms ångström",
    "mm": "mm millimetre",
    "cm": "cm centimeters",
    "m": "m meter",
    "pm": "pm picometer",
    "in": "in inch inches",
    "s": "s sec secs second Seconds",
    "ms": "ms msec milliseconds",
    "min": "min minute minutes mins",
    "h": "h hr hrs hour hours",
    "d": "d day days",
}


@pytest.mark.parametrize(("sign", "spellings"), UNITS.items())
def test_a_unit_has_one_sign_however_it_is_spelled(sign: str, spellings: str) -> None:
    unit = length_unit if sign in IN_MICRONS else time_unit
    assert {unit(spelling) for spelling in spellings.split()} == {sign}
    assert unit(f" {sign}\0".encode()) == sign


@pytest.mark.parametrize(
    "text", ["", "pixel", "null", "None", "frame", "reference frame", "Mm", "?m", None, 3]
)
def test_what_is_no_unit_is_none(text: object) -> None:
    assert length_unit(text) is None
    assert time_unit(text) is None


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 1e-30, 1e300, "much", True])
def test_records_refuse_numbers_that_cannot_be(value: Any) -> None:
    for make in (
        lambda: PixelSize((1, value)),
        lambda: TimeInterval(value),
        lambda: PixelSize((None, None)),
        lambda: PixelSize((1, 1), "pixel"),
        lambda: TimeInterval(1, "frame"),
        lambda: IntensityScale((0,), (1,)),
        lambda: IntensityScale((1,), (math.nan,)),
    ):
        with pytest.raises(ImageError, match=r"^[^\n]*\(got [^\n]*\. [A-Z][^\n]*\.$"):
            make()
    assert known_scale([1, "2"], [0, 0]) == IntensityScale((1, 2), (0, 0))
    assert known_scale([1, 0], [0, 0]) is known_scale([1], [None]) is known_scale([1], []) is None


@pytest.mark.parametrize("name", ["a\x07b", "c\0d", "two\nlines", "half \ud800", "\u2028", "\uffff", " ", ""])
def test_no_image_is_written_with_a_name_that_files_cannot_hold(name: str) -> None:
    image = Image(data=np.zeros((2, 2, 2)), axes="cyx", channel_names=("a", name))
    with pytest.raises(ImageError, match=r"^there: a channel cannot be written: the name [^\n\x07\0]+$"):
        check_layout(image.layout, "there")


@given(st.lists(anything, max_size=4))
def test_names_in_a_file_become_names_that_can_be_written(said: list[Any]) -> None:
    found = known_names(said)
    assert len(found) in (0, len(said))
    check_names(found, "there")


def test_names_that_are_none_are_never_the_word_none() -> None:
    assert known_names([None, b"actin", 561, "c\x07d"]) == ("channel 0", "actin", "561", "cd")
    assert known_names([None, math.nan, {}, ""]) == ()
