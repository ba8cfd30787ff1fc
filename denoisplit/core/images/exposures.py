"""Detection of fields that show the same place: several exposures of one cell are no further fields.

It goes by content. Two exposures of one place share everything that they show; their difference is noise
without structure. Images of different places share almost nothing, and frames of a movie differ where
something moved.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field, LazyArray
from denoisplit.core.images.derived_images import middle_of
from denoisplit.core.images.large_fields import in_memory

_LOOKED_AT: Final = 1024
"""Side of the central square of a field that is compared, pixels."""
_SIDE: Final = 64
"""Most blocks a side to which an image is averaged; a block has at least 2 x 2 pixels."""
_SMALLEST: Final = 16
_BROAD: Final = 4.0
"""Structures wider than this many blocks, such as uneven light, may be common to all fields."""
_ORDER: Final = 4
_OUTLIERS: Final = 0.01
_ALIKE: Final = 0.25
"""Correlation of averaged images above which they are compared pixel by pixel."""
_MOVED: Final = 0.5
"""As ``_STRUCTURED``, between two frames of a movie."""
_LARGE: Final = 64
"""Pixels a side from which two places never look that much alike by chance."""
_NEAREST: Final = 3
"""Number of fields with which a frame of a movie is compared."""
_STRUCTURED: Final = 0.1
"""Largest variance of structures in the difference of two exposures, as a share of that of shared ones."""


def places_of(fields: Sequence[Field]) -> tuple[tuple[int, ...], ...]:
    """Group fields by the place that they show, in the order of the fields; most groups are single fields.

    Fields with the same clean reference show one place, too. The time grows with the number of pixels in the
    centres of the fields.

    Args:
        fields: fields of any sizes; those of different sizes are never compared.

    Returns:
        Indices of the fields of every place.
    """
    leaders: list[list[int]] = []
    led: dict[int, int] = {}
    for i, alike in _alike(fields):
        for other in alike:
            first = led[other]
            if leaders[first][0] == other and same_place(fields[other], fields[i]):
                leaders[first].append(i)
                led[i] = first
                break
        else:
            led[i] = len(leaders)
            leaders.append([i])
    return tuple(sorted(tuple(group) for group in leaders))


def scenes_of(fields: Sequence[Field]) -> tuple[tuple[int, ...], ...]:
    """Group fields that are informative about each other into scenes, in the order of the fields.

    These are exposures of one place, and also frames of a movie: if little moves from one frame to the next,
    all of them are one scene, however much moves in total.

    Returns:
        Indices of the fields of every scene.
    """
    scenes: dict[int, set[int]] = {}
    for i, alike in _alike(fields):
        scenes[i] = {i}
        moved = _MOVED if min(fields[i].observed.shape[-2:]) >= _LARGE else _STRUCTURED
        for other in alike[:_NEAREST]:
            if other not in scenes[i] and same_place(fields[other], fields[i], moved):
                joined = scenes[i] | scenes[other]
                scenes |= dict.fromkeys(joined, joined)
    return tuple(sorted({tuple(sorted(scene)) for scene in scenes.values()}))


def _alike(fields: Sequence[Field]) -> Iterator[tuple[int, list[int]]]:
    """Yield every field with the earlier fields that look like it at low resolution, most similar first."""
    seen = [_look(field) for field in fields]
    for shape in dict.fromkeys(look.shape for look in seen):
        own = [i for i, look in enumerate(seen) if look.shape == shape]
        stacked = np.stack([seen[i].coarse for i in own])
        for place, i in enumerate(own):
            alike = np.einsum("ncp,cp->nc", stacked[:place], stacked[place]).max(1, initial=0.0)
            best = np.argsort(-alike, kind="stable")[: np.count_nonzero(alike > _ALIKE)]
            yield i, [own[int(other)] for other in best]


def same_place(one: Field, other: Field, structured: float = _STRUCTURED) -> bool:
    """Whether the difference of two fields is noise, in any of their channels.

    Args:
        one: a field of any size.
        other: a field of the same size.
        structured: largest variance of structures in their difference, as a share of the variance that the
            fields share.
    """
    if one.clean is not None and one.clean is other.clean:
        return True
    return any(
        _only_noise_between(_centre(one.observed, channel), _centre(other.observed, channel), structured)
        for channel in range(len(one.observed))
    )


def with_repeats(fields: Sequence[Field], side: int) -> tuple[Field, ...]:
    """Join the exposures of each place into one field: the first, with the others as its ``repeats``.

    Fields that have repeats stay; those with a single exposure are left out. The result may be empty.

    Args:
        fields: fields of any sizes.
        side: pixels a side to read from fields that are not in memory.
    """
    found = [field for field in fields if field.repeats is not None]
    rest = [field for field in fields if field.repeats is None]
    for group in places_of(rest):
        first = rest[group[0]]
        others = [rest[i] for i in group[1:] if not are_copies(first, rest[i])]
        if others:
            first, *others = in_memory([first, *others], side, "noise pairs")
            found.append(attrs.evolve(first, repeats=np.stack([other.observed for other in others])))
    return tuple(found)


def are_copies(one: Field, other: Field) -> bool:
    """Whether two fields of one place have the same pixels in their centres."""
    channels = range(len(one.observed))
    return all(np.array_equal(_centre(one.observed, c), _centre(other.observed, c)) for c in channels)


def refuse_shared_scenes(splits: Sequence[tuple[str, Sequence[Field]]]) -> None:
    """Refuse exposures of one place, or frames of one movie, in two splits.

    Raises:
        ImageError: two splits share a scene; names a field of each.
    """
    everything = [(name, field) for name, fields in splits for field in fields]
    for group in scenes_of([field for _, field in everything]):
        first, one = everything[group[0]]
        for name, other in (everything[i] for i in group[1:]):
            if name != first:
                raise ImageError(
                    f"data: {first} field {one.name!r} and {name} field {other.name!r} are exposures of one "
                    f"place, or frames of one movie. Put all of them into one split: scores on what was "
                    f"trained on mean nothing."
                )


@attrs.frozen
class _Look:
    """Shape of a field, and its averaged channels with mean 0 and norm 1 [c blocks]."""

    shape: tuple[int, ...]
    coarse: npt.NDArray[np.float32]


def _look(field: Field) -> _Look:
    coarse = [_coarse(_centre(field.observed, channel)) for channel in range(len(field.observed))]
    return _Look(tuple(field.observed.shape), np.stack(coarse).astype(np.float32))


def _centre(image: LazyArray, channel: int) -> AnyArray:
    return _mirrored_border(middle_of(image, channel, _LOOKED_AT))


def _mirrored_border(image: AnyArray) -> AnyArray:
    """Replace rows and columns of one value at the borders [y x], which many images share, by the inside.

    Registration, for example, leaves such borders; they say nothing about the place.
    """
    inside = [_span(image == image[:, :1]), _span(image.T == image[:1].T)]
    if min(part.stop - part.start for part in inside) < _SMALLEST:
        return image
    widths = [(part.start, side - part.stop) for part, side in zip(inside, image.shape, strict=True)]
    return np.pad(image[tuple(inside)], widths, mode="symmetric") if np.any(widths) else image


def _span(alike: AnyArray) -> slice:
    """Return the lines from the first to the last [line pixel] whose pixels are not all alike."""
    lines = np.flatnonzero(~alike.all(axis=1))
    return slice(int(lines[0]), int(lines[-1]) + 1) if lines.size else slice(0, 0)


def _block(shape: tuple[int, ...]) -> int:
    return max(2, min(shape) // _SIDE)


def _means(image: AnyArray) -> Float64Array:
    """Return the means of blocks [y x]."""
    size = _block(image.shape)
    rows, columns = (side // size for side in image.shape)
    cut = image[: rows * size, : columns * size].astype(np.float64)
    means: Float64Array = cut.reshape(rows, size, columns, size).mean((1, 3))
    return means


def _smoothest(means: Float64Array) -> Float64Array:
    """Fit a polynomial in y and x by least squares: uneven light."""
    basis = _basis(*means.shape)
    smooth: Float64Array = (basis @ (basis.T @ means.ravel())).reshape(means.shape)
    return smooth


@lru_cache(maxsize=8)
def _basis(rows: int, columns: int) -> Float64Array:
    """Return orthonormal polynomials [pixel, polynomial]."""
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    terms = [y**i * x**j for i in range(_ORDER + 1) for j in range(_ORDER + 1 - i)]
    basis: Float64Array = np.linalg.qr(np.stack([term.ravel() for term in terms], axis=1))[0]
    return basis


def _detailed(means: Float64Array) -> Float64Array:
    """Remove broad structures, and clip outliers such as hot pixels."""
    from scipy.ndimage import gaussian_filter  # imported here: slow, and not needed to check a spec

    means = np.clip(means, *np.quantile(means, (_OUTLIERS, 1 - _OUTLIERS)))
    even = means - _smoothest(means)
    return even - gaussian_filter(even, _BROAD)


def _coarse(image: AnyArray) -> Float64Array:
    if min(image.shape) < _SMALLEST:
        return np.zeros(1)
    details = _detailed(_means(image)).ravel()
    details = details - details.mean()
    unit: Float64Array = details / (float(np.linalg.norm(details)) or 1.0)
    return unit


def _only_noise_between(one: AnyArray, other: AnyArray, structured: float) -> bool:
    """Whether two images [y x] differ by a factor and white noise alone."""
    if min(one.shape) < _SMALLEST:
        return False
    first, second = _detailed(_means(one)), _detailed(_means(other))
    shared = float(np.mean(first * second))
    power = float(np.mean(np.square(first)))
    if shared <= _ALIKE * np.sqrt(power * float(np.mean(np.square(second)))):
        return False
    gain = float(np.sqrt(np.mean(np.square(second)) / power))
    difference = other.astype(np.float64) - gain * one
    # The mean squared step between neighbours is twice the variance of white noise, as broad structures
    # hardly change from pixel to pixel; the mean of n pixels has that variance over n.
    steps = np.diff(np.clip(difference, *np.quantile(difference, (0.001, 0.999))), axis=1)
    noise = float(np.mean(np.square(steps))) / 2 / _block(one.shape) ** 2
    left = float(np.mean(np.square(_detailed(_means(difference))))) - noise
    return left < structured * 2 * gain * shared
