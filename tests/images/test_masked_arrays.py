"""A mask is not looked at, so what is masked is refused; an array that could have a mask is an array."""

from typing import Any

import numpy as np
import pytest

import denoisplit
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field, Image

PIXELS = np.random.default_rng(0).normal(200, 50, (9, 8)).astype(np.float32)


def masked(pixels: Any, count: int) -> Any:
    """The first pixels are masked; what is under the mask is absurd."""
    found = np.ma.array(pixels, mask=np.arange(pixels.size).reshape(pixels.shape) < count)
    found.data.reshape(-1)[:count] = 1e6 if pixels.dtype.kind == "f" else 1
    return found


def test_masked_pixels_of_an_image_are_refused(run: denoisplit.Run) -> None:
    image = masked(PIXELS, 3)
    message = (
        r"^image: 3 of 72 pixels are masked, .* fill them: image\.filled\(numpy\.ma\.median\(image\)\)\.$"
    )
    for give in (run.predict, run.estimate, lambda image: Image(data=image, axes="yx")):
        with pytest.raises(ImageError, match=message):
            give(image)
    filled = image.filled(np.median(image.compressed()))
    assert filled.max() < 1e6
    assert np.isfinite(run.predict(filled, samples=1).mean).all()


@pytest.mark.parametrize("kind", ["observed", "clean", "repeats", "mixed"])
def test_masked_pixels_of_a_field_are_refused(kind: str) -> None:
    images: dict[str, Any] = {"observed": PIXELS[None], "clean": PIXELS[None], "mixed": PIXELS[None]}
    images["repeats"] = PIXELS[None, None]
    assert Field(name="a", **images).clean is images["clean"]
    with pytest.raises(ImageError, match=r"image: 1 of 72 pixels are masked"):
        Field(name="a", **{**images, kind: masked(images[kind], 1)})


def test_masked_labels_are_refused(run: denoisplit.Run) -> None:
    labels = np.ones(PIXELS.shape, np.uint8)
    message = r"^labels: 2 of 72 pixels are masked, .* fill them: labels\.filled\(0\)\.$"
    with pytest.raises(ImageError, match=message):
        run.predict(PIXELS, labels=masked(labels, 2))
    field = Field(name="a", observed=np.stack([PIXELS] * 2), clean=np.stack([PIXELS] * 2))
    with pytest.raises(ImageError, match=message):
        run.evaluate([field], labels=[masked(labels, 2)])
    sums = run.predict(PIXELS, labels=masked(labels, 0), samples=2).sums
    assert sums == run.predict(PIXELS, labels=labels, samples=2).sums


def test_an_array_without_masked_pixels_is_as_good_as_any(run: denoisplit.Run) -> None:
    expected = run.predict(PIXELS, samples=2)
    for image in (masked(PIXELS, 0), np.ma.masked_invalid(PIXELS), np.ma.array(PIXELS)):
        assert type(Image(data=image, axes="yx").data) is np.ndarray
        found = run.predict(image, samples=2)
        assert type(found.mean) is np.ndarray
        np.testing.assert_array_equal(found.mean, expected.mean)
