"""The part of the exam of an image format that concerns files of other programs."""

from contextlib import nullcontext
from functools import partial
from typing import ClassVar

import numpy as np

from denoisplit.core.images.interfaces import ImageFormat
from denoisplit.testing.foreign_files import Foreign, foreign_files
from denoisplit.testing.image_cases import assert_refused, path_for, read_in_pieces
from denoisplit.testing.image_comparison import same_image
from denoisplit.testing.suite import ComponentTests


class ForeignFileTests(ComponentTests):
    """Laws of files that the format did not write."""

    kind: ClassVar[str] = "image_format"

    def foreign(self) -> tuple[Foreign, ...]:
        """Files of other programs; denoisplit has some for its own formats."""
        return foreign_files(self.name())

    def test_files_of_other_programs_are_read_or_refused(self) -> None:
        """With what they say, also where images are too large to be read at once; one line says why not."""
        image_format: ImageFormat = self.target()(self.smallest())
        for one in self.foreign():
            for pieces in (nullcontext, read_in_pieces):
                with path_for(one.name) as path, pieces():
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
