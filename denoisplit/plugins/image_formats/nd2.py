"""ND2 files of Nikon microscopes."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.errors import ImageError
from denoisplit.core.images.channel_names import known_names
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.images.physical import number, rounded
from denoisplit.plugins.image_formats._microscope import MicroscopeFormat
from denoisplit.plugins.image_formats._several import (
    COLOURS,
    NAMELESS,
    SAME_TIME,
    Named,
    Part,
    package,
)

_PACKAGE: Final = "nd2"
_LETTERS: Final = {"TimeLoop": "t", "NETimeLoop": "t", "ZStackLoop": "z", "XYPosLoop": "s"}
_MILLISECONDS: Final = 1e-3


@final
class Nd2(MicroscopeFormat):
    """ND2 of NIS-Elements, read with the package ``nd2``: ``pip install 'denoisplit[nd2]'``.

    Positions become an axis ``s``; ``cells.nd2/A1`` and ``cells.nd2/3`` select one, by name or number.

    Source: Lambert, nd2, 2021.
    """

    suffixes = (".nd2",)
    read_only = (".nd2",)
    called = "ND2"

    @contextmanager
    def images(self, file: Path, where: str) -> Iterator[Sequence[Named]]:
        """Open a file and give its positions."""
        with package(_PACKAGE, "nd2", where).ND2File(file) as opened:
            found = _positions(file, opened)
        yield found


@attrs.frozen(kw_only=True)
class _Frames:
    """The frames of a file, in the order of nested loops.

    Attributes:
        file: the file.
        counts: length of every loop, the outermost first.
        loops: numbers of the loops that are axes of the image.
        place: index along every loop; along axes, that of a frame replaces it.
        frame: shape of a frame, [c y x colour].
        dtype: type of the pixels.
    """

    file: Path
    counts: tuple[int, ...]
    loops: tuple[int, ...]
    place: tuple[int, ...]
    frame: tuple[int, int, int, int]
    dtype: np.dtype[Any]

    @property
    def kept(self) -> tuple[int, ...]:
        """Axes of a frame that are axes of the image: y, x and those longer than 1."""
        return tuple(axis for axis, side in enumerate(self.frame) if side > 1 or axis in (1, 2))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return (*(self.counts[loop] for loop in self.loops), *(self.frame[axis] for axis in self.kept))

    def read(self, region: Window) -> AnyArray:
        """Read the pixels of a region; the frames that it touches are read whole."""
        outer, inner = region[: len(self.loops)], region[len(self.loops) :]
        sides = tuple(part.stop - part.start for part in region)
        found = np.empty(sides, self.dtype)
        # Opened again for every region: handles must not be shared between processes.
        with package(_PACKAGE, "nd2", str(self.file)).ND2File(self.file) as opened:
            for place in np.ndindex(*sides[: len(outer)]):
                at = list(self.place)
                for loop, part, step in zip(self.loops, outer, place, strict=True):
                    at[loop] = part.start + step
                number = int(np.ravel_multi_index(at, self.counts)) if at else 0
                frame = opened.read_frame(number).reshape([self.frame[axis] for axis in self.kept])
                found[place] = frame[inner]
        return found


def _positions(file: Path, opened: Any) -> list[Named]:
    if opened.is_legacy:
        raise ImageError(
            f"{file}: the file is of the first kind of ND2, which holds JPEG 2000 (got version 1). "
            f"Save it as OME-TIFF with NIS-Elements or Fiji."
        )
    attributes = opened.attributes
    loops = [(_LETTERS.get(loop.type, NAMELESS), loop) for loop in opened.experiment if loop.count > 1]
    counts = tuple(loop.count for _, loop in loops)
    wanted, there = math.prod(counts), attributes.sequenceCount
    letters = "".join(letter for letter, _ in loops)
    if there > wanted:
        # The loops do not match the frames.
        counts, letters, loops = (there,), NAMELESS, []
    elif there < wanted:
        raise ImageError(
            f"{file}: frames are missing: the recording was interrupted (got {there} of {wanted}). "
            f"Save those that are complete with NIS-Elements."
        )
    channels = attributes.channelCount or 1  # not every file counts them
    frame = (channels, attributes.heightPx, attributes.widthPx, attributes.componentCount // channels)
    make = partial(_part, file, counts, letters, frame, opened.dtype, _known(opened, loops))
    if "s" not in letters:
        return [("0", partial(make, 0))]
    points = next(loop for letter, loop in loops if letter == "s").parameters.points
    names = [str(point.name or "") for point in points]
    unique = all(names) and len(set(names)) == len(names) == counts[letters.index("s")]
    return [(names[i] if unique else str(i), partial(make, i)) for i in range(counts[letters.index("s")])]


def _known(opened: Any, loops: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Read the metadata: calibrated sizes of pixels, names of channels, time between frames."""
    channels = list(opened.metadata.channels or ())
    names = [channel.channel.name for channel in channels]
    sizes: dict[str, float] = {}
    if channels:
        volume = channels[0].volume
        for letter, size, known in zip("xyz", volume.axesCalibration, volume.axesCalibrated, strict=True):
            if known and (found := number(size)):
                sizes[letter] = rounded(found)
    times = [loop for letter, loop in loops if letter == "t"]
    return {
        "sizes": sizes,
        "channel_names": known_names(names),
        "interval": _interval(times[0].parameters) if len(times) == 1 else None,
    }


def _interval(loop: Any) -> float | None:
    """Return the measured seconds between frames, else those requested; None where they vary."""
    periods = getattr(loop, "periods", None) or [loop]
    found = [number(period.periodDiff.avg) or number(period.periodMs) or 0.0 for period in periods]
    if not found or not found[0] > 0 or not np.allclose(found, found[0], rtol=SAME_TIME):
        return None
    return rounded(found[0] * _MILLISECONDS)


def _part(
    file: Path,
    counts: tuple[int, ...],
    letters: str,
    frame: tuple[int, int, int, int],
    dtype: np.dtype[Any],
    known: dict[str, Any],
    position: int,
) -> Part:
    loops = tuple(i for i, letter in enumerate(letters) if letter != "s")
    frames = _Frames(
        file=file,
        counts=counts,
        loops=loops,
        place=(position,) * len(letters),
        frame=frame,
        dtype=dtype,
    )
    inner = "".join(("c", "y", "x", COLOURS)[axis] for axis in frames.kept)
    return Part(
        data=LazyPixels(shape=frames.shape, dtype=dtype, read=frames.read, source=str(file)),
        axes="".join(letters[i] for i in loops) + inner,
        **known,
    )
