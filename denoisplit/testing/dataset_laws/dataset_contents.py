"""Laws of data sets about what they make of their files: counts, sizes, channels, memory."""

from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final
from unittest import mock

import attrs
import numpy as np
import pytest

from denoisplit.core.errors import DenoisplitError
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import Field, PixelSize
from denoisplit.core.images.file_dataset import FileDataset
from denoisplit.core.images.io import choose_format, open_image
from denoisplit.core.images.lazy import is_lazy
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.testing.dataset_laws import layouts
from denoisplit.testing.dataset_laws.dataset_fields import other_images, pixels_of
from denoisplit.testing.dataset_laws.dataset_simulations import SimulationTests
from denoisplit.testing.dataset_laws.layouts import INSIDE, PLANES_ONLY, SIZE
from denoisplit.testing.dataset_laws.spoilt_files import files_of_every_sort, write_again
from denoisplit.testing.refusals import unless_refused
from denoisplit.testing.suite import in_two_and_three_dimensions

_MEMORY: Final = "memory"
_MEBIBYTE: Final = 2**20
_SORTS: Final = 6
"""Number of sorts of files that are spoilt."""


class ContentTests(SimulationTests):
    """Laws of the contents of fields, compared with their files."""

    def test_pixels_are_counts_of_the_files(self) -> None:
        """Never beyond the smallest or largest number in them, also in means; for denoisplit's own."""
        if not self.own:
            return
        with self.with_partners(2) as options:
            for field in self.dataset(options).fields():
                for role, pixels in (
                    ("observed", field.observed),
                    ("clean", field.clean),
                    ("mixed", field.mixed),
                ):
                    paths = {Path(file.path) for file in field.files if file.role == role}
                    if pixels is None or not paths:
                        continue
                    stored = [open_image(path, installed_formats()).pixels for path in paths]
                    low, high = min(one.min() for one in stored), max(one.max() for one in stored)
                    inside = low <= np.min(pixels) and np.max(pixels) <= high
                    assert inside, f"{role} pixels of {field.name} are beyond those of its files"

    @in_two_and_three_dimensions
    def test_the_pixel_size_is_that_of_the_files(self, rank: int) -> None:
        """Along the axes of a field; for denoisplit's own."""
        if not self.own or (rank == 3 and self.name() in PLANES_ONLY):
            return
        with self.folder(rank) as options:
            fields = self.read(options)
        for field in fields:
            found = field.pixel_size
            same = (
                found is not None
                and found.unit == "µm"
                and np.allclose(_known(found), SIZE[-rank:], rtol=1e-4)
            )
            assert same, f"{field.name} has pixels of {found}"

    def test_a_channel_alone_is_read_as_one_of_several(self) -> None:
        """With its clean references, from a folder that has no other; for denoisplit's own."""
        if not self.own or self.name() not in layouts.LAYOUTS:
            return
        with self.folder() as options:
            several = self.dataset(options).fields()
        alone = self.channels[:1]
        with self.folder(2, layouts.LAYOUTS[self.name()], alone) as options:
            one = self.read(options, alone)
        assert len(one) == len(several), f"{len(one)} fields are read, not {len(several)}"
        for field, other in zip(one, several, strict=True):
            assert not field.separate, "a channel that is alone is mixed with others"
            for what in ("observed", "clean", "mixed"):
                found, expected = getattr(field, what), getattr(other, what)
                assert (found is None) == (expected is None), f"{what} of {field.name} is lost, or made up"
                assert found is None or found.shape[0] == 1, (
                    f"{what} of {field.name} has {found.shape[0]} channels"
                )

    @pytest.mark.parametrize("inside", list(INSIDE))
    def test_images_may_be_in_files_with_several(self, inside: str) -> None:
        """Named behind the file, or found in folders; for denoisplit's own whose options are patterns."""
        container = INSIDE[inside]
        if not self.own or self.name() not in container.options:
            return
        with self.folder() as options:
            expected = [pixels_of(field) for field in self.dataset(options).fields()]
            for file in list(options.path.rglob("*.tif")):
                image = open_image(file, installed_formats())
                target = file.with_suffix(container.suffix)
                for place in container.places:
                    image_format = choose_format(target, installed_formats())
                    image_format.write(target / place, image)
                    image = attrs.evolve(image, data=image.pixels + 1)
                file.unlink()
            asked = attrs.evolve(options, **container.options[self.name()])
            found = [pixels_of(field) for field in self.dataset(asked).fields()]
        assert found == expected, "other pixels are read"

    def test_pixels_that_are_not_finite_are_no_pixels_of_a_field(self) -> None:
        """An image that has some is refused in one line, or they are filled.

        One file at a time, of some sorts, if its format can be written: see ``files_of_every_sort``.
        """
        if not self.reads_a_folder():
            return
        spoilt = 0
        with self.with_partners(2) as options:
            expected = [pixels_of(field) for field in self.read(options)]
            for file in islice(files_of_every_sort(options.path), _SORTS):
                whole = file.read_bytes()
                if write_again(file) and self._pixels_if_any(options) == expected:
                    spoilt += 1
                    for wrong in (np.nan, np.inf):
                        write_again(file, wrong)
                        self._require_finite(options, f"{file.name} holds a pixel of {wrong}")
                file.write_bytes(whole)
        if not spoilt:
            pytest.skip("no image of its folder can be written again with such pixels")

    def _require_finite(self, options: Any, known: str) -> None:
        for field in self._if_any(options):
            for what, image in (("observed image", field.observed), *other_images(field)):
                finite = bool(np.isfinite(image).all())
                assert finite, (
                    f"{known}, and so does the {what} of {field.name}: refuse it with an ImageError, or fill "
                    f"the pixel"
                )

    def _pixels_if_any(self, options: Any) -> list[bytes]:
        """Return the pixels of the fields, none where a file is none that holds an image as float32."""
        with suppress(Exception):  # an index, for example, has to be a whole number
            return [pixels_of(one) for one in self.read(options)]
        return []

    def _if_any(self, options: Any) -> tuple[Field, ...]:
        """Return the fields, none where they are refused in one line."""
        return unless_refused(partial(self.read, options), DenoisplitError) or ()

    @pytest.mark.parametrize("sides", [(24, 20), (362, 732)], ids=["small", "large"])
    def test_memory_is_counted_in_mebibytes(self, sides: tuple[int, int]) -> None:
        """A file of more MiB as float32 is read piece by piece, no other; for denoisplit's own."""
        wanted = self.own and issubclass(self.target(), FileDataset) and self.has(_MEMORY)
        large = sides != (24, 20)
        if not wanted or (large and self.name() not in layouts.FEW_PIXELS):
            return
        with pytest.MonkeyPatch.context() as patch, mock.patch.object(lazy, "LAZY_FROM", 1):
            patch.setattr(layouts, "_SIDES", sides)
            with self.folder() as options:
                fields = self.dataset(attrs.evolve(options, **{_MEMORY: 1})).fields()
                for field in fields:
                    sizes = [_as_float32(file.path) for file in field.files if file.role == "observed"]
                    assert is_lazy(field.observed) == (max(sizes) > _MEBIBYTE), (
                        f"{field.name} of {max(sizes)} bytes is in memory, or is not"
                    )


def _known(size: PixelSize) -> list[float]:
    return [np.nan if one is None else one for one in size.size]


def _as_float32(path: str) -> int:
    shape = open_image(Path(path), installed_formats()).data.shape
    return int(np.prod(shape)) * 4
