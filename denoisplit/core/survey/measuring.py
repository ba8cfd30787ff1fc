"""Measurements of some images: dark level, brightness, saturation, and the finest detail."""

from collections.abc import Sequence
from itertools import islice
from pathlib import PurePosixPath
from typing import Final

import numpy as np

from denoisplit.core.arrays import AnyArray, Float32Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field, ImageFormat
from denoisplit.core.images.derived_images import centre_of
from denoisplit.core.images.exposures import are_copies, places_of, scenes_of
from denoisplit.core.images.image_checks import check_pixels
from denoisplit.core.images.io import iterate_planes, open_image
from denoisplit.core.images.noise_pairs import bootstrap_pairs, pairs_from_clean
from denoisplit.core.network.interfaces import NoisePairs
from denoisplit.core.survey.belonging import are_unlike, show_same_fields
from denoisplit.core.survey.file_names import wild
from denoisplit.core.survey.findings import ChannelFacts, Facts, Found, FoundImage, Part
from denoisplit.core.survey.spectrum import finest_detail

LOOKED_AT: Final = 6
"""Number of images that are measured, spread over all."""

_COMPARED: Final = 64
"""Number of fields, from the first, that are compared with each other."""
_SIDE: Final = 512
_PAIRS: Final = 100_000
_SMALLEST: Final = 16
_BINS: Final = 24
_FEWEST: Final = 200
_LATEST_PLANE: Final = 20
_DARK: Final = 0.001


def measure(found: Found, part: Part, formats: Sequence[ImageFormat]) -> Facts:
    """Measure a square of each of some training images.

    Raises:
        ImageError: an image that could be opened cannot be read.
    """
    reader = _Reader(found, formats)
    remarks: list[str] = []
    read: list[tuple[list[Float32Array], list[Float32Array]]] = []
    for number, pattern in enumerate(part.patterns):
        of_files = [image for image in part.observed if _fits(pattern, image, part)]
        chosen, observed = reader.usable(_spread(of_files), remarks)
        read.append((observed, [reader.pixels(image) for image in _partners(part, number, chosen)]))
    unlike = bool(part.clean) and all(are_unlike(observed, clean) for observed, clean in read)
    channels = [
        _channel([p[i] for p in observed], [p[i] for p in clean if len(p) > i and not unlike])
        for observed, clean in read
        for i in range(len(observed[0]))
    ]
    mixed = [reader.pixels(image) for image in _spread(part.mixed)]
    same = None if part.separate or part.mixed or not part.structures else _same_fields(part, reader)
    seen = _seen(part, reader)
    groups = [[seen[i] for i in group] for group in places_of(seen)]
    # As in training, copies of the first exposure of a place tell nothing about the noise.
    exposures = [[own[0], *(one for one in own[1:] if not are_copies(own[0], one))] for own in groups]
    copies = [[own[0], *(one for one in own[1:] if are_copies(own[0], one))] for own in groups]
    return Facts(
        channels=tuple(channels),
        mixed_mean=float(np.mean([p.mean() for p in mixed])) if mixed else None,
        same_fields=same,
        unlike=unlike,
        remarks=tuple(remarks),
        compared=len(seen),
        places=_names(exposures),
        copies=_names(copies),
        scenes=len(scenes_of(seen)),
    )


def _names(groups: Sequence[Sequence[Field]]) -> tuple[tuple[str, ...], ...]:
    """Return the names in groups of more than one field."""
    return tuple(tuple(one.name for one in group) for group in groups if len(group) > 1)


def _seen(part: Part, reader: "_Reader") -> list[Field]:
    """Return consecutive fields: exposures of one place have consecutive names."""
    found: list[Field] = []
    for image in part.observed:
        if _fits(part.patterns[0], image, part) and len(found) < _COMPARED:
            found += reader.first(image, _COMPARED - len(found))
    return found


class _Reader:
    """Reads the middle of one plane of an image."""

    def __init__(self, found: Found, formats: Sequence[ImageFormat]) -> None:
        self._found, self._formats = found, formats

    def pixels(self, image: FoundImage) -> Float32Array:
        """Return pixels [c y x], counts."""
        path = self._found.folder / image.path
        planes = iterate_planes(open_image(path, self._formats, self._found.axes or None), 2)
        middle = min(len(planes) // 2, _LATEST_PLANE)
        _, pixels = next(islice(planes, middle, None))
        return pixels[centre_of(pixels, _SIDE)]

    def first(self, image: FoundImage, most: int) -> list[Field]:
        """Return the middle of each of the first fields of an image."""
        path = self._found.folder / image.path
        planes = iterate_planes(open_image(path, self._formats, self._found.axes or None), 2)
        return [
            Field(name=str(image.path), observed=pixels[centre_of(pixels, _SIDE)])
            for _, pixels in islice(planes, most)
        ]

    def usable(
        self, images: Sequence[FoundImage], remarks: list[str]
    ) -> tuple[list[FoundImage], list[Float32Array]]:
        """Return the images whose pixels are fit for training, and the pixels; remarks name the others.

        Raises:
            ImageError: no image is.
        """
        kept: list[FoundImage] = []
        pixels: list[Float32Array] = []
        problems: list[ImageError] = []
        for image in images:
            own = self.pixels(image)
            try:
                for number, channel in enumerate(own):
                    check_pixels(channel, f"{image.path}, channel {number}")
            except ImageError as error:
                problems.append(error)
            else:
                kept.append(image)
                pixels.append(own)
        if not kept:
            raise problems[0]
        fate = "Training stops at such an image, unless it is a blank frame among others."
        remarks += [f"{problem} {fate}" for problem in problems]
        return kept, pixels


def _same_fields(part: Part, reader: _Reader) -> bool | None:
    """Whether partners of the first two structures show the same fields."""
    by_key: list[dict[str | None, FoundImage]] = [
        {
            wild(own, image.path.relative_to(part.folder)): image
            for image in part.observed
            if _fits(own, image, part)
        }
        for own in part.patterns[:2]
    ]
    chosen = _spread(list(by_key[0].values()))
    keys = [key for key, image in by_key[0].items() if image in chosen]
    first, second = ([reader.pixels(images[key])[0] for key in keys] for images in by_key)
    return show_same_fields(first, second)


def _fits(pattern: str, image: FoundImage, part: Part) -> bool:
    return wild(pattern, image.path.relative_to(part.folder)) is not None


def _spread(images: Sequence[FoundImage]) -> list[FoundImage]:
    """Choose some of the images, from the first to the last."""
    if len(images) <= LOOKED_AT:
        return list(images)
    return [images[round(i)] for i in np.linspace(0, len(images) - 1, LOOKED_AT)]


def _partners(part: Part, number: int, chosen: Sequence[FoundImage]) -> list[FoundImage]:
    """Return the clean partners of chosen images of one pattern, in their order."""
    if not part.clean:
        return []
    pattern, own = part.patterns[number], part.clean_patterns[number]

    def relative(path: PurePosixPath) -> PurePosixPath:
        return path.relative_to(part.folder)

    by_key = {wild(own, relative(image.path)): image for image in part.clean}
    return [by_key[wild(pattern, relative(image.path))] for image in chosen]


def _channel(observed: Sequence[Float32Array], clean: Sequence[Float32Array]) -> ChannelFacts:
    offsets = []
    for number, image in enumerate(observed):
        pairs = _pairs(image, clean[number] if clean else None)
        if pairs is not None and (offset := dark_level(pairs)) is not None:
            offsets.append(offset)
    darkest = float(np.median([_darkest(image) for image in observed]))
    return ChannelFacts(
        offset=_agreed(offsets, len(observed), darkest),
        darkest=darkest,
        mean=float(np.mean([image.mean() for image in observed])),
        # One pixel is always the brightest; any others at the same value were clipped.
        saturated=float(np.mean([(np.sum(image == image.max()) - 1) / image.size for image in observed])),
        finest=finest_detail(observed),
    )


def _pairs(image: Float32Array, clean: Float32Array | None) -> NoisePairs | None:
    if clean is not None:
        return pairs_from_clean(clean, image, limit=_PAIRS)
    if min(image.shape) < _SMALLEST:
        return None
    return bootstrap_pairs(image, limit=_PAIRS)


def dark_level(pairs: NoisePairs) -> float | None:
    """Estimate the counts at which shot noise would vanish: its variance is proportional to the light.

    Read noise, which does not vanish, makes the estimate a little too small.

    Returns:
        Counts; None where the variance does not grow with the signal.
    """
    signal, squares = pairs.signal, np.square(pairs.observation - pairs.signal)
    low, high = np.quantile(signal, (0.01, 0.97))
    if not high > low:
        return None
    number = np.digitize(signal, np.linspace(low, high, _BINS + 1)) - 1
    inside = (number >= 0) & (number < _BINS)
    counts = np.bincount(number[inside], minlength=_BINS)
    kept = counts >= _FEWEST
    if np.count_nonzero(kept) < 3:
        return None
    mean = np.bincount(number[inside], signal[inside], _BINS)[kept] / counts[kept]
    variance = np.bincount(number[inside], squares[inside], _BINS)[kept] / counts[kept]
    # The error of a variance is proportional to the variance.
    weights = np.sqrt(counts[kept]) / np.maximum(variance, variance.max() * 1e-6)
    slope, intercept = np.polyfit(mean, variance, 1, w=weights)
    steep = slope * (mean[-1] - mean[0]) > 0.2 * variance.mean()
    return float(-intercept / slope) if slope > 0 and steep else None


def _darkest(image: AnyArray) -> float:
    """Return the counts of the darkest places, averaged over a few pixels."""
    rows, columns = (side // 4 * 4 for side in image.shape)
    if not rows or not columns:
        return float(image.min())
    blocks = image[:rows, :columns].reshape(rows // 4, 4, columns // 4, 4).mean((1, 3))
    return float(np.quantile(blocks, _DARK))


def _agreed(offsets: Sequence[float], images: int, darkest: float) -> float | None:
    """Return the dark level that most images agree on; None where they do not."""
    if 2 * len(offsets) <= images:
        return None
    middle = float(np.median(offsets))
    spread = float(np.median(np.abs(np.asarray(offsets) - middle)))
    least = 1.0 if abs(middle) > 1 or abs(darkest) > 1 else 0.0  # counts; images may be in other units
    if spread > 0.1 * max(abs(darkest), least) or middle < -0.1 * max(darkest, least):
        return None
    return min(max(middle, 0.0), darkest)
