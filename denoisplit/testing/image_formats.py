"""The exam of an image format."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from denoisplit.core.errors import ImageError
from denoisplit.core.images.interfaces import Image, ImageFormat, PixelSize
from denoisplit.testing.strategies import images
from denoisplit.testing.suite import ComponentTests, accepted, in_two_and_three_dimensions, law, one_line

_AXES = {2: "cyx", 3: "czyx"}


class ImageFormatTests(ComponentTests):
    """Laws of image formats: everything comes back, and what cannot be read or written is refused.

    Attributes:
        dtypes: of the pixels that the format holds.
    """

    kind: ClassVar[str] = "image_format"
    dtypes: ClassVar[tuple[str, ...]] = ("uint8", "uint16", "float32")

    def image_format(self, options: Any) -> ImageFormat:
        """A format."""
        made: ImageFormat = self.target()(options)
        return made

    def drawn(self, data: st.DataObject) -> ImageFormat:
        """A format with drawn options."""
        options = data.draw(self.options())
        made: ImageFormat = accepted(lambda: self.image_format(options))
        return made

    def images(self, rank: int) -> st.SearchStrategy[Image]:
        """Images to write; a format that holds less than others gives fewer axes or names."""
        return images(rank, dtypes=self.dtypes)

    def example(self, rank: int) -> Image:
        """One image of two channels with everything that can be known of it."""
        shape = (2, *(3,) * (rank - 2), 4, 5)
        size = PixelSize((0.5, 0.25, 0.125)[-rank:], "µm")
        data = np.arange(np.prod(shape)).reshape(shape).astype(self.dtypes[-1])
        return Image(data=data, axes=_AXES[rank], channel_names=("one", "two"), pixel_size=size)

    def there_and_back(self, data: st.DataObject, rank: int) -> tuple[Image, Image]:
        """A drawn image, and what the format reads after it wrote it."""
        image_format, image = self.drawn(data), data.draw(self.images(rank))
        with _path(image_format) as path:
            image_format.write(path, image)
            back = image_format.open(path)
            return image, attrs.evolve(back, data=np.array(back.data))

    @in_two_and_three_dimensions
    @law(5)
    @given(data=st.data())
    def test_pixels_come_back(self, rank: int, data: st.DataObject) -> None:
        """Every number, in the type that it was written in."""
        image, back = self.there_and_back(data, rank)
        assert back.data.shape == image.data.shape, f"the shape {back.data.shape} comes back"
        assert back.data.dtype == image.data.dtype, f"{back.data.dtype} comes back for {image.data.dtype}"
        assert np.array_equal(back.data, image.data), "other pixels come back"

    @in_two_and_three_dimensions
    @law(5)
    @given(data=st.data())
    def test_axes_come_back(self, rank: int, data: st.DataObject) -> None:
        """In the order that they were written in."""
        image, back = self.there_and_back(data, rank)
        assert back.axes == image.axes, f"the axes {back.axes} come back for {image.axes}"

    @in_two_and_three_dimensions
    @law(8)
    @given(data=st.data())
    def test_the_pixel_size_comes_back(self, rank: int, data: st.DataObject) -> None:
        """One number per spatial axis with its unit, and nothing where nothing was known."""
        image, back = self.there_and_back(data, rank)
        self._same_size(image, back)

    @in_two_and_three_dimensions
    def test_everything_known_of_an_image_comes_back(self, rank: int) -> None:
        """Pixel size and channel names of an image that has both, under every file name of the format."""
        image_format, image = self.image_format(self.smallest()), self.example(rank)
        for suffix in image_format.suffixes:
            with _path(image_format, suffix) as path:
                image_format.write(path, image)
                back = image_format.open(path)
                self._same_size(image, back)
                assert back.channel_names == image.channel_names, f"{back.channel_names} come back as names"
                assert np.array_equal(back.data, image.data), "other pixels come back"

    @in_two_and_three_dimensions
    @law(8)
    @given(data=st.data())
    def test_channel_names_come_back(self, rank: int, data: st.DataObject) -> None:
        """One per channel, in any alphabet."""
        image, back = self.there_and_back(data, rank)
        assert back.channel_names == image.channel_names, (
            f"the channel names {back.channel_names} come back for {image.channel_names}"
        )

    def test_file_names_are_lower_case_and_longest_first(self) -> None:
        """So that the most specific format of a file name is found, whatever its case."""
        suffixes = self.image_format(self.smallest()).suffixes
        assert suffixes, "no suffixes are declared"
        assert all(s.startswith(".") and s == s.lower() for s in suffixes), f"the suffixes are {suffixes}"
        assert list(suffixes) == sorted(suffixes, key=len, reverse=True), f"the order is {suffixes}"

    @in_two_and_three_dimensions
    def test_given_axes_win_over_those_of_the_file(self, rank: int) -> None:
        """And those that do not fit are refused in one line."""
        image_format, image = self.image_format(self.smallest()), self.example(rank)
        with _path(image_format) as path:
            image_format.write(path, image)
            other = "t" + _AXES[rank][1:]
            assert image_format.open(path, axes=other).axes == other, f"axes={other} is not followed"
            for wrong in (_AXES[rank][1:], "q" + _AXES[rank][1:]):
                _refused(partial(image_format.open, path, axes=wrong), f"axes={wrong}")

    @pytest.mark.parametrize("sort", ["missing", "empty", "text"])
    def test_what_is_no_image_is_refused(self, sort: str) -> None:
        """A missing file, an empty one and one of another sort: an ``ImageError`` of one line each."""
        image_format = self.image_format(self.smallest())
        with _path(image_format) as path:
            if sort != "missing":
                path.write_text("" if sort == "empty" else "hello\n" * 99, encoding="utf-8")
            _refused(lambda: image_format.open(path), f"a file that is {sort}")

    @in_two_and_three_dimensions
    @pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
    def test_a_truncated_file_is_refused(self, rank: int, part: float) -> None:
        """Wherever it was cut off."""
        image_format, image = self.image_format(self.smallest()), self.example(rank)
        big = attrs.evolve(image, data=np.tile(image.data, (1,) * (image.data.ndim - 2) + (8, 8)))
        with _path(image_format) as path:
            image_format.write(path, big)
            whole = path.read_bytes()
            path.write_bytes(whole[: int(part * len(whole))])
            _refused(lambda: np.array(image_format.open(path).data), f"the first {part:.0%} of a file")

    def test_a_file_appears_whole_or_not_at_all(self) -> None:
        """Pixels that cannot be written leave the file of before, and nothing beside it."""
        image_format, image = self.image_format(self.smallest()), self.example(2)
        impossible = attrs.evolve(image, data=image.data.astype(np.complex128))
        with _path(image_format) as path:
            _refused(lambda: image_format.write(path, impossible), "complex pixels")
            assert not list(path.parent.iterdir()), "a file is left behind"
            image_format.write(path, image)
            _refused(lambda: image_format.write(path, impossible), "complex pixels")
            assert [file.name for file in path.parent.iterdir()] == [path.name], "files are left behind"
            assert np.array_equal(image_format.open(path).data, image.data), "the file of before is lost"

    @staticmethod
    def _same_size(image: Image, back: Image) -> None:
        if image.pixel_size is None:
            assert back.pixel_size is None, f"the pixel size {back.pixel_size} comes from nowhere"
            return
        assert back.pixel_size is not None, "the pixel size is lost"
        assert back.pixel_size.unit == image.pixel_size.unit, f"the unit is {back.pixel_size.unit}"
        assert len(back.pixel_size.size) == len(image.pixel_size.size), "the pixel size has other axes"
        assert np.allclose(back.pixel_size.size, image.pixel_size.size, rtol=1e-5), (
            f"the pixel size {back.pixel_size.size} comes back for {image.pixel_size.size}"
        )


@contextmanager
def _path(image_format: ImageFormat, suffix: str = "") -> Iterator[Path]:
    """Path of a file that does not exist, alone in its folder."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / f"image{suffix or image_format.suffixes[0]}"


def _refused(action: Any, what: str) -> None:
    """The action ends in an ``ImageError`` of one line."""
    try:
        action()
    except ImageError as error:
        short = one_line(error)
    else:
        pytest.fail(f"{what} is not refused with an ImageError")
    assert short, f"the message on {what} has several lines or none"
