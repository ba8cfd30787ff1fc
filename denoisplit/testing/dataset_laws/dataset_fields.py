"""Test cases for data sets, and the laws about the contents of their fields."""

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from denoisplit.core.errors import DenoisplitError, ImageError
from denoisplit.core.images.bases import Dataset, Field, ImageFormat
from denoisplit.core.images.file_dataset import FileDataset
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.testing import strategies
from denoisplit.testing.dataset_laws import layouts
from denoisplit.testing.dataset_laws.layouts import (
    BRIGHTER,
    IDLE,
    LAYOUTS,
    PLANES_ONLY,
    SEPARATE,
    WORDS,
    Writer,
)
from denoisplit.testing.option_effects import Trace, assert_options_have_effects
from denoisplit.testing.suite import (
    ComponentTests,
    examples,
    in_two_and_three_dimensions,
    not_examined,
    tried,
    usable,
)

PATH = "path"
"""The option that marks a data set that reads a folder."""

_INDEX = "channel_index"
_COMPARED = 6
"""Number of exposures whose noise is compared."""


class FieldTests(ComponentTests):
    """Laws of the contents of fields.

    Attributes:
        channels: names of the channels to ask for.
    """

    kind: ClassVar[str] = "dataset"
    channels: ClassVar[tuple[str, ...]] = ("first", "second")

    def options(self) -> st.SearchStrategy[Any]:
        """Options to examine the component with; those of denoisplit that name files get suitable values."""
        words = WORDS.get(self.name(), {})
        return strategies.options(
            self.target().Options, **{option: st.sampled_from(values) for option, values in words.items()}
        )

    def reads_a_folder(self) -> bool:
        """Whether the component has an option ``path``."""
        return PATH in {field.alias for field in attrs.fields(self.target().Options)}

    def write_folder(self, folder: Path, rank: int) -> None:
        """Fill a folder with noisy fields of all channels, in the layout that the data set reads.

        By default ``field_0.tif`` and so on, for ImageJ; denoisplit's data sets with a layout of their own
        get that.
        """
        name = self.name()
        if rank == 3 and name in PLANES_ONLY:
            pytest.skip("its images have no depth")
        if name not in LAYOUTS:
            self._know_layout()
        LAYOUTS.get(name, layouts.folder)(folder, self.channels, rank)

    def _know_layout(self) -> None:
        """Leave the law unexamined where a folder of plain TIFF files is none that the data set reads."""
        with self.folder(2, layouts.folder) as options:
            try:
                self.read(options)
            except ImageError as error:
                not_examined(
                    f"a folder of TIFF files is refused ({error}): run the tests of its package, or name a "
                    f"suite whose `write_folder` writes the layout that it reads"
                )

    @contextmanager
    def folder(
        self, rank: int = 2, write: Writer | None = None, channels: tuple[str, ...] = ()
    ) -> Iterator[Any]:
        """Options of the data set with a folder that ``write`` fills; by default ``write_folder``."""
        with tempfile.TemporaryDirectory() as name:
            if write is None:
                self.write_folder(Path(name), rank)
            else:
                write(Path(name), channels or self.channels, rank)
            yield attrs.evolve(self.smallest(), **{PATH: Path(name)})

    def read(self, options: Any, channels: tuple[str, ...] | None = None) -> tuple[Field, ...]:
        """Return the fields of a data set."""
        return self.dataset(options, channels).fields()

    def dataset(self, options: Any, channels: tuple[str, ...] | None = None) -> Dataset:
        """Return a data set of the named channels."""
        return self.reading(installed_formats(), options, channels)

    def reading(
        self, formats: Sequence[ImageFormat], options: Any, channels: tuple[str, ...] | None = None
    ) -> Dataset:
        """Return a data set that reads images of these formats."""
        known = {"formats": formats} if issubclass(self.target(), FileDataset) else {}
        made: Dataset = self.target()(options, channels=channels or self.channels, **known)
        return made

    @contextmanager
    def drawn(self, data: st.DataObject, rank: int) -> Iterator[Any]:
        """Draw options; the simplest ones with a folder of images where the data set reads one."""
        if not self.reads_a_folder():
            yield usable(data, self.options(), lambda one: (self.dataset(one), one)[1], (DenoisplitError,))
            return
        with self.folder(rank) as options:
            yield options

    def fields_of(self, options: Any, rank: int) -> tuple[Field, ...]:
        """Return all fields; skip the test in three dimensions where they do not come from a folder."""
        if rank == 3 and not self.reads_a_folder():
            pytest.skip("it makes images of its own, of as many dimensions as it likes")
        return self.read(options)

    @tried(3, data=st.data())
    def test_clean_references_are_what_the_noise_was_added_to(self, data: st.DataObject) -> None:
        """Observations average to the clean reference, in the same counts; repeats are further exposures."""
        with self.drawn(data, 2) as options:
            fields = self.fields_of(options, 2)
        for field in fields:
            if field.clean is not None:
                average_to(field.name, field.clean, field.observed)
                for repeat in field.repeats if field.repeats is not None else ():
                    average_to(field.name, field.clean, repeat)
            for repeat in field.repeats if field.repeats is not None else ():
                new = not np.array_equal(repeat, field.observed)
                assert new, f"a repeat of {field.name} is no new exposure"

    def test_the_noise_of_every_exposure_is_its_own(self) -> None:
        """No two fields or repeats share noise, in the same place or shifted."""
        with self.folder() if self.reads_a_folder() else nullcontext(self.defaults()) as options:
            fields = self.read(options)[:_COMPARED]
        noise = []
        for field in fields:
            if field.clean is not None:
                exposures = [field.observed, *(field.repeats if field.repeats is not None else ())]
                noise += [(seen.astype(np.float64) - field.clean).ravel() for seen in exposures]
        for one, two in itertools.combinations(noise[:_COMPARED], 2):
            if one.size == two.size:
                together = largest_correlation(one, two)
                assert together < 8 / one.size**0.5 + 0.02, (
                    f"the noise of two exposures is the same in part (correlation {together:.2f})"
                )

    @in_two_and_three_dimensions
    def test_channels_come_in_the_order_of_their_names(self, rank: int) -> None:
        """In the folders of ``write_folder``, every channel is brighter than the one before.

        Channels of one file show one place, and are not ``separate``.
        """
        own: Any = type(self).write_folder is FieldTests.write_folder
        if not (self.reads_a_folder() and own):
            return
        with self.folder(rank) as options:
            plain = self.read(options)
            for field in plain:
                apart = self.name() in SEPARATE
                assert field.separate == apart, f"channels of {field.name} are of one place, or are not"
                for image in (field.observed, field.clean):
                    means = [] if image is None else [float(np.mean(one)) for one in image]
                    ratios = [two / one for one, two in itertools.pairwise(means)]
                    ordered = all(BRIGHTER / 2 < ratio < 2 * BRIGHTER for ratio in ratios)
                    assert ordered, f"{field.name} has channels in another order than their names"
            if _INDEX not in {field.alias for field in attrs.fields(type(options))}:
                return
            turned = tuple(reversed(range(len(self.channels))))
            other = self.dataset(attrs.evolve(options, **{_INDEX: turned})).fields()
        for one, two in zip(other, plain, strict=True):
            same = np.array_equal(np.asarray(one.observed), np.asarray(two.observed)[list(turned)])
            assert same, f"channel_index {turned} gives other channels of {two.name}"

    def test_every_option_has_an_effect(self) -> None:
        """On the fields, their names, or whether there are any."""
        with tempfile.TemporaryDirectory() as folder:
            known = {}
            if self.reads_a_folder():
                self.write_folder(Path(folder), 2 if self.name() in PLANES_ONLY else 3)
                if "clean" in WORDS.get(self.name(), {}):
                    layouts.partners(Path(folder), self.channels, 3)
                known = {PATH: Path(folder)}

            def trace(options: Any) -> Trace:
                fields = self.dataset(attrs.evolve(options, **known)).fields()
                seen = []
                for field in fields:
                    arrays = (field.observed, field.clean, field.mixed, field.repeats)
                    found = [torch.as_tensor(np.array(a, dtype=np.float64)) for a in arrays if a is not None]
                    seen += [(field.name, one) for one in found]
                    seen.append((f"separate {field.separate} {field.pixel_size}", torch.zeros(())))
                return tuple(seen)

            unseen = self.unseen | IDLE.get(self.name(), frozenset())
            unseen |= {PATH, "memory"} if known else frozenset()
            if attrs.fields(self.target().Options):
                drawn = examples(self.options())
                assert_options_have_effects(drawn, trace, unseen=unseen)


def largest_correlation(one: Any, two: Any) -> float:
    """Return the largest correlation of two rows of numbers over all shifts."""
    spectra = [np.fft.rfft((row - row.mean()) / (row.std() or 1.0)) for row in (one, two)]
    return float(np.abs(np.fft.irfft(spectra[0] * spectra[1].conj(), one.size)).max() / one.size)


def pixels_of(field: Field) -> bytes:
    """Return the observed pixels of a field, to compare."""
    return np.ascontiguousarray(field.observed).tobytes()


def other_images(field: Field) -> Iterator[tuple[str, Any]]:
    """Yield the images of a field beside the observed one, single exposures, with a word for each."""
    for what, image in (("clean reference", field.clean), ("mixed image", field.mixed)):
        if image is not None:
            yield what, image
    for repeat in field.repeats if field.repeats is not None else ():
        yield "repeat", repeat


def average_to(name: str, clean: Any, observed: Any) -> None:
    """Check the regression of noisy on clean pixels: slope 1 and no offset beyond chance in any channel."""
    for signal, noisy in zip(clean.astype(np.float64), observed.astype(np.float64), strict=True):
        noise = noisy - signal
        assert noise.std() > 0, f"an observation of {name} is its clean reference"
        error = 6 * noise.std() / np.sqrt(noise.size)
        assert abs(noise.mean()) < error, (
            f"an observation of {name} lies {noise.mean():.3g} counts from its clean reference on average"
        )
        if signal.std() > 0:
            standard = (signal - signal.mean()) / signal.std()
            assert abs(float((standard * noise).mean())) < 2 * error, (
                f"an observation of {name} has other units than its clean reference"
            )
