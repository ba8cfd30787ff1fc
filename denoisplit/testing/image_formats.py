"""Conformance suite for image formats."""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
from hypothesis import strategies as st

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, ImageFormat, IntensityScale, PixelSize, TimeInterval
from denoisplit.testing.image_files.image_cases import (
    EVERY_TYPE,
    IMPOSSIBLE,
    assert_more_is_kept,
    assert_refused,
    forced,
    makes,
    path_for,
    places,
    quarters,
    read_in_pieces,
)
from denoisplit.testing.image_files.image_comparison import same_image
from denoisplit.testing.image_files.image_foreign import ForeignFileTests
from denoisplit.testing.refusals import is_refused
from denoisplit.testing.strategies import images
from denoisplit.testing.suite import accepted, in_two_and_three_dimensions, not_examined, tried

_AXES = {2: "tcyx", 3: "tczyx"}


class ImageFormatTests(ForeignFileTests):
    """Laws of image formats: everything is read back, and what cannot be read or written is refused.

    Attributes:
        dtypes: pixel types that the format holds.
    """

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

    def written(self) -> tuple[str, ...]:
        """Return the suffixes under which the format writes; skip the test where there are none."""
        image_format = self.image_format(self.smallest())
        names = tuple(s for s in image_format.suffixes if s not in image_format.read_only)
        if not names:
            not_examined("files of this format are only read: name a suite whose `make` has them written")
        return names

    def readable(self) -> tuple[str, ...]:
        """Return the suffixes under which images made by ``make`` are read: those that are written."""
        return self.written()

    def make(self, image_format: ImageFormat, path: Path, image: Image) -> None:
        """Make the file of an image; suites of read-only formats let another program make it."""
        image_format.write(path, image)

    def images(self, rank: int) -> st.SearchStrategy[Image]:
        """Draw images to write; a suite whose format holds less draws fewer axes or names."""
        return images(rank, dtypes=self.dtypes)

    def example(self, rank: int) -> Image:
        """Return an image of two channels with all its metadata."""
        shape = (3, 2, *(3,) * (rank - 2), 4, 5)
        return Image(
            data=np.arange(np.prod(shape)).reshape(shape).astype(self.dtypes[-1]),
            axes=_AXES[rank],
            channel_names=("one", "two"),
            pixel_size=PixelSize((0.5, 0.25, 0.125)[-rank:], "µm"),
            time_interval=TimeInterval(2.5, "s"),
            intensity_scale=IntensityScale((0.5, 2.0), (100.0, -3.0)),
        )

    def there_and_back(self, data: st.DataObject, rank: int) -> tuple[Image, Image]:
        """Draw an image, write and read it, and return both."""
        suffix, image_format = self.readable()[0], self.drawn(data)
        image = data.draw(self.images(rank))
        with path_for(suffix) as path:
            self.make(image_format, path, image)
            back = image_format.open(path)
            return image, attrs.evolve(back, data=np.array(back.data))

    @in_two_and_three_dimensions
    @tried(12, data=st.data())
    def test_images_come_back(self, rank: int, data: st.DataObject) -> None:
        """Pixels in their type, axes in their order, names in any alphabet, sizes and times with their unit.

        What was not known stays unknown.
        """
        image, back = self.there_and_back(data, rank)
        assert back.data.shape == image.data.shape, f"the shape {back.data.shape} comes back"
        assert back.data.dtype == image.data.dtype, f"{back.data.dtype} comes back for {image.data.dtype}"
        same_image(image, back)

    def test_pixels_of_every_type_come_back_or_are_refused(self) -> None:
        """In their type, below zero, too; where a format does not hold it, there is one line and no file."""
        image_format, image = self.image_format(self.smallest()), self.example(2)
        for kind in EVERY_TYPE:
            signed = np.dtype(kind).kind in "ifc"
            pixels = (image.pixels % 3 - 1 if signed else image.pixels % 2).astype(kind)
            said = attrs.evolve(image, data=pixels)
            with path_for(self.written()[0]) as path:
                if is_refused(partial(image_format.write, path, said), ImageError, f"pixels of {kind}"):
                    assert kind not in self.dtypes, f"pixels of {kind} are refused"
                    assert not list(path.parent.iterdir()), "a file is left behind"
                    continue
                back = image_format.open(path)
                assert back.data.dtype == kind, f"{back.data.dtype} comes back for {kind}"
                assert np.array_equal(back.data, pixels), f"other pixels of {kind} come back"

    def test_names_that_files_cannot_hold_are_not_written(self) -> None:
        """Control characters and empty names: an ``ImageError`` of one line, and no file."""
        image_format, image = self.image_format(self.smallest()), self.example(2)
        for name in ("a\x07b", "c\0d", "two\nlines", " "):
            with path_for(self.written()[0]) as path:
                said = attrs.evolve(image, channel_names=("one", name))
                assert_refused(partial(image_format.write, path, said), f"the name {name!r}")
                assert not list(path.parent.iterdir()), "a file is left behind"

    def test_a_size_that_cannot_be_is_not_read(self) -> None:
        """0, NaN, smaller than an atom or an unknown unit: the pixels are read, the number is left out."""
        image_format, image = self.image_format(self.smallest()), self.example(3)
        for number, length, time in IMPOSSIBLE:
            said = attrs.evolve(
                image,
                pixel_size=forced(PixelSize((1, 1, 1)), size=(number,) * 3, unit=length),
                time_interval=forced(TimeInterval(1), value=number, unit=time),
            )
            with path_for(self.readable()[0]) as path:
                # Records refuse such values, so no format is asked to write them, but files contain them.
                if makes(partial(self.make, image_format, path, said)):
                    back = image_format.open(path)
                    assert np.array_equal(back.data, image.data), "other pixels come back"
                    assert back.pixel_size is None, f"{back.pixel_size} comes back for {number} {length}"
                    assert back.time_interval is None, f"{back.time_interval} comes back for {number} {time}"

    @in_two_and_three_dimensions
    def test_everything_known_of_an_image_comes_back(self, rank: int) -> None:
        """Sizes, names, time interval and scale of an image that has them all, under every written suffix."""
        image_format, image = self.image_format(self.smallest()), self.example(rank)
        for suffix in self.readable():
            with path_for(suffix) as path:
                self.make(image_format, path, image)
                same_image(image, image_format.open(path))

    @in_two_and_three_dimensions
    @tried(5, data=st.data())
    def test_a_region_is_that_part_of_the_image(self, rank: int, data: st.DataObject) -> None:
        """Also for images that are too large to be read at once."""
        suffix, image_format = self.readable()[0], self.drawn(data)
        image = data.draw(self.images(rank))
        with path_for(suffix) as path, read_in_pieces():
            self.make(image_format, path, image)
            back = image_format.open(path)
            assert tuple(back.data.shape) == image.data.shape, f"the shape {back.data.shape} comes back"
            for _ in range(3):
                key = tuple(data.draw(places(side)) for side in image.data.shape)
                assert np.array_equal(back.data[key], image.pixels[key]), f"other pixels come back at {key}"

    @in_two_and_three_dimensions
    def test_regions_make_the_image_that_is_written_at_once(self, rank: int) -> None:
        """In any order."""
        image_format, image = self.image_format(self.smallest()), self.example(rank)
        with path_for(self.written()[0]) as path:
            with image_format.create(path, image.layout) as writer:
                assert not path.exists(), "the image appears before it is complete"
                for region in reversed(quarters(image.pixels.shape)):
                    writer.write(region, image.pixels[region])
            assert [file.name for file in path.parent.iterdir()] == [path.name], "files are left behind"
            same_image(image, image_format.open(path))

    @pytest.mark.parametrize("how", ["error", "missing"])
    def test_an_unfinished_image_never_appears(self, how: str) -> None:
        """Neither after an error nor where regions are missing; an older file stays."""
        suffix, image_format = self.written()[0], self.image_format(self.smallest())
        image = self.example(2)
        regions = quarters(image.pixels.shape)[:-1]

        def begin() -> None:
            with image_format.create(path, image.layout) as writer:
                for region in regions:
                    writer.write(region, image.pixels[region])
                if how == "error":
                    raise ImageError("stopped")

        with path_for(suffix) as path:
            assert_refused(begin, "an image without some of its regions")
            assert not list(path.parent.iterdir()), "a file is left behind"
            image_format.write(path, image)
            assert_refused(begin, "an image without some of its regions")
            assert [file.name for file in path.parent.iterdir()] == [path.name], "files are left behind"
            same_image(image, image_format.open(path))

    def test_file_names_are_lower_case_and_longest_first(self) -> None:
        """So that the most specific format of a file name is found, whatever its case."""
        suffixes = self.image_format(self.smallest()).suffixes
        assert suffixes, "no suffixes are declared"
        assert all(s.startswith(".") and s == s.lower() for s in suffixes), f"the suffixes are {suffixes}"
        assert list(suffixes) == sorted(suffixes, key=len, reverse=True), f"the order is {suffixes}"
        unknown = set(self.image_format(self.smallest()).read_only) - set(suffixes)
        assert not unknown, f"{unknown} are read only, but no suffixes"

    def test_names_that_are_only_read_are_not_written(self) -> None:
        """An ``ImageError`` of one line, and no file."""
        image_format, image = self.image_format(self.smallest()), self.example(2)
        for suffix in image_format.read_only:
            with path_for(suffix) as path:
                assert_refused(partial(image_format.write, path, image), f"writing {suffix}")
                assert not list(path.parent.iterdir()), "a file is left behind"

    @in_two_and_three_dimensions
    def test_given_axes_win_over_those_of_the_file(self, rank: int) -> None:
        """And those that do not fit are refused in one line."""
        image_format, image = self.image_format(self.smallest()), self.example(rank)
        with path_for(self.readable()[0]) as path:
            self.make(image_format, path, image)
            other = "s" + image.axes[1:] if image.axes[0] not in "yx" else image.axes[::-1]
            assert image_format.open(path, axes=other).axes == other, f"axes={other} is not followed"
            for wrong in (image.axes[1:], "q" + image.axes[1:]):
                assert_refused(partial(image_format.open, path, axes=wrong), f"axes={wrong}")

    @pytest.mark.parametrize("sort", ["missing", "empty", "text"])
    def test_what_is_no_image_is_refused(self, sort: str) -> None:
        """A missing file, an empty one and one of another kind: an ``ImageError`` of one line each."""
        image_format = self.image_format(self.smallest())
        with path_for(image_format.suffixes[0]) as path:
            if sort != "missing":
                path.write_text("" if sort == "empty" else "hello\n" * 99, encoding="utf-8")
            assert_refused(lambda: image_format.open(path), f"a file that is {sort}")

    @in_two_and_three_dimensions
    @pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 1.0])
    def test_a_truncated_file_is_refused(self, rank: int, part: float) -> None:
        """Wherever it was cut off; also without its last byte, unless that is not part of the image."""
        image_format, image = self.image_format(self.smallest()), self.example(rank)
        big = attrs.evolve(image, data=np.tile(image.pixels, (1,) * (image.data.ndim - 2) + (8, 8)))
        with path_for(self.readable()[0]) as path:
            self.make(image_format, path, big)
            files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            largest = max(files, key=lambda file: file.stat().st_size)
            whole = largest.read_bytes()
            largest.write_bytes(whole[: min(int(part * len(whole)), len(whole) - 1)])

            def read() -> None:
                if np.array_equal(image_format.open(path).data, big.pixels) and part == 1:
                    raise ImageError("it is all there")

            assert_refused(read, f"the first {part:.0%} of a file")

    def test_a_folder_of_something_else_is_never_replaced(self) -> None:
        """Unlike an image that was written before; checked before anything is written."""
        image_format, image = self.image_format(self.smallest()), self.example(2)
        with path_for(self.written()[0]) as path:
            image_format.write(path, image)
            assert image_format.may_replace(path), "an image that it wrote may not be replaced"
            other = path.with_name(f"other{path.name}") / "notes.txt"
            other.parent.mkdir()
            other.write_text("years of work", encoding="utf-8")
            assert not image_format.may_replace(other.parent), "a folder of something else may be replaced"
            assert_refused(lambda: image_format.write(other.parent, image), "writing over a folder")
            assert other.exists(), "a folder of something else was replaced"
            if path.is_dir():
                assert_more_is_kept(image_format, path)

    def test_a_file_appears_whole_or_not_at_all(self) -> None:
        """Pixels that cannot be written leave the previous file, and nothing beside it."""
        image_format, image = self.image_format(self.smallest()), self.example(2)
        impossible = attrs.evolve(image, data=image.pixels.astype(np.complex128))
        with path_for(self.written()[0]) as path:
            assert_refused(lambda: image_format.write(path, impossible), "complex pixels")
            assert not list(path.parent.iterdir()), "a file is left behind"
            image_format.write(path, image)
            assert_refused(lambda: image_format.write(path, impossible), "complex pixels")
            assert [file.name for file in path.parent.iterdir()] == [path.name], "files are left behind"
            assert np.array_equal(image_format.open(path).data, image.data), "the file of before is lost"
