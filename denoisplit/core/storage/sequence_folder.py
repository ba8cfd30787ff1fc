"""The files of a sequence of runs: denoisers, denoised images, and the splitter that was trained on them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from denoisplit.core.errors import RunError
from denoisplit.core.storage.json_records import read_mapping, write_mapping
from denoisplit.core.storage.run_folder import SEQUENCE, RunFolder

FORMAT: Final = 1
CHANNELS: Final = "channels"
CLEAN: Final = "clean"
_DATA: Final = "data"

_NAMED: Final = 4
"""Largest number of differences in a message."""


@attrs.frozen
class SequenceFolder:
    """Paths inside one folder of a sequence."""

    path: Path = attrs.field(converter=Path)

    @property
    def record(self) -> Path:
        """Specs of all runs; it marks the folder as a sequence."""
        return self.path / SEQUENCE

    @property
    def summary(self) -> Path:
        """Use of every field, and the scores; written last."""
        return self.path / "summary.json"

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.splitter.is_finished and self.summary.is_file()

    @property
    def splitter(self) -> RunFolder:
        """The run that splits denoised images."""
        return RunFolder(self.path / "split")

    def denoiser(self, name: str) -> RunFolder:
        """The run that denoises a channel or the mixed image."""
        return RunFolder(self.path / f"denoise-{file_name(name)}")

    def images(self, part: str) -> Path:
        """Folder of the denoised images of ``train``, ``validation`` or ``test``."""
        return self.path / "denoised" / part

    def image(self, part: str, number: int, kind: str) -> Path:
        """A denoised image of a field: its ``channels``, its ``mixed`` image or the ``clean`` reference."""
        return self.images(part) / f"{number:05}_{kind}.ome.tif"

    def sweep(self) -> None:
        """Remove half-written files of killed processes from all its folders."""
        for folder in (self.path, *self.path.rglob("*/")):
            if folder.is_dir():
                RunFolder(folder).sweep()

    def require_begun(self) -> None:
        """Check that a sequence was started here.

        Raises:
            RunError: no folder, or no sequence in it.
        """
        if not self.record.is_file():
            raise RunError(
                f"{self.path}: no sequence of runs (there is no {SEQUENCE}). "
                f"Give the folder that 'denoisplit train-sequence --out' wrote."
            )

    def require_same(self, differences_from: Callable[[Mapping[str, Any]], tuple[str, ...]]) -> None:
        """Check that the sequence started here, if any, has certain specs.

        Args:
            differences_from: tells where these specs differ from those of a record.

        Raises:
            RunError: its specs differ, or the folder holds something else.
        """
        if not self.record.is_file():
            RunFolder(self.path).require_free()
            return
        begun = self._begun()
        found = differences_from(begun) if begun.get("format") == FORMAT else ("format",)
        if found:
            named = "; ".join((*found[:_NAMED], *["..."] * (len(found) > _NAMED)))
            raise RunError(
                f"{self.record}: differs from the specs given with --resume (in {named}). "
                f"Continue with the same specs and options, or choose another --out."
            )

    def require_same_data(self, data: str) -> None:
        """Check that the sequence started here, if any, has images of this fingerprint.

        Raises:
            RunError: its images differ.
        """
        if self.record.is_file() and self._begun().get(_DATA) != data:
            raise RunError(
                f"{self.record}: the images are not those that it was begun with (got other pixels). "
                f"Restore the images, or choose another --out."
            )

    def begin(self, plan: Mapping[str, Any], data: str) -> None:
        """Write the specs of all runs and the fingerprint of all images."""
        write_mapping(self.record, {"format": FORMAT, **plan, _DATA: data})

    def _begun(self) -> dict[str, Any]:
        return read_mapping(self.record, "the record of a sequence", "Start in another folder.")


def file_name(name: str) -> str:
    """A channel name that is safe as part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)
