"""Units of length and time: their signs, and the spellings of other programs."""

from typing import Final

IN_MICRONS: Final = {
    "fm": 1e-9,
    "pm": 1e-6,
    "Å": 1e-4,
    "nm": 1e-3,
    "µm": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "in": 2.54e4,
    "dm": 1e5,
    "m": 1e6,
    "km": 1e9,
}
"""Units of length in µm."""

IN_SECONDS: Final = {
    "ps": 1e-12,
    "ns": 1e-9,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
"""Units of time in seconds."""

_WORDS: Final = {
    "fm": ("femtometer", "femtometre"),
    "pm": ("picometer", "picometre"),
    "Å": ("angstrom", "ångström", "ångstrom", "ang"),
    "nm": ("nanometer", "nanometre"),
    "µm": ("micrometer", "micrometre", "micron", "um"),
    "mm": ("millimeter", "millimetre"),
    "cm": ("centimeter", "centimetre"),
    "in": ("inch", "inches"),
    "dm": ("decimeter", "decimetre"),
    "m": ("meter", "metre"),
    "km": ("kilometer", "kilometre"),
    "ps": ("picosecond", "psec"),
    "ns": ("nanosecond", "nsec"),
    "µs": ("microsecond", "usec", "us"),
    "ms": ("millisecond", "msec"),
    "s": ("second", "sec"),
    "min": ("minute", "min"),
    "h": ("hour", "hr"),
    "d": ("day",),
}
"""Names in lower case and singular; the first is that of OME-Zarr."""

_SIGNS: Final = {
    "Å": ("\u212b", "A\u030a", "A"),
    "µm": ("\u03bcm", "\\u00B5m", "\\u00b5m", "\u00c2\u00b5m", "\u00b5", "\u03bc"),
    "in": ('"',),
    "µs": ("\u03bcs", "\u00c2\u00b5s"),
}
"""Other signs, whose case counts: for µ also the Greek letter, an escape, or UTF-8 read as Latin-1."""


def _spelled(signs: dict[str, float]) -> dict[str, str]:
    exact = {sign: sign for sign in signs}
    return exact | {other: sign for sign in signs for other in _SIGNS.get(sign, ())}


_LENGTHS, _TIMES = _spelled(IN_MICRONS), _spelled(IN_SECONDS)


def length_unit(text: object) -> str | None:
    """Return the sign of a unit of length in any spelling; None if it is none, such as ``pixel``."""
    return _sign(text, _LENGTHS)


def time_unit(text: object) -> str | None:
    """Return the sign of a unit of time in any spelling; None if it is none, such as ``frame``."""
    return _sign(text, _TIMES)


def unit_name(sign: str) -> str:
    """Return the English word for a unit, as in OME-Zarr."""
    return _WORDS[sign][0]


def _sign(text: object, signs: dict[str, str]) -> str | None:
    """Return the sign for a text; the case of signs counts, as mm and Mm differ, that of words does not."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str):
        return None
    unit = text.strip().strip("\0")
    word = unit.lower()
    singular = word.removesuffix("s")
    named = (sign for sign in signs.values() if word in _WORDS[sign] or singular in _WORDS[sign])
    return signs.get(unit) or next(named, None)
