"""Laws of data sets about options that cannot be met, and files that are missing, or there twice."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import pytest
import tifffile

from denoisplit.core.errors import DenoisplitError
from denoisplit.testing.dataset_laws import layouts
from denoisplit.testing.dataset_laws.dataset_fields import PATH
from denoisplit.testing.dataset_laws.dataset_partners import PartnerTests
from denoisplit.testing.dataset_laws.layouts import ONE_EACH, SEPARATE
from denoisplit.testing.refusals import is_refused

Change = Callable[[Any, str], tuple[Any, str]]
"""Function from pixels and their axes to others."""

_INDEX, _TABLE, _SPLIT, _AVERAGE, _REPEATS = "channel_index", "table", "split", "average", "repeats"
_NOT_THERE: Final = ((0, 2), (0, 3), (-1, 0), (0, -1), (3, 0), (0,), (0, 1, 0))
"""Numbers of channels that no file of two channels has, or too few or too many of them."""

_WRONG_LINES: Final = (
    "cell 0,first,first_0_observed.tif,observed,train",
    "another,first,first_0_observed.tif,blurred,train",
    "another,third,first_0_observed.tif,observed,train",
    "another,first,nowhere.tif,observed,train",
    "another,first,no\0where.tif,observed,train",
    "another,first,,observed,train",
    ",first,first_0_observed.tif,observed,train",
    "another,first,first_0_observed.tif,observed,train",
)
"""Lines that name a field twice, something that is not there, or one channel of two."""


class RefusalTests(PartnerTests):
    """Laws of what a data set refuses, in one line."""

    def refused(self, action: Callable[[], object], what: str) -> None:
        """Check that an error of denoisplit of one line is raised."""
        assert is_refused(action, DenoisplitError, what), f"{what} is not refused"

    def has(self, *options: str) -> bool:
        """Whether the component reads a folder and has these options."""
        return {PATH, *options} <= {field.alias for field in attrs.fields(self.target().Options)}

    @property
    def plain(self) -> bool:
        """Whether ``write_folder`` is that of denoisplit."""
        plain: Any = type(self).write_folder is RefusalTests.write_folder
        return bool(plain)

    @property
    def own(self) -> bool:
        """Whether the data set and its folder are denoisplit's, so that the contents are known."""
        return self.plain and self.reads_a_folder() and self.partners is not None

    def test_channels_that_are_not_there_are_refused(self) -> None:
        """For data sets with an option ``channel_index``, and files of two channels."""
        if not (self.has(_INDEX) and self.plain):
            return
        with self.folder() as options:
            for index in _NOT_THERE:
                asked = attrs.evolve(options, **{_INDEX: index})
                self.refused(partial(self.read, asked), f"channel_index {index}")

    def test_a_channel_without_images_is_refused(self) -> None:
        """Where all its files are gone, or those of all; or fields are made of images left over."""
        if not self.reads_a_folder():
            return
        for gone in (*self.channels, ""):
            with self.folder() as options:
                fields = self.dataset(options).fields()
                files = {file for field in fields for file in field.files}
                lost = {Path(file.path) for file in files if file.channel == gone or not gone}
                for path in (lost := {path for path in lost if path.is_file()}):
                    path.unlink()
                if lost and not (gone and self._fewer(options, len(fields))):
                    self.refused(partial(self.read, options), f"a folder without images of {gone or 'any'}")

    def test_files_of_something_else_are_refused(self) -> None:
        """Where every file of the folder holds a word."""
        if not self.reads_a_folder():
            return
        with self.folder() as options:
            for file in options.path.rglob("*"):
                if file.is_file():
                    file.write_bytes(b"hello")
            self.refused(partial(self.read, options), "a folder whose files hold a word")

    def _fewer(self, options: Any, count: int) -> bool:
        """Whether there are some fields, but not so many."""
        try:
            return 0 < len(self.dataset(options).fields()) < count
        except DenoisplitError:
            return False

    def test_names_are_one_for_each_channel(self) -> None:
        """Of options that list names or numbers: so many are taken, no others; for denoisplit's own."""
        if not self.own:
            return
        with self.folder() as options:
            for option, values in layouts.WORDS[self.name()].items():
                for listed in (one for one in values if isinstance(one, tuple) and one and option != "clean"):
                    names = listed[::-1]  # the order in which the layout has its channels
                    asked = attrs.evolve(options, **{option: names})
                    assert self.dataset(asked).fields(), f"no field is read with {option}={names}"
                    for wrong in (names[:1], (*names, *names[:1])):
                        other = attrs.evolve(options, **{option: wrong})
                        self.refused(partial(self.read, other), f"{option}={wrong}")

    def test_partners_must_be_of_the_same_number_and_side(self) -> None:
        """An image with one position more than those that it belongs to, or of other sides, is refused."""
        known = self.partners
        if known is None:
            return
        if known.counted:
            with self.with_partners(2) as options:
                for path in self._files(options, ("clean", "mixed")):
                    self._refused_with(options, path, _with_one_more)
        with self.folder() as options:
            for path in self._files(options, ("observed",), of_one_channel=True):
                self._refused_with(options, path, lambda pixels, axes: (pixels[..., :-3, :], axes))

    def _refused_with(self, options: Any, path: Path, change: Change) -> None:
        """Check that a data set is refused when one of its files is another, and put that back."""
        whole = path.read_bytes()
        with tifffile.TiffFile(path) as tif:
            axes, pixels = tif.series[0].axes, tif.series[0].asarray()
        pixels, axes = change(pixels, axes)
        tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": axes})
        self.refused(partial(self.read, options), f"{path.name} of the shape {pixels.shape}")
        path.write_bytes(whole)

    def _files(self, options: Any, roles: tuple[str, ...], *, of_one_channel: bool = False) -> Iterator[Path]:
        """Yield a file of every role and channel."""
        seen = set()
        for field in self.dataset(options).fields()[1::3]:
            for file in field.files:
                known = (file.role, file.channel)
                if file.role in roles and known not in seen and (file.channel or not of_one_channel):
                    seen.add(known)
                    yield Path(file.path)

    def test_images_that_are_there_twice_are_refused(self) -> None:
        """With the same name but for its ending, where each has its place; for denoisplit's own."""
        known = self.partners
        if known is None:
            return
        with self.with_partners(2) as options:
            for path in self._files(options, known.twice):
                other = path.with_suffix(".tiff")
                other.write_bytes(path.read_bytes())
                self.refused(partial(self.read, options), f"{path.name} beside {other.name}")
                other.unlink()

    def test_exposures_are_used_once(self) -> None:
        """For data sets with options ``average`` and ``repeats``: not more than there are, none twice."""
        if not (self.has(_AVERAGE, _REPEATS) and self.own):
            return

        with self.folder() as options:

            def fields(average: int, repeats: int) -> Any:
                return self.dataset(attrs.evolve(options, average=average, repeats=repeats)).fields()

            for average, repeats in ((layouts.EXPOSURES + 1, 0), (1, layouts.EXPOSURES)):
                self.refused(partial(fields, average, repeats), f"average={average}, {repeats} repeats")
            half = layouts.EXPOSURES // 2
            self.refused(partial(fields, half, 2), "half of the exposures three times")
            for field in fields(half, 1):
                assert field.clean is None, (
                    "a clean reference is made of exposures that are noisy images, too"
                )
            for one, two in zip(fields(1, 3), fields(2, 1), strict=True):
                single = np.stack([one.observed, *one.repeats])
                pairs = np.stack([two.observed, *two.repeats])
                error = np.abs(pairs - single.reshape(2, 2, *single.shape[1:]).mean(1)).max()
                assert error < 1e-2, "the mean of two exposures is not that of the first two"

    def test_a_split_is_the_part_with_its_word(self) -> None:
        """For data sets of denoisplit with options ``table`` and ``split``."""
        if not (self.has(_TABLE, _SPLIT) and self.own):
            return
        with self.folder() as options:

            def names(word: str) -> set[str]:
                fields = self.dataset(attrs.evolve(options, **{_SPLIT: word})).fields()
                return {field.name for field in fields}

            parts = [names(word) for word in layouts.SPLITS]
            assert [len(part) for part in parts] == list(layouts.SPLITS.values()), "parts have other fields"
            assert set.union(*parts) == names(""), "the parts are not the whole"
            self.refused(partial(names, "none such"), "a word that no line has")

    def test_a_wrong_line_is_refused(self) -> None:
        """For data sets of denoisplit with an option ``table``."""
        if not (self.has(_TABLE) and self.own):
            return
        with self.folder() as options:
            table = options.path / options.table
            right = table.read_text("utf-8")
            for line in _WRONG_LINES:
                table.write_text(f"{right}{line}\n", "utf-8")
                self.refused(partial(self.read, options), f"the line {line!r}")

    def test_fields_of_one_channel_each_are_of_separate_places(self) -> None:
        """For data sets of denoisplit that take both sorts of fields; a mixture of both is refused."""
        if self.name() not in ONE_EACH:
            return
        with self.folder(2, ONE_EACH[self.name()]) as options:
            dataset = self.dataset(options)
            fields = dataset.fields()
            assert len(fields) == layouts.FIELDS, f"{len(fields)} pairs are made of {layouts.FIELDS} images"
            assert all(field.separate for field in fields), "their channels are of one place"
            assert dataset.remarks(), "nothing is said about images that are left out"
            table = options.path / options.table
            right = table.read_text("utf-8")
            for line in ("first 0;second;second_0.tif", "more;first;first_0.tif\nmore;second;second_0.tif"):
                table.write_text(f"{right}{line}\n", "utf-8")
                self.refused(dataset.fields, "a table of fields of one channel and of all")
            head, *rows = right.splitlines()
            mixed = [f"{row};observed" for row in rows]
            lines = (f"{head};kind", *mixed, "first 0;;second_0.tif;mixed")
            table.write_text("\n".join(lines) + "\n", "utf-8")
            self.refused(dataset.fields, "a mixed image of one channel")
            table.write_text("\n".join([head, *(row for row in rows if ";first;" in row)]) + "\n", "utf-8")
            self.refused(dataset.fields, "a table without images of a channel")

    def test_remarks_tell_what_is_left_out(self) -> None:
        """And whether channels have pixels of other sizes; for denoisplit's own."""
        if not self.own:
            return
        with self.folder() as options:
            said = self.dataset(options).remarks()
        assert len(said) == (self.name() in layouts.LEFT_OUT), f"the remarks are {said}"
        assert all("\n" not in remark and remark.endswith(".") for remark in said), f"{said}: no sentences"
        if self.name() not in SEPARATE:
            return
        write = layouts.LAYOUTS[self.name()]
        with self.folder(2, write, self.channels[:1]) as options:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(layouts, "SIZE", (0.5, 0.4, 0.4))
                write(options.path, self.channels[1:], 2)
            sizes = self.dataset(options).remarks()
        assert len(sizes) == 1, f"of channels with pixels of other sizes, the remarks are {sizes}"


def _with_one_more(pixels: Any, axes: str) -> tuple[Any, str]:
    """Add a position along time."""
    if axes.startswith("T"):
        return np.concatenate([pixels, pixels[:1]]), axes
    return np.stack([pixels, pixels]), f"T{axes}"
