"""Laws of image formats about files of other programs."""

from contextlib import nullcontext
from functools import partial
from typing import ClassVar

import attrs
import numpy as np

from denoisplit.core.images.bases import ImageFormat
from denoisplit.core.images.writing import RegionWriter
from denoisplit.testing.image_files.foreign_files import Foreign, foreign_files
from denoisplit.testing.image_files.image_cases import (
    assert_refused,
    nothing_is_logged,
    path_for,
    read_in_pieces,
    with_holes,
)
from denoisplit.testing.image_files.image_comparison import same_image
from denoisplit.testing.image_files.image_readers import LARGE, READERS
from denoisplit.testing.image_files.written_files import WRITTEN
from denoisplit.testing.suite import ComponentTests


class ForeignFileTests(ComponentTests):
    """Laws of files that the format did not write."""

    kind: ClassVar[str] = "image_format"

    def foreign(self) -> tuple[Foreign, ...]:
        """Return files of other programs; denoisplit has some for its own formats."""
        return foreign_files(self.name())

    def test_other_programs_read_what_is_written(self) -> None:
        """Pixels, sizes, names and smaller copies, where they look for them; for denoisplit's formats."""
        for reader in READERS.get(self.name(), ()):
            options = attrs.evolve(self.defaults(), **reader.options)
            with path_for(reader.suffix) as path:
                self.target()(options).write(path, reader.image)
                reader.check(path, reader.image)

    def test_files_of_more_than_4_gib_are_written(self) -> None:
        """With holes, so that they take no room: only the last pixel is written; for denoisplit's formats."""
        for large in LARGE.get(self.name(), ()):
            image_format: ImageFormat = self.target()(self.defaults())
            last = tuple(slice(side - 1, side) for side in large.layout.shape)
            with path_for(large.suffix) as path, with_holes():
                writer = image_format.create(path, large.layout)
                writer.write(last, np.full((1,) * len(last), 7, large.layout.dtype))
                assert isinstance(writer, RegionWriter)
                writer._missing = 0  # the others are in the hole
                writer.finish()
                large.check(path)
                found = image_format.open(path)
                assert (found.axes, found.data.shape) == (large.layout.axes, large.layout.shape)
                assert int(np.asarray(found.data[last]).item()) == 7, "the last pixel is another"

    def test_an_image_is_written_beside_others(self) -> None:
        """In a file that a format ``writes_inside``: the others stay, and it is replaced alone."""
        image_format: ImageFormat = self.target()(self.smallest())
        if not image_format.writes_inside:
            return
        one, two, three = (attrs.evolve(WRITTEN, data=WRITTEN.pixels + number) for number in range(3))
        with path_for(image_format.suffixes[-1]) as path:
            path.write_text("hello", encoding="utf-8")
            assert not image_format.may_replace(path), "a file of something else may be replaced"
            assert not image_format.may_replace(path / "one"), "an image of no such file may be replaced"
            path.unlink()
            for name, image in (("one", one), ("two/deep", two), ("two/more", two), ("one", three)):
                assert image_format.is_taken(path / name) == (image is three), f"{name} is taken, or is not"
                image_format.write(path / name, image)
                assert image_format.may_replace(path / name), f"{name} may not be replaced"
            same_image(three, image_format.open(path / "one"))
            for name in ("deep", "more"):
                same_image(two, image_format.open(path / "two" / name))
            assert image_format.is_taken(path), "a file with images is not taken"
            assert not image_format.may_replace(path), "a file with two images may be replaced"
            assert not image_format.may_replace(path / "two"), "a group may be replaced"
            for wrong in ("one/more", "two"):
                assert_refused(partial(image_format.write, path / wrong, one), f"an image called {wrong}")
            assert_refused(partial(image_format.open, path), "a file with two images")

    def test_files_of_other_programs_are_read_or_refused(self) -> None:
        """With their metadata, also where images are too large to be read at once; refused in one line.

        Beside that line, no library logs a warning.
        """
        image_format: ImageFormat = self.target()(self.smallest())
        for one in self.foreign():
            for pieces in (nullcontext, read_in_pieces):
                with path_for(one.name) as path, pieces(), nothing_is_logged(f"{one.name} ({one.what})"):
                    one.write(path)
                    opened = partial(image_format.open, path / one.inside, axes=one.axes)
                    if one.image is None:
                        assert_refused(lambda of=opened: np.array(of().data), f"{one.name} ({one.what})")
                        continue
                    found = opened()
                    try:
                        same_image(one.image, found)
                    except AssertionError as error:
                        raise AssertionError(f"{one.name} ({one.what}): {error}") from error
                    kinds = found.data.dtype.newbyteorder("="), one.image.data.dtype.newbyteorder("=")
                    assert kinds[0] == kinds[1], f"{one.name} ({one.what}): {kinds[0]}, not {kinds[1]}"
