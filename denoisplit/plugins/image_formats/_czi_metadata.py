"""Metadata of CZI files, read from their XML."""

from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

import attrs

from denoisplit.core.images.axes import SPATIAL
from denoisplit.core.images.channel_names import known_names
from denoisplit.core.images.physical import number, rounded

_MICRONS: Final = 1e6
_MILLISECONDS: Final = 1e-3
_SHOWN: Final = "/DisplaySetting/Channels/Channel"


@attrs.frozen(kw_only=True)
class Metadata:
    """Metadata shared by all images of a file.

    Attributes:
        sizes: sizes of a pixel in µm, by ``x``, ``y``, ``z``.
        channel_names: names in the order of the channels; empty where none has a name.
        interval: seconds from one time point to the next, None when unknown.
        scenes: names of the scenes by number.
    """

    sizes: dict[str, float]
    channel_names: tuple[str, ...]
    interval: float | None
    scenes: dict[int, str]


@attrs.frozen
class _Element:
    path: str
    attributes: dict[str, str]
    outer: dict[str, str]
    text: str


def metadata(xml: bytes) -> Metadata:
    """Read the metadata of a file; none from empty or broken XML."""
    try:
        elements = _elements(xml)
    except expat.ExpatError:
        elements = []
    image = "/Information/Image/Dimensions"
    sizes = {
        element.outer.get("Id", "").lower(): rounded(_number(element) * _MICRONS)
        for element in _at(elements, "/Scaling/Items/Distance/Value")
    }
    scenes = {
        int(element.attributes["Index"]): element.attributes.get("Name", "")
        for element in _at(elements, f"{image}/S/Scenes/Scene")
        if element.attributes.get("Index", "").isdecimal()
    }
    return Metadata(
        sizes={letter: size for letter, size in sizes.items() if letter in SPATIAL and size > 0},
        channel_names=_names(elements, f"{image}/Channels/Channel"),
        interval=_interval(elements, image),
        scenes=scenes,
    )


def _names(elements: list[_Element], image: str) -> tuple[str, ...]:
    """Return the channel names of the image, else the display names, matched by identifier."""
    shown = {e.attributes.get("Id"): e.attributes.get("Name") for e in _at(elements, _SHOWN)}
    channels = [element.attributes for element in _at(elements, image)]
    return known_names([own.get("Name") or shown.get(own.get("Id")) for own in channels])


def _interval(elements: list[_Element], image: str) -> float | None:
    """Return the recorded interval, else the requested one."""
    for element in _at(elements, f"{image}/T/Positions/Interval/Increment"):
        if _number(element) > 0:
            return rounded(_number(element))
    units = [e.text.lower() for e in _at(elements, "/Interval/TimeSpan/DefaultUnitFormat")]
    for element in _at(elements, "/Interval/TimeSpan/Value"):
        if _number(element) > 0:
            return rounded(_number(element) * (_MILLISECONDS if units[:1] == ["ms"] else 1.0))
    return None


def _number(element: _Element) -> float:
    """Return the number in an element, 0 where there is none."""
    return number(element.text) or 0.0


def _at(elements: list[_Element], end: str) -> Iterator[_Element]:
    return (element for element in elements if element.path.endswith(end))


def _elements(xml: bytes) -> list[_Element]:
    """Return all elements with their attributes, those of their parent, and their text."""
    found: list[_Element] = []
    names: list[str] = [""]
    attributes: list[dict[str, str]] = [{}]
    texts: list[str] = []

    def start(name: str, own: dict[str, str]) -> None:
        names.append(name.rpartition(":")[2])
        attributes.append(own)
        texts.clear()

    def end(_: str) -> None:
        own = attributes.pop()
        found.append(_Element("/".join(names), own, attributes[-1], "".join(texts).strip()))
        names.pop()
        texts.clear()

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    if xml:
        parser.Parse(xml.rstrip(b"\0"), True)
    return found
