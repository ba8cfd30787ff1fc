"""Laws of data sets about clean references, recorded mixed images, and the files of a field."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import pytest
import tifffile

from denoisplit.core.errors import DenoisplitError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.io import open_image
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.testing.dataset_laws.dataset_fields import FieldTests, average_to
from denoisplit.testing.dataset_laws.layouts import PLANES_ONLY
from denoisplit.testing.dataset_laws.partner_layouts import PARTNERS, Partners
from denoisplit.testing.refusals import refusing
from denoisplit.testing.suite import in_two_and_three_dimensions

_ROLES: Final = ("observed", "clean", "mixed")


def _holed(pixels: Any) -> Any:
    pixels = pixels.astype(np.float32)
    pixels[..., 2, 3] = np.nan
    return pixels


_MISTAKES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "cropped": lambda pixels: pixels[..., :-3, :],
    "not finite": _holed,
    "constant": lambda pixels: np.full_like(pixels, 7),
}


class PartnerTests(FieldTests):
    """Laws of images that belong together; of folders whose images have partners, for denoisplit's own."""

    @property
    def partners(self) -> Partners | None:
        """The folder whose images have partners; None for data sets of other packages."""
        return PARTNERS.get(self.name())

    @contextmanager
    def with_partners(self, rank: int) -> Iterator[Any]:
        """Options of the data set, with a folder of images with partners; without, where none is known."""
        if rank == 3 and self.name() in PLANES_ONLY:
            pytest.skip("its images have no depth")
        known = self.partners
        with self.folder(rank, None if known is None else known.write) as options:
            yield options if known is None else attrs.evolve(options, **known.options)

    @in_two_and_three_dimensions
    def test_partners_are_of_the_same_field(self, rank: int) -> None:
        """No clean reference or recorded mixed image is lost; exposures in series share their reference."""
        known = self.partners
        if known is None:
            return
        with self.with_partners(rank) as options:
            fields = self.dataset(options).fields()
        assert len(fields) == known.fields, f"{len(fields)} fields are read, not {known.fields}"
        names = [field.name for field in fields]
        assert len(set(names)) == len(names), f"fields have one name: {names}"
        mixed = [field for field in fields if field.mixed is not None]
        assert bool(mixed) == known.mixed, f"{len(mixed)} fields have a recorded mixed image"
        for field in fields:
            assert field.clean is not None, f"{field.name} has lost its clean reference"
            average_to(field.name, field.clean, field.observed)
            if field.mixed is not None:
                together = np.asarray(field.clean, dtype=np.float64).sum(0)
                alike = np.corrcoef(together.ravel(), np.asarray(field.mixed, dtype=np.float64).ravel())
                assert alike[0, 1] > 0.9, f"the mixed image of {field.name} is of another field"

    @in_two_and_three_dimensions
    def test_the_files_of_a_field_are_those_that_it_was_read_from(self, rank: int) -> None:
        """In their roles, with the type of their pixels; without them, or with one twice, it is another."""
        if not self.reads_a_folder():
            return
        with self.with_partners(rank) as options:
            for field in self.dataset(options).fields():
                roles = {file.role for file in field.files}
                assert roles <= set(_ROLES), f"files of {field.name} are {roles}"
                for role, image in _images(field).items():
                    assert (role in roles) <= (image is not None), f"{field.name} has no {role} image"
                for file in field.files:
                    assert file.channel in ("", *self.channels), f"a file shows the channel {file.channel}"
                    kind = str(open_image(Path(file.path), installed_formats()).data.dtype)
                    assert file.dtype in ("", kind), f"{file.path} has pixels of {kind}, not {file.dtype}"
                if field.files:
                    types = {file.dtype for file in field.files if file.role == "observed"}
                    assert types, f"{field.name} was read without an observed image"
                    assert all(types), f"the type of the observed pixels of {field.name} is not said"

    @pytest.mark.parametrize("mistake", list(_MISTAKES))
    @pytest.mark.parametrize("role", _ROLES)
    def test_an_image_that_does_not_fit_the_others_is_refused(self, role: str, mistake: str) -> None:
        """Of other sides, with numbers that are not finite, or without any contrast: in one line."""
        if self.partners is None:
            return
        with self.with_partners(2) as options:
            for field in self.dataset(options).fields()[1::3]:
                path = next((Path(file.path) for file in field.files if file.role == role), None)
                if path is None:
                    continue
                whole = path.read_bytes()
                with tifffile.TiffFile(path) as tif:
                    axes, pixels = tif.series[0].axes, tif.series[0].asarray()
                tifffile.imwrite(path, _MISTAKES[mistake](pixels), imagej=True, metadata={"axes": axes})
                with refusing(DenoisplitError):
                    self.read(options)
                path.write_bytes(whole)


def _images(field: Field) -> dict[str, Any]:
    return {role: getattr(field, role) for role in _ROLES}
