"""Comparison of an image with the one read back from its file."""

import numpy as np

from denoisplit.core.images.bases import Image


def same_image(image: Image, back: Image) -> None:
    """Check that nothing is lost."""
    same_size(image, back)
    same_interval(image, back)
    assert back.axes == image.axes, f"the axes {back.axes} come back for {image.axes}"
    assert back.channel_names == image.channel_names, f"{back.channel_names} come back as names"
    assert back.intensity_scale == image.intensity_scale, f"the scale {back.intensity_scale} comes back"
    assert np.array_equal(back.data, image.data), "other pixels come back"


def same_size(image: Image, back: Image) -> None:
    """Check the pixel size: one number per spatial axis, and the unit."""
    if image.pixel_size is None:
        assert back.pixel_size is None, f"the pixel size {back.pixel_size} comes from nowhere"
        return
    assert back.pixel_size is not None, "the pixel size is lost"
    assert back.pixel_size.unit == image.pixel_size.unit, f"the unit is {back.pixel_size.unit}"
    assert len(back.pixel_size.size) == len(image.pixel_size.size), "the pixel size has other axes"
    known, found = (np.array(one.size, np.float64) for one in (image.pixel_size, back.pixel_size))
    assert np.allclose(found, known, rtol=1e-5, atol=0, equal_nan=True), (
        f"the pixel size {back.pixel_size.size} comes back for {image.pixel_size.size}"
    )


def same_interval(image: Image, back: Image) -> None:
    """Check the time interval: the number and its unit."""
    if image.time_interval is None:
        assert back.time_interval is None, f"the time interval {back.time_interval} comes from nowhere"
        return
    assert back.time_interval is not None, "the time interval is lost"
    assert back.time_interval.unit == image.time_interval.unit, f"the unit is {back.time_interval.unit}"
    assert np.isclose(back.time_interval.value, image.time_interval.value, rtol=1e-5), (
        f"the time interval {back.time_interval.value} comes back for {image.time_interval.value}"
    )
