"""Letters of axes: full names, checks, and the canonical order."""

from typing import Final

import attrs

from denoisplit.core.errors import ImageError
from denoisplit.core.images.derived_images import rearranged
from denoisplit.core.images.image import Image, ImageLayout
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.physical import PixelSize, known_size

AXES = "stczyx"
"""All axes in canonical order: positions or posterior samples, time, channel, depth, rows, columns."""

SPATIAL = "zyx"

_NAMES: Final = {
    "s": ("sample", "position", "scene", "site"),
    "t": ("time", "timepoint", "frame"),
    "c": ("ch", "channel"),
    "z": ("depth", "plane", "slice", "section"),
    "y": ("row", "height"),
    "x": ("col", "column", "width"),
}
_KINDS: Final = {"time": "t", "channel": "c"}

NAMELESS: Final = "?"
"""Stands for an axis that has none of these letters."""

_PROPOSALS = {
    3: ("cyx", "zyx", "tyx"),
    4: ("czyx", "tcyx", "tzyx", "zcyx"),
    5: ("tczyx", "tzcyx"),
}
_MOST_COLOURS = 4


def letter_of(name: object, kind: object = None) -> str:
    """Return the letter of an axis from its name and its kind in a file; ``?`` for others.

    Args:
        name: name of the axis, such as ``z``, ``depth`` or ``channels``; only whole names count.
        kind: ``space``, ``time`` or ``channel`` if the file says so.
    """
    word = str(name).strip().lower()
    words = {
        letter: (letter, *(form for known in _NAMES[letter] for form in (known, f"{known}s")))
        for letter in AXES
    }
    found = next((letter for letter in AXES if word in words[letter]), NAMELESS)
    if kind == "space":
        return found if found in SPATIAL else NAMELESS
    return _KINDS.get(str(kind), found)


def parse_axes(text: str, shape: tuple[int, ...], where: str) -> str:
    """Return axis letters in lower case, one per axis of an array.

    Args:
        text: letters from ``stczyx`` in the order of the array's axes, upper or lower case.
        shape: shape of the array.
        where: subject of the message, usually a file name.

    Raises:
        ImageError: a letter is unknown or repeated, ``y`` or ``x`` is missing, or the number does not fit.
    """
    axes = text.strip().lower()
    proposal = propose_axes(shape)
    advice = f"Give one letter of '{AXES}' per axis" + (
        f", for example axes='{proposal[0]}'." if proposal else "."
    )
    if unknown := sorted(set(axes) - set(AXES)):
        raise ImageError(f"{where}: axes have unknown letters {''.join(unknown)!r} (got {text!r}). {advice}")
    if len(set(axes)) != len(axes):
        raise ImageError(f"{where}: axes name the same axis twice (got {text!r}). {advice}")
    if len(axes) != len(shape):
        raise ImageError(f"{where}: axes {text!r} do not fit the image (got shape {shape}). {advice}")
    if not {"y", "x"} <= set(axes):
        raise ImageError(f"{where}: an image needs the axes y and x (got {text!r}). {advice}")
    return axes


def propose_axes(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return likely axes of an array of this shape, likeliest first; a short last axis suggests channels."""
    if len(shape) == 2:
        return ("yx",)
    proposals = _PROPOSALS.get(len(shape), ())
    if len(shape) in (3, 4) and shape[-1] <= _MOST_COLOURS < min(shape[-3:-1]):
        return ("yxc" if len(shape) == 3 else "zyxc", *proposals)
    return proposals


class UnnamedAxesError(ImageError):
    """An image does not say what its axes are, and its shape does not tell.

    Attributes:
        shape: shape of the image.
    """

    def __init__(self, message: str, shape: tuple[int, ...]) -> None:
        super().__init__(message)
        self.shape = shape


def ambiguous_axes(
    shape: tuple[int, ...], where: str, proposals: tuple[str, ...] = (), *, subject: str = "the file"
) -> ImageError:
    """Build the error for an image that does not name its axes.

    Args:
        shape: shape of the image.
        where: subject of the message, usually a file name.
        proposals: possible axes, likeliest first; empty for the usual ones of this shape.
        subject: the source that does not name the axes.
    """
    if not 2 <= len(shape) <= len(AXES):
        return ImageError(
            f"{where}: an image has 2 to {len(AXES)} axes (got shape {shape}). Save it with fewer or more."
        )
    likely = proposals or propose_axes(shape)
    if not likely:
        return UnnamedAxesError(
            f"{where}: {subject} does not say what its axes are (got shape {shape}). "
            f"Give one letter of '{AXES}' per axis with axes (--axes).",
            shape,
        )
    listed = f"{', '.join(likely[:-1])} or {likely[-1]}" if len(likely) > 1 else likely[0]
    return UnnamedAxesError(
        f"{where}: {subject} does not say what its axes are (got shape {shape}: could be {listed}). "
        f"Give axes='{likely[0]}' (--axes {likely[0]}) or what is right.",
        shape,
    )


def proposed_axes(axes: str, shape: tuple[int, ...], colours: str = "") -> str:
    """Propose axes for an image: the known letters, and free ones for the rest.

    Args:
        axes: axes of the image, any letters.
        shape: shape of the image.
        colours: the letter in ``axes`` that stands for colours, which become the channels.
    """
    taken = {"c"} if colours and colours in axes else set()
    known = [letter in AXES and letter not in taken and letter != colours for letter in axes]
    if not taken and not all(known):
        return (propose_axes(shape) or (axes,))[0]
    free = iter(letter for letter in "tzs" if letter not in axes or letter == colours)
    return "".join(
        letter if fits else "c" if letter == colours else next(free, letter)
        for letter, fits in zip(axes, known, strict=True)
    )


def picture(axes: str, colours: str, shape: tuple[int, ...], where: str) -> ImageError:
    """Build the error for an RGB picture, whose colours are not channels of a detector.

    Args:
        axes: axes of the image, any letters.
        colours: the letter in ``axes`` that stands for the colours.
        shape: shape of the image.
        where: subject of the message, usually a file name.
    """
    proposal = proposed_axes(axes, shape, colours)
    return ImageError(
        f"{where}: the image is an RGB picture (got shape {shape}). Save the detector's channels, "
        f"or give axes='{proposal}' (--axes {proposal}) if the colours are the channels."
    )


def reorder(data: LazyArray, axes: str, wanted: str) -> LazyArray:
    """Return ``data`` with its axes in the order ``wanted``; missing axes get length 1.

    NumPy arrays give views; lazy pixels stay lazy.

    Raises:
        ImageError: ``data`` has an axis longer than 1 that is not in ``wanted``.
    """
    for letter in axes:
        if letter not in wanted and data.shape[axes.index(letter)] != 1:
            raise ImageError(
                f"axis {letter}: it cannot be dropped (got {data.shape[axes.index(letter)]} positions). "
                f"Choose one of them."
            )
    return rearranged(data, [axes.index(letter) if letter in axes else None for letter in wanted])


def to_canonical(image: Image) -> Image:
    """Return the image with its axes (and pixel size) in canonical order; pixels are not copied."""
    axes = "".join(letter for letter in AXES if letter in image.axes)
    return attrs.evolve(
        image,
        data=reorder(image.data, image.axes, axes),
        axes=axes,
        pixel_size=reordered_size(image.pixel_size, image.axes, axes),
    )


def reordered_size(size: PixelSize | None, axes: str, wanted: str) -> PixelSize | None:
    """Return a pixel size for ``wanted`` axes, in another order or fewer; None if none of them is known."""
    if size is None:
        return None
    known = dict(zip(_spatial(axes), size.size, strict=True))
    return known_size([known.get(letter) for letter in _spatial(wanted)], [size.unit] * len(_spatial(wanted)))


def sizes_by_axis(image: Image | ImageLayout, unit: str = "") -> dict[str, float]:
    """Return the pixel size by axis letter, in its own unit or ``unit``, without axes of unknown size."""
    if image.pixel_size is None:
        return {}
    sizes = image.pixel_size.sizes_in(unit or image.pixel_size.unit)
    return {a: size for a, size in zip(_spatial(image.axes), sizes, strict=True) if size is not None}


def _spatial(axes: str) -> str:
    return "".join(letter for letter in axes.lower() if letter in SPATIAL)
