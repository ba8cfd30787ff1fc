"""Conformance suite for data sets."""

import itertools
import tempfile
from functools import partial
from pathlib import Path
from unittest import mock

import attrs
import numpy as np
import pytest
from hypothesis import strategies as st

from denoisplit.core.errors import DenoisplitError, ImageError
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import Image, ImageFormat
from denoisplit.core.images.file_dataset import FileDataset
from denoisplit.core.images.io import choose_format
from denoisplit.core.images.lazy import is_lazy
from denoisplit.core.images.splits import Split, split_fields
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.testing.dataset_laws.dataset_contents import ContentTests
from denoisplit.testing.dataset_laws.dataset_fields import PATH, other_images, pixels_of
from denoisplit.testing.global_generators import leaving_generators_alone
from denoisplit.testing.refusals import refusing, unless_refused
from denoisplit.testing.suite import in_two_and_three_dimensions, tried

_MEMORY = "memory"


class DatasetTests(ContentTests):
    """Laws of data sets: the same fields every time, none of them twice, channels as named.

    A data set with an option ``path`` gets a folder to read. If it reads another layout than ``write_folder``
    makes, override that method. A data set without that option makes its own images and is examined as is.
    """

    @in_two_and_three_dimensions
    @tried(4, data=st.data())
    def test_no_field_is_in_two_splits(self, rank: int, data: st.DataObject) -> None:
        """By any rule: splits share no field, by name or by pixels."""
        with self.drawn(data, rank) as options:
            fields = self.fields_of(options, rank)
        names = [field.name for field in fields]
        assert len(set(names)) == len(names), "two fields have the same name"
        assert len({pixels_of(field) for field in fields}) == len(fields), "two fields have the same pixels"
        for field, other in itertools.permutations(fields, 2):
            same = other.clean is not None and np.array_equal(field.observed, other.clean)
            assert not same, f"{field.name} is the clean reference of {other.name}, and a field of its own"
        for rule in ("random", "test_first", "interleaved"):
            split = Split(rule=rule, test_fraction=0.0 if rule == "random" else 0.3)
            try:
                parts = split_fields(fields, split, 0.3, 0)
            except ImageError:
                continue  # too few fields for this rule
            counted = [pixels_of(field) for part in parts for field in part]
            assert len(set(counted)) == len(counted), f"by the rule {rule} a field is in two splits"
            assert len(counted) == len(fields), f"by the rule {rule} a field is in no split"

    @in_two_and_three_dimensions
    @tried(3, data=st.data())
    def test_reading_twice_gives_the_same_fields(self, rank: int, data: st.DataObject) -> None:
        """From the same object, and from a new one."""
        with self.drawn(data, rank) as options:
            dataset = self.dataset(options)
            first, second, third = dataset.fields(), dataset.fields(), self.dataset(options).fields()
        for other in (second, third):
            assert [f.name for f in other] == [f.name for f in first], "the fields have another order"
            same = all(pixels_of(one) == pixels_of(two) for one, two in zip(first, other, strict=True))
            assert same, "the fields have other pixels when they are read again"

    @tried(2, data=st.data())
    def test_the_global_generators_are_left_alone(self, data: st.DataObject) -> None:
        """Reading and simulating leave those of ``random``, ``numpy.random`` and torch as they are."""
        with self.drawn(data, 2) as options, leaving_generators_alone("reading"):
            for field in self.dataset(options).fields():
                for image in (field.observed, *(image for _, image in other_images(field))):
                    np.asarray(image)

    @in_two_and_three_dimensions
    @tried(4, data=st.data())
    def test_fields_have_the_named_channels(self, rank: int, data: st.DataObject) -> None:
        """[c (z) y x] in float32, and other images alike; finite, with a size for every axis.

        Where their mixed image was recorded, channels show one place.
        """
        with self.drawn(data, rank) as options:
            fields = self.fields_of(options, rank)
        assert fields, "there are no fields"
        for field in fields:
            observed = field.observed
            assert observed.shape[0] == len(self.channels), f"{field.name} has {observed.shape[0]} channels"
            assert observed.dtype == np.float32, f"{field.name} has pixels of {observed.dtype}"
            assert bool(np.isfinite(observed).all()), f"{field.name} has pixels that are not finite"
            assert field.name.strip(), "a field has no name"
            for one, two in itertools.combinations(range(len(observed)), 2):
                same = np.array_equal(observed[one], observed[two])
                assert not same, f"{field.name} has the same pixels in channels {one} and {two}"
            for what, image in other_images(field):
                shape = (1, *observed.shape[1:]) if image is field.mixed else observed.shape
                assert image.shape == shape, f"the {what} of {field.name} has the shape {image.shape}"
                assert image.dtype == np.float32, (
                    f"the {what} of {field.name} has pixels of {image.dtype}, not of float32"
                )
                finite = bool(np.isfinite(image).all())
                assert finite, f"the {what} of {field.name} has pixels that are not finite"
            if field.mixed is not None:
                assert not field.separate, f"{field.name} has a mixed image of channels of separate places"
            axes = observed.ndim - 1
            assert axes in (2, 3), f"{field.name} has {axes} spatial axes"
            assert not self.reads_a_folder() or axes == rank, f"{field.name} has {axes} axes, not {rank}"
            size = field.pixel_size
            assert size is None or len(size.size) == axes, f"the pixel size of {field.name} has other axes"

    @in_two_and_three_dimensions
    @tried(3, data=st.data())
    def test_never_another_number_of_channels_than_named(self, rank: int, data: st.DataObject) -> None:
        """A request for one more channel, or for the first alone, is met, or refused in one line."""
        with self.drawn(data, rank) as options:
            for names in ((*self.channels, "one more"), self.channels[:1]):
                fields = unless_refused(partial(self.read, options, names), DenoisplitError)
                if fields is None:
                    continue
                counts = {field.observed.shape[0] for field in fields}
                assert counts == {len(names)}, f"fields of {counts} channels come for {len(names)} names"
                apart = any(field.separate for field in fields) and len(names) == 1
                assert not apart, "a channel that is alone is mixed with others"

    @in_two_and_three_dimensions
    def test_images_may_be_in_a_format_of_another_package(self, rank: int) -> None:
        """A data set of image files takes what its formats read, and gives the same fields.

        The TIFF files of ``write_folder`` are renamed for a format that nobody else has.
        """
        if not (self.reads_a_folder() and issubclass(self.target(), FileDataset)):
            return
        with self.with_partners(rank) as options:
            expected = self.dataset(options).fields()
            for file in list(options.path.rglob("*")):
                if file.suffix == ".tif":
                    file.rename(file.with_suffix(_Foreign.suffixes[0]))
                elif file.is_file():
                    file.write_text(file.read_text("utf-8").replace(".tif", _Foreign.suffixes[0]), "utf-8")
            try:
                found = self.reading([*installed_formats(), _Foreign()], options).fields()
            except DenoisplitError as error:
                pytest.fail(f"images in a format of another package are refused: {error}")
        same = [pixels_of(field) for field in found] == [pixels_of(field) for field in expected]
        assert same, "the fields have other pixels when their images are in a format of another package"

    @in_two_and_three_dimensions
    def test_fields_read_piece_by_piece_are_those_in_memory(self, rank: int) -> None:
        """A data set with an option ``memory`` (MiB) reads large files lazily.

        Here ``memory`` is 0, so that small files count as large.
        """
        names = {field.alias for field in attrs.fields(self.target().Options)}
        if not (self.reads_a_folder() and _MEMORY in names):
            return
        with self.with_partners(rank) as options, mock.patch.object(lazy, "LAZY_FROM", 1):
            whole = self.dataset(attrs.evolve(options, **{_MEMORY: 1024})).fields()
            large = self.dataset(attrs.evolve(options, **{_MEMORY: 0})).fields()
            assert [field.name for field in large] == [field.name for field in whole]
            for one, other in zip(large, whole, strict=True):
                for kind in ("observed", "clean", "mixed", "repeats"):
                    found, expected = getattr(one, kind), getattr(other, kind)
                    assert (found is None) == (expected is None), f"{kind} of {one.name} depends on memory"
                    if expected is None:
                        continue
                    assert is_lazy(found), f"{kind} of {one.name} is in memory as a whole"
                    part = tuple(slice(side // 3, side) for side in expected.shape)
                    same = np.array_equal(found[part], expected[part]) and np.array_equal(found, expected)
                    assert same, f"{kind} of {one.name} has other pixels when it is read piece by piece"

    def test_a_folder_that_is_not_there_is_refused(self) -> None:
        """With an ``ImageError`` of one line."""
        if not self.reads_a_folder():
            return
        with tempfile.TemporaryDirectory() as folder:
            options = attrs.evolve(self.smallest(), **{PATH: Path(folder) / "nowhere"})
            with refusing(ImageError):
                self.read(options)


class _Foreign(ImageFormat):
    """TIFF under a suffix that only this format knows."""

    suffixes = (".tif_of_another_package",)

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        return choose_format(Path("image.tif"), installed_formats()).open(path, axes=axes)

    def write(self, path: Path, image: Image) -> None:
        raise ImageError(f"{path}: this format is only read (got axes {image.axes}). Write TIFF.")
