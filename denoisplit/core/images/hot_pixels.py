"""Hot pixels: single pixels that stand out extremely, such as camera defects and cosmic rays.

A hot pixel is more than ``FACTOR`` times as far from the median of its image as the 99.9 % quantile (or, if
dark, the 0.1 % quantile), and at least seven of its eight neighbours share almost nothing of that distance.
No optics can form such an image. Images without such pixels are not changed.
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import AnyArray, Float64Array, Window
from denoisplit.core.images.bases import Field, LazyArray
from denoisplit.core.images.block_walks import blocks
from denoisplit.core.images.derived_images import channel_of, first_of, middle_of, rearranged
from denoisplit.core.images.large_fields import with_images
from denoisplit.core.images.lazy import is_lazy, made

_LOG = logging.getLogger("denoisplit.images")

FACTOR: Final = 20.0
_SHARED: Final = 0.1
_RARE: Final = 1e-3
_BORDER: Final = 2
"""Pixels around a region that are needed to find its hot pixels: the neighbours of neighbours."""
_LISTED: Final = 3
_SAMPLE: Final = 100_000
_WINDOW: Final = 256

Places = tuple[npt.NDArray[np.intp], ...]


@attrs.frozen
class _Usual:
    """Usual pixels of a channel: median, lowest and highest; infinite limits if they cannot be measured."""

    median: float
    low: float
    high: float


def hot_places(image: LazyArray) -> tuple[tuple[int, ...], ...]:
    """Find the hot pixels of an image [... (z) y x]; each is compared with the whole of its channel.

    Args:
        image: [c (z) y x], or with further leading axes; every index of the first has its own limits.
    """
    found: list[tuple[int, ...]] = []
    for number in range(len(image)):
        usual = _usual(image, number)
        for region, pixels in blocks(first_of(channel_of(image, number))):
            inside, _ = _hot_within(image, number, region, pixels, usual)
            first = [part.start for part in region]
            found += [(number, *place) for place in (np.transpose(inside) + first).tolist()]
    return tuple(found)


def healed(image: LazyArray) -> LazyArray:
    """Replace the hot pixels of an image [c (z) y x] by the median of their neighbours.

    Without hot pixels, the same object is returned. Lazy pixels are healed when they are read.
    """
    if image.ndim < 3 or min(image.shape[-2:]) < 3:
        return image
    if not is_lazy(image) and not hot_places(image):
        return image
    usual = tuple(_usual(image, number) for number in range(image.shape[0]))
    return made([image], partial(_read_healed, image, usual), image.shape, image.dtype)


def healed_field(field: Field) -> Field:
    """Return the field with all images ``healed``; hot pixels of images in memory are logged."""
    return with_images(field, partial(_healed_and_told, what=f"field {field.name}"))


def _healed_and_told(image: LazyArray, what: str) -> LazyArray:
    found = healed(image)
    if found is not image and not is_lazy(image):
        _LOG.warning("%s: %s", what, told(hot_places(image)))
    return found


def healed_image(image: LazyArray) -> LazyArray:
    """Return an image [(z) y x] ``healed``; hot pixels of an image in memory are logged."""
    channel = rearranged(image, [None, *range(image.ndim)])
    found = _healed_and_told(channel, "the image")
    return image if found is channel else first_of(found)


def told(places: Sequence[tuple[int, ...]]) -> str:
    """Describe hot pixels [c (z) y x] in words; one that several channels or planes have is one pixel."""
    places = tuple(dict.fromkeys(place[-2:] for place in places))
    first = ", ".join(f"row {place[-2]} column {place[-1]}" for place in places[:_LISTED])
    more = f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
    return (
        f"{len(places)} hot pixel{'s' * (len(places) > 1)} ({first}{more}), replaced by the median of the "
        f"neighbours"
    )


def _usual(image: LazyArray, number: int) -> _Usual:
    """Measure the usual pixels of a channel in a sample; of a lazy image, in its centre."""
    everything = _Usual(0.0, -np.inf, np.inf)
    if is_lazy(image):
        sample = middle_of(image, number, _WINDOW).reshape(-1)
    else:
        flat = image[number].reshape(-1)
        sample = flat[:: max(1, flat.size // _SAMPLE)]
    if sample.size < 1 / _RARE or not np.isfinite(sample).all():
        return everything
    low, median, high = (float(q) for q in np.quantile(sample, (_RARE, 0.5, 1 - _RARE)))
    if not low < median < high:
        return everything  # most pixels have one value, so the spread of the others is no measure
    return _Usual(median, median - FACTOR * (median - low), median + FACTOR * (high - median))


def _outside(pixels: AnyArray, usual: _Usual) -> npt.NDArray[np.bool_]:
    outside: npt.NDArray[np.bool_] = (pixels > usual.high) | (pixels < usual.low)
    return outside


def _hot(pixels: AnyArray, usual: _Usual) -> Places:
    """Return the places of the hot pixels among pixels [... y x]."""
    places = np.nonzero(_outside(pixels, usual))
    if not places[0].size:
        return places
    height = pixels[places].astype(np.float64) - usual.median
    neighbours = np.sort(np.abs(_neighbours(pixels, places) - usual.median), axis=0)
    alone = neighbours[-2] < _SHARED * np.abs(height)
    if not alone.all():  # the end of a line is alone, too, but has a neighbour that is not
        structure = np.zeros(pixels.shape, np.bool_)
        structure[tuple(place[~alone] for place in places)] = True
        alone &= ~_neighbours(structure, places).any(axis=0)
    return tuple(place[alone] for place in places)


def _neighbours(pixels: AnyArray, places: Places) -> npt.NDArray[np.float64]:
    """Return the eight neighbours in the plane of every place [8 places]; mirrored at the border."""
    *leading, rows, columns = places
    height, width = pixels.shape[-2:]
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]
    near = [pixels[(*leading, _mirrored(rows + y, height), _mirrored(columns + x, width))] for y, x in shifts]
    return np.stack(near).astype(np.float64)


def _mirrored(index: npt.NDArray[np.intp], side: int) -> npt.NDArray[np.intp]:
    folded: npt.NDArray[np.intp] = np.where(index < 0, 1, np.where(index >= side, side - 2, index))
    return folded


def _hot_within(
    image: LazyArray, number: int, region: Window, pixels: AnyArray, usual: _Usual
) -> tuple[Places, Float64Array]:
    """Return the places of hot pixels in a region of a channel, and the medians of their neighbours."""
    if not _outside(pixels, usual).any():
        return (np.empty(0, np.intp),) * pixels.ndim, np.empty(0)
    wider = [
        slice(max(0, part.start - _BORDER), min(side, part.stop + _BORDER))
        for part, side in zip(region[-2:], image.shape[-2:], strict=True)
    ]
    around = np.asarray(image[(number, *region[:-2], *wider)])
    hot = _hot(around, usual)
    moved = [0] * (pixels.ndim - 2) + [p.start - w.start for p, w in zip(region[-2:], wider, strict=True)]
    places = np.stack(hot) - np.reshape(moved, (-1, 1))
    inside = ((places >= 0) & (places < np.reshape(pixels.shape, (-1, 1)))).all(axis=0)
    return tuple(places[:, inside]), np.median(_neighbours(around, hot)[:, inside], axis=0)


def _read_healed(image: LazyArray, usual: Sequence[_Usual], region: Window) -> AnyArray:
    found = np.array(image[region])
    for pixels, number in zip(found, range(region[0].start, region[0].stop), strict=True):
        hot, medians = _hot_within(image, number, region[1:], pixels, usual[number])
        pixels[hot] = medians
    return found
