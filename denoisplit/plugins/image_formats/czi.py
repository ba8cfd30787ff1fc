"""CZI files of Zeiss microscopes."""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.errors import ImageError
from denoisplit.core.images.claims import check_claim
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.plugins.image_formats._czi_metadata import Metadata, metadata
from denoisplit.plugins.image_formats._czi_segments import Block, directory, pixels
from denoisplit.plugins.image_formats._microscope import MicroscopeFormat
from denoisplit.plugins.image_formats._several import COLOURS, NAMELESS, Named, Part

_SCENE, _TILE = "S", "M"
_LETTERS: Final = {"T": "t", "C": "c", "Z": "z"}


@final
class Czi(MicroscopeFormat):
    """CZI, uncompressed or compressed with Zstandard, JPEG XR or LZW; the tiles of a scene are joined.

    Scenes of one shape become an axis ``s``; ``cells.czi/P2`` and ``cells.czi/1`` select one, by name or
    number. Smaller copies of the image are left out. Where a mosaic has no tile, the counts are 0.

    Source: Carl Zeiss Microscopy, libCZI, 2017.
    """

    suffixes = (".czi",)
    read_only = (".czi",)
    called = "CZI"

    @contextmanager
    def images(self, file: Path, where: str) -> Iterator[Sequence[Named]]:
        """Open a file and give its scenes."""
        del where
        blocks, xml = directory(file)
        yield _scenes(file, blocks, metadata(xml))


def _scenes(file: Path, blocks: Sequence[Block], known: Metadata) -> list[Named]:
    scenes: defaultdict[int, list[Block]] = defaultdict(list)
    for block in blocks:
        if block.whole:
            scenes[block.start(_SCENE)].append(block)
    if not scenes:
        raise ImageError(
            f"{file}: the pixels are not stored at their full size (got {len(blocks)} smaller blocks). "
            f"Process the image with ZEN and save it."
        )
    names = [known.scenes.get(number, "") for number in scenes]
    unique = all(names) and len(set(names)) == len(names)
    return [
        (known.scenes[number] if unique else str(number), partial(_part, file, tuple(scenes[number]), known))
        for number in sorted(scenes)
    ]


def _part(file: Path, blocks: tuple[Block, ...], known: Metadata) -> Part:
    scene = _Scene.of(file, blocks)
    channels = range(*scene.ranges["C"]) if "C" in scene.ranges else range(blocks[0].start("C") + 1)[-1:]
    names = known.channel_names
    return Part(
        data=LazyPixels(
            shape=scene.shape,
            dtype=scene.dtype,
            read=scene.read,
            source=str(file),
        ),
        axes="".join(_LETTERS.get(letter, NAMELESS) for letter in scene.ranges if letter not in "YX")
        + f"yx{COLOURS if scene.colours > 1 else ''}",
        sizes=known.sizes,
        channel_names=tuple(names[i] for i in channels) if len(names) > max(channels) else (),
        interval=known.interval if "T" in scene.ranges else None,
    )


@attrs.frozen(kw_only=True)
class _Scene:
    """The blocks of a scene, by plane.

    Attributes:
        file: the file.
        ranges: start and stop by the letters of its axes: planes, then Y and X.
        colours: samples per pixel.
        dtype: type of the pixels, wide enough for those of all blocks.
        planes: blocks of every plane, those on top last, by the plane's index along the other axes.
    """

    file: Path
    ranges: dict[str, tuple[int, int]]
    colours: int
    dtype: np.dtype[Any]
    planes: dict[tuple[int, ...], list[Block]] = attrs.field(repr=False)

    @classmethod
    def of(cls, file: Path, blocks: Sequence[Block]) -> "_Scene":
        """Find the axes along which blocks differ, and the plane of every block."""
        letters = {letter for block in blocks for letter in block.extents} - {_SCENE, _TILE, "Y", "X"}
        order = [*sorted(letters - set(_LETTERS)), *(letter for letter in _LETTERS if letter in letters)]
        ranges = {
            letter: (min(b.start(letter) for b in blocks), max(_stop(b, letter) for b in blocks))
            for letter in [*order, "Y", "X"]
        }
        ranges = {a: (start, stop) for a, (start, stop) in ranges.items() if a in "YX" or stop - start > 1}
        sides = {a: stop - start for a, (start, stop) in ranges.items()}
        dtype = np.result_type(*{block.dtype for block in blocks})
        size = file.stat().st_size
        check_claim(tuple(sides.values()), dtype.itemsize, size, str(file))
        wanted = math.prod(side for a, side in sides.items() if a not in "YX")
        if wanted > size:
            raise ImageError(f"{file}: more planes than bytes (got {wanted} planes). Copy the file again.")
        planes: defaultdict[tuple[int, ...], list[Block]] = defaultdict(list)
        for block in sorted(blocks, key=lambda b: b.start(_TILE)):
            for place in itertools.product(
                *(range(block.start(a), _stop(block, a)) for a in ranges if a not in "YX")
            ):
                planes[place].append(block)
        raw = [(a, ranges[a][1] - ranges[a][0]) for a in ranges if a not in "YX" and a not in _LETTERS]
        if len(planes) < wanted:
            got = ", ".join(f"{count} along {letter}" for letter, count in raw)
            raise ImageError(
                f"{file}: phases or detectors of a raw recording, such as Airyscan, are not read "
                f"(got {got}). Process the image with ZEN and save it."
                if raw
                else f"{file}: planes are missing: the recording was interrupted (got {len(planes)} of "
                f"{wanted}). Save those that are complete with ZEN."
            )
        if len({block.colours for block in blocks}) > 1:
            raise ImageError(f"{file}: some channels are RGB pictures and some are not. Save them apart.")
        return cls(file=file, ranges=ranges, colours=blocks[0].colours, dtype=dtype, planes=dict(planes))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image, with an axis for colours where a pixel has several samples."""
        sides = (stop - start for start, stop in self.ranges.values())
        return tuple(sides) if self.colours == 1 else (*sides, self.colours)

    def read(self, region: Window) -> AnyArray:
        """Read the pixels of a region; the tiles that it touches are read whole."""
        starts = [start for start, _ in self.ranges.values()]
        *leading, rows, columns = region[: len(starts)]
        row, column = rows.start + starts[-2], columns.start + starts[-1]
        height, width = rows.stop - rows.start, columns.stop - columns.start
        places = [range(p.start + s, p.stop + s) for p, s in zip(leading, starts, strict=False)]
        found = np.zeros((*map(len, places), height, width, self.colours), self.dtype)
        with self.file.open("rb") as file:
            for place in itertools.product(*places):
                target = found[tuple(i - r.start for i, r in zip(place, places, strict=True))]
                for block in self.planes[place]:
                    top, left = block.start("Y") - row, block.start("X") - column
                    bottom, right = top + block.extents["Y"].size, left + block.extents["X"].size
                    if bottom <= 0 or right <= 0 or top >= height or left >= width:
                        continue
                    plane = self._plane(pixels(file, block, self.file), block, place)
                    target[max(top, 0) : bottom, max(left, 0) : right] = plane[
                        max(-top, 0) : height - top, max(-left, 0) : width - left
                    ]
        return found[..., 0] if self.colours == 1 else found

    def _plane(self, found: AnyArray, block: Block, place: tuple[int, ...]) -> AnyArray:
        """Return one plane of a block, [y x colour]."""
        at = dict(zip(self.ranges, place, strict=False))
        key = tuple(
            slice(None) if letter in "YX" else at.get(letter, extent.start) - extent.start
            for letter, extent in block.extents.items()
        )
        return found[key]


def _stop(block: Block, letter: str) -> int:
    return block.start(letter) + (block.extents[letter].size if letter in block.extents else 1)
