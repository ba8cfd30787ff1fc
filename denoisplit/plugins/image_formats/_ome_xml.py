"""OME-XML: the description of the images of a file, or of a set of files."""

from typing import Final
from xml.parsers import expat

import attrs

_PIXELS: Final = ("OME", "Image", "Pixels")
_DIGITS: Final = 19
_UUID: Final = (*_PIXELS, "TiffData", "UUID")


@attrs.frozen
class TiffData:
    """The pages that hold some of the planes of an image.

    Attributes:
        said: attributes of the element: ``IFD``, ``FirstZ``, ``PlaneCount``, ...
        file: name of the file that has the pages; empty for this one.
        uuid: identifier of that file; empty where it is not given.
    """

    said: dict[str, str]
    file: str = ""
    uuid: str = ""

    def number(self, key: str, otherwise: int) -> int:
        """Return the whole number under a key; ``otherwise`` where it is missing or negative."""
        return whole(self.said.get(key), otherwise)


@attrs.frozen
class OmeImage:
    """One image.

    Attributes:
        name: name of the image.
        pixels: attributes of ``Pixels``: sizes, order of the axes, physical sizes.
        channels: attributes of every ``Channel``.
        data: pages of its planes.
    """

    name: str
    pixels: dict[str, str]
    channels: tuple[dict[str, str], ...]
    data: tuple[TiffData, ...]


@attrs.frozen
class Ome:
    """An OME-XML document.

    Attributes:
        uuid: identifier of the file that it is in; empty where it is not given.
        images: images in the order of the document.
        elsewhere: name of the file that has the metadata, in a ``BinaryOnly`` document; else empty.
        elsewhere_uuid: identifier of that file.
        modulo: whether axes such as lifetimes or angles are interleaved with others.
    """

    uuid: str
    images: tuple[OmeImage, ...]
    elsewhere: str
    elsewhere_uuid: str
    modulo: bool


def whole(text: str | None, otherwise: int) -> int:
    """Read a whole number; ``otherwise`` where it is missing or negative."""
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < _DIGITS else otherwise


def parse_ome(text: str) -> Ome | None:
    """Parse a document; None where it is damaged or not OME-XML."""
    if "<" not in text:
        return None
    reader = _Reader()
    try:
        reader.read(text)
    except (expat.ExpatError, ValueError):
        return None
    return reader.document()


@attrs.define
class _Draft:
    """An image whose elements are still being read."""

    name: str
    pixels: dict[str, str] = attrs.field(factory=dict)
    channels: list[dict[str, str]] = attrs.field(factory=list)
    data: list[TiffData] = attrs.field(factory=list)

    def finished(self) -> OmeImage:
        return OmeImage(self.name, self.pixels, tuple(self.channels), tuple(self.data))


class _Reader:
    """Collects elements by their path, not by name alone: annotations, too, have elements named Channel."""

    def __init__(self) -> None:
        self._path: tuple[str, ...] = ()
        self._root: dict[str, str] = {}
        self._images: list[_Draft] = []
        self._elsewhere: dict[str, str] = {}
        self._modulo = False

    def read(self, text: str) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.buffer_text = True
        parser.Parse(text.strip("\0 \r\n\t"), True)

    def document(self) -> Ome | None:
        if not self._images and not self._elsewhere:
            return None
        return Ome(
            uuid=self._root.get("UUID", ""),
            images=tuple(draft.finished() for draft in self._images),
            elsewhere=self._elsewhere.get("MetadataFile", ""),
            elsewhere_uuid=self._elsewhere.get("UUID", ""),
            modulo=self._modulo,
        )

    def _start(self, name: str, said: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        self._path = (*self._path, local)
        place = self._path
        if place == ("OME",):
            self._root = said
        elif place == ("OME", "BinaryOnly"):
            self._elsewhere = said
        elif place == ("OME", "Image"):
            self._images.append(_Draft(said.get("Name", "")))
        elif place == _PIXELS:
            self._images[-1].pixels = said
        elif place == (*_PIXELS, "Channel"):
            self._images[-1].channels.append(said)
        elif place == (*_PIXELS, "TiffData"):
            self._images[-1].data.append(TiffData(said))
        elif place == _UUID:
            self._data[-1] = attrs.evolve(self._data[-1], file=said.get("FileName", ""))
        elif local.startswith("ModuloAlong"):
            self._modulo = True

    def _end(self, _name: str) -> None:
        self._path = self._path[:-1]

    def _text(self, text: str) -> None:
        if self._path == _UUID:
            self._data[-1] = attrs.evolve(self._data[-1], uuid=text.strip())

    @property
    def _data(self) -> list[TiffData]:
        return self._images[-1].data
