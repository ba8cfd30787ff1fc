"""A data set listed in a table: which file shows which channel of which field."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, final

import attrs
from attrs.validators import ge

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.spreadsheets import lines
from denoisplit.plugins.datasets.files import AxesOptions, SingleChannelDataset
from denoisplit.plugins.datasets.pairing import Single, leftovers, matched, paired, singles
from denoisplit.plugins.datasets.reading import require_folder

_NEEDED: Final = ("field", "channel", "file")
_COLUMNS: Final = (*_NEEDED, "kind", "split")
_KINDS: Final = ("observed", "clean", "mixed")


@attrs.frozen(kw_only=True)
class _Row:
    """One line of the table."""

    line: int
    field: str
    channel: str
    file: Path
    kind: str


@final
class Manifest(SingleChannelDataset):
    """A table with the columns field, channel, file, and, where needed, kind and split.

    Commas, semicolons or tabs separate the columns, as spreadsheets save them. Every line names one file of
    one channel. ``kind`` is ``observed`` (the default), ``clean`` or ``mixed`` (no channel), ``split`` any
    word. Fields that have a file for every channel are taken as they are. Where every field has one channel
    only, training mixes the channels anew for every patch, as ``separate_channels`` does.
    """

    @attrs.frozen(kw_only=True)
    class Options(AxesOptions):
        """Where the images are.

        Attributes:
            path: the folder that file names are relative to.
            table: name of the CSV file in it.
            split: only lines with this word in the column ``split``; empty for all lines.
            seed: seed of the pairs for validation and test, where every field has one channel.
        """

        table: str = "manifest.csv"
        split: str = ""
        seed: int = attrs.field(default=0, validator=ge(0))

    options: Options

    def fields(self) -> tuple[Field, ...]:
        """All fields, in the order in which the table names them first; float32 counts.

        Raises:
            ImageError: no table, an invalid line, a missing file, or fields of which some have all channels
                and some do not.
            ChannelCountError: a file with several channels.
        """
        fields = self._rows_by_field()
        if self._separate(fields):
            return paired(self._singles(fields), self.channels, pairing="drawn", seed=self.options.seed)
        made: list[Field] = []
        for name, rows in fields.items():
            made += self._whole(name, rows)
        return tuple(made)

    def remarks(self) -> tuple[str, ...]:
        """Images that find no partner."""
        fields = self._rows_by_field()
        return leftovers(self._singles(fields), self.channels) if self._separate(fields) else ()

    def _rows_by_field(self) -> dict[str, list[_Row]]:
        require_folder(self.options.path)
        fields: dict[str, list[_Row]] = {}
        for row in self._rows():
            own = fields.setdefault(row.field, [])
            if any((row.channel, row.kind) == (other.channel, other.kind) for other in own):
                what = f"{row.kind} image" + (f" of channel {row.channel!r}" if row.channel else "")
                raise ImageError(
                    f"{self._table}, line {row.line}: field {row.field!r} has a second {what}. "
                    f"Give every field a name of its own."
                )
            own.append(row)
        if not fields:
            asked = f" with split {self.options.split!r}" if self.options.split else ""
            raise ImageError(f"{self._table}: it names no images{asked} (got 0 lines). Add some.")
        return fields

    @property
    def _table(self) -> Path:
        return self.options.path / self.options.table

    def _rows(self) -> Iterator[_Row]:
        for number, cells in lines(self._table, _NEEDED, _COLUMNS):
            asked = self.options.split
            if any(cells.values()) and (not asked or cells.get("split", "") == asked):
                yield self._row(number, cells)

    def _row(self, line: int, cells: dict[str, str]) -> _Row:
        where = f"{self._table}, line {line}"
        kind = cells.get("kind", "") or "observed"
        if kind not in _KINDS:
            raise ImageError(f"{where}: unknown kind (got {kind!r}). Use one of {', '.join(_KINDS)}.")
        cells = dict.fromkeys(_NEEDED, "") | cells  # a short line lacks the last ones
        channel = "" if kind == "mixed" else cells["channel"]
        if kind != "mixed" and channel not in self.channels:
            raise ImageError(
                f"{where}: the spec names no such channel (got {channel!r}). "
                f"Use one of {', '.join(self.channels)}."
            )
        file = self.options.path / cells["file"]
        if not self.images.exists(file):  # tables made on Windows hold Windows paths
            file = self.options.path / cells["file"].replace("\\", "/")
        if not cells["field"] or not cells["file"] or not self.images.exists(file):
            problem = "there is no such file" if cells["field"] else "the field has no name"
            raise ImageError(f"{where}: {problem} (got {cells['file'] or 'nothing'!r}). Correct the table.")
        return _Row(line=line, field=cells["field"], channel=channel, file=file, kind=kind)

    def _separate(self, fields: dict[str, list[_Row]]) -> bool:
        """Whether every field has one channel of several."""
        observed = {
            name: [row.channel for row in rows if row.kind == "observed"] for name, rows in fields.items()
        }
        partial = [name for name, own in observed.items() if len(own) < len(self.channels)]
        if not partial:
            return False
        alone = all(len(own) == 1 for own in observed.values())
        mixed = any(row.kind == "mixed" for rows in fields.values() for row in rows)
        if alone and not mixed:
            return True
        missing = [name for name in self.channels if name not in observed[partial[0]]]
        raise ImageError(
            f"{self._table}: field {partial[0]!r} has no observed image of {', '.join(missing)}. Give every "
            f"field all channels, or every field one channel and no mixed image."
        )

    def _singles(self, fields: dict[str, list[_Row]]) -> list[list[Single]]:
        images: list[list[Single]] = [[] for _ in self.channels]
        for rows in fields.values():
            for number, channel in enumerate(self.channels):
                images[number] += self._channel(channel, rows)
        for channel, own in zip(self.channels, images, strict=True):
            if not own:
                raise ImageError(f"{self._table}: no field shows channel {channel!r}. Add its images.")
        return images

    def _channel(self, channel: str, rows: Sequence[_Row]) -> list[Single]:
        """The images of one channel of a field; none where it has none."""
        own = {row.kind: row for row in rows if row.channel == channel}
        if "observed" not in own:
            return []
        clean = self.frames(own["clean"].file) if "clean" in own else None
        return singles(channel, self.frames(own["observed"].file), clean)

    def _whole(self, name: str, rows: Sequence[_Row]) -> list[Field]:
        """The field, or one for every position along time and depth."""
        images = [self._channel(channel, rows) for channel in self.channels]
        mixed = next((self.frames(row.file) for row in rows if row.kind == "mixed"), None)
        return matched(images, mixed, self.channels, where=f"{self._table}, field {name!r}", name=name)
