"""Counts as 16-bit integers are counts, or one factor and offset away from them in all of a file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, IntensityScale
from denoisplit.core.images.io import iterate_planes
from denoisplit.core.images.scaled import as_dtype, whole_numbers

RNG = np.random.default_rng(1)


def counts_of(image: Image) -> np.ndarray:
    return np.stack([plane for _, plane in iterate_planes(image, 2)])


@pytest.mark.parametrize("axes", ["tcyx", "cyx", "yx", "yxc"])
def test_counts_that_fit_are_rounded_and_nothing_else(axes: str) -> None:
    counts = RNG.normal(300, 50, tuple({"t": 2, "c": 3, "y": 6, "x": 7}[a] for a in axes)).astype(np.float32)
    if "c" in axes:  # one image far brighter than the others
        counts[tuple(0 if a == "c" else slice(None) for a in axes)] *= 100
    image = as_dtype(Image(data=counts, axes=axes), "uint16")
    np.testing.assert_array_equal(image.data, np.rint(counts))
    assert image.data.dtype == np.uint16
    assert image.intensity_scale is None
    with pytest.raises(ImageError, match="float32 or uint16"):
        as_dtype(image, "int8")


@given(
    low=st.floats(-1e5, 1e5, allow_subnormal=False),
    spans=st.lists(st.floats(0, 3e5) | st.floats(0, 1e-3), min_size=1, max_size=3),
)
def test_one_scale_for_all_channels_gives_all_counts_back(low: float, spans: list[float]) -> None:
    counts = np.stack([np.linspace(low, low + span, 12).reshape(3, 4) for span in spans])
    whole = whole_numbers(counts.min((1, 2)).tolist(), counts.max((1, 2)).tolist(), (), "image")
    image = as_dtype(Image(data=counts, axes="cyx"), "uint16")
    assert image.intensity_scale == whole.scale(len(spans))
    back = image.pixels * whole.factor + whole.offset
    assert np.abs(back - counts).max() <= whole.factor * 0.5001
    assert whole.offset <= 0
    span = max(counts.max(), 0) - min(counts.min(), 0)
    assert (whole.factor == 1) == (16 <= span < 65534 or span == 0) or 65534 <= span <= 65537


@pytest.mark.parametrize(
    ("low", "high", "factor", "offset", "told"),
    [
        (0, 65535, 1, 0, "counts are the stored numbers, rounded to whole counts"),
        (0, 65535.4, 1, 0, "counts are the stored numbers, rounded"),
        (0, 65535.5, 2, 0, "counts are 2 x the stored numbers, rounded to multiples of 2; the file says so"),
        (-0.5, 900, 1, 0, "counts are the stored numbers, rounded"),
        (-4.2, 900, 1, -5, "counts are the stored numbers - 5, rounded to whole counts; the file says so"),
        (-0.6, 65534.8, 2, 0, "counts are 2 x the stored numbers, rounded"),
        (-10, 200_000, 4, -12, "counts are 4 x the stored numbers - 12, rounded"),
        (0, 1, 0.001, 0, "counts are 0.001 x the stored numbers, rounded to multiples of 0.001; the file"),
        (7, 7, 0.001, 0, "counts are 0.001 x the stored numbers"),
        (100, 100, 1, 0, "counts are the stored numbers"),
        (0, 0, 1, 0, "counts are the stored numbers"),
    ],
)
def test_factor_and_offset_are_as_simple_as_the_counts_allow(
    low: float, high: float, factor: float, offset: float, told: str
) -> None:
    whole = whole_numbers([low], [high], (), "image")
    assert whole.factor == factor
    assert whole.offset == pytest.approx(offset)
    assert str(whole).startswith(told)
    stored = whole.of(np.array([low, high], np.float64))
    assert np.abs(stored * whole.factor + whole.offset - [low, high]).max() <= factor / 2 + 1e-9


def test_images_of_a_few_steps_are_named() -> None:
    names = ("actin mean", "actin std", "flat")
    whole = whole_numbers([90, 0.5, 3], [900, 4, 3], names, "image")
    assert whole.coarse == ("actin std",)
    assert whole.warning.startswith("fewer than 16 steps for actin std. Write float32")
    assert not whole_numbers([90, 0], [900, 40], names[:2], "image").warning


def test_numbers_that_are_not_finite_are_refused() -> None:
    for bad in (np.nan, np.inf):
        with pytest.raises(ImageError, match="no NaN"):
            as_dtype(Image(data=np.array([[1.0, bad]]), axes="yx"), "uint16")


def test_even_the_smallest_numbers_have_a_factor() -> None:
    assert whole_numbers([0.0], [1e-313], (), "image").factor == 1e-30


def test_the_scale_is_that_of_every_channel() -> None:
    image = as_dtype(
        Image(data=np.stack([np.full((2, 3), -3.0), np.full((2, 3), 900.0)]), axes="cyx"), "uint16"
    )
    assert image.intensity_scale == IntensityScale((1.0, 1.0), (-3.0, -3.0))
    np.testing.assert_array_equal(counts_of(image)[0, :, 0, 0], [-3, 900])
