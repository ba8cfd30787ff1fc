"""Pairs of clean signal and noisy observation for fitting noise models, from images of one channel."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import AnyArray, Float64Array, IntArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images.block_walks import blocks
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.neighbour_prediction import best_prediction, structure
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.network.interfaces import NoisePairs

LIMIT = 1_000_000
"""Most pairs to keep; more do not improve a fit."""

FLATTEST = 0.3
"""Share of the pixels of similar signal that a bootstrap keeps."""

_SIGNAL_BINS = 32


def pairs_from_clean(
    clean: LazyArray,
    observed: LazyArray,
    *,
    limit: int = LIMIT,
    seed: int = 0,
    part: FramePart | None = None,
) -> NoisePairs:
    """Take pairs from a clean reference.

    Args:
        clean: clean image of any shape, counts.
        observed: noisy image of the same shape, counts.
        limit: most pairs to keep.
        seed: seed of the choice of pairs.
        part: part of a camera frame that the images show; None for pairs without places.

    Raises:
        ImageError: the shapes differ, or there are no pixels.
    """
    size = math.prod(clean.shape)
    if clean.shape != observed.shape or not size:
        raise ImageError(
            f"noise pairs: the clean and the noisy image have shapes {clean.shape} and {observed.shape}. "
            f"Give the clean image of every noisy one."
        )
    chosen = _choose(size, limit, seed)
    return NoisePairs(
        _take(clean, chosen), _take(observed, chosen), "clean reference", place=_places(chosen, part)
    )


def pairs_from_repeats(
    repeats: AnyArray, *, limit: int = LIMIT, seed: int = 0, part: FramePart | None = None
) -> NoisePairs:
    r"""Take pairs from repeated exposures of one static field.

    The signal is the mean of all R exposures. Since they are exchangeable, an exposure given that mean has
    exactly that mean as its expectation, as a noise model demands; its residual is too small by
    :math:`\sqrt{1 - 1/R}` and is stretched accordingly. (The mean of the other exposures would make the
    expectation deviate from the signal.)

    Args:
        repeats: exposures [r (z) y x], counts.
        limit: most pairs to keep.
        seed: seed of the choice of pairs.
        part: see ``pairs_from_clean``.

    Raises:
        ImageError: fewer than two exposures.
    """
    count = len(repeats)
    if repeats.ndim < 2 or count < 2:
        raise ImageError(
            f"noise pairs: need two or more exposures of one field (got shape {repeats.shape}). Give a stack "
            f"[r (z) y x], or use noise_pairs: bootstrap."
        )
    flat = repeats.reshape(count, -1)
    mean = flat.mean(0, dtype=np.float64)
    chosen = _choose(flat.size, limit, seed)
    signal = mean[chosen % mean.size]
    residual = _take(flat, chosen) - signal
    return NoisePairs(
        signal,
        signal + residual * np.sqrt(count / (count - 1)),
        "repeats",
        smallest_step(flat),
        _places(chosen, part),
    )


def bootstrap_pairs(
    observed: AnyArray, *, limit: int = LIMIT, seed: int = 0, part: FramePart | None = None
) -> NoisePairs:
    r"""Take pairs from one noisy image alone: its pixels, as their neighbours predict them.

    * The weights w of the neighbours are those that predict best (``best_prediction``).
    * An error of such a prediction has the noise of the neighbours, too. So its signal is the brightness of
      which it has the noise (``NeighbourPrediction.brightness``), and it is divided by
      :math:`\sqrt{1 + \sum_i w_i^2}`.
    * Where blurred images differ there is structure, of which neighbours tell less: of the pixels of similar
      brightness, only the flattest are used.

    What neighbours do not tell of structures counts as noise: on spots and lines with the width of a well
    sampled point spread function (a standard deviation of 1.2 pixels), the variance is up to 25 % too large,
    with finer ones more. Clean images or repeats are better. The noise of neighbouring pixels must be
    independent.

    Args:
        observed: one image [(z) y x], counts.
        limit: most pairs to keep.
        seed: seed of the choice of pairs.
        part: see ``pairs_from_clean``.

    Raises:
        ImageError: fewer than two axes, sides under 8 pixels in the plane, or pixels that are not finite.
    """
    if observed.ndim < 2 or min(observed.shape[-2:]) < 8 or not np.isfinite(observed).all():
        raise ImageError(
            f"noise pairs: a bootstrap needs a finite image of 8 x 8 pixels or more (got shape "
            f"{observed.shape}). Give a larger image, or crop what is not finite."
        )
    image = observed.astype(np.float64)
    planes = image.reshape(-1, *image.shape[-2:])
    prediction = best_prediction(planes)
    signal = np.stack([prediction.brightness(plane) for plane in planes])
    flat = _flattest(signal, np.stack([structure(plane) for plane in planes]), prediction.margin)
    chosen = flat[_choose(flat.size, limit, seed)]
    signal = signal.reshape(-1)[chosen]
    errors = np.stack([plane - prediction.of(plane) for plane in planes]).reshape(-1)[chosen]
    return NoisePairs(
        signal,
        signal + errors / np.sqrt(1 + prediction.noise),
        "bootstrap",
        smallest_step(image),
        _places(chosen, part),
    )


def join_pairs(pairs: Sequence[NoisePairs], *, limit: int = LIMIT, seed: int = 0) -> NoisePairs:
    """Join the pairs of several fields of one channel.

    Raises:
        ImageError: there are none.
    """
    if not pairs:
        raise ImageError("noise pairs: there are no images to take pairs from. Give at least one field.")
    signal = np.concatenate([p.signal for p in pairs])
    observation = np.concatenate([p.observation for p in pairs])
    chosen = _choose(signal.size, limit, seed)
    places = [p.place for p in pairs if p.place is not None]
    return NoisePairs(
        signal[chosen],
        observation[chosen],
        pairs[0].origin,
        min(p.step for p in pairs),
        np.concatenate(places, axis=1)[:, chosen] if places else None,
    )


def smallest_step(values: AnyArray) -> float:
    """Return the smallest gap between different values, in a sample if there are many; 0 if all are equal."""
    flat = values.reshape(-1)
    gaps = np.diff(np.unique(flat[:: max(1, flat.size // 100_000)]))
    return float(gaps.min()) if len(gaps) else 0.0


def _choose(size: int, limit: int, seed: int) -> npt.NDArray[np.intp]:
    """Choose at most ``limit`` of ``size`` indices, in no particular order."""
    if size <= limit:
        return np.arange(size)
    # With replacement: pairs drawn twice do no harm, and a permutation of all pixels would cost memory.
    return np.random.default_rng(seed).integers(0, size, limit).astype(np.intp)


def _places(chosen: npt.NDArray[np.intp], part: FramePart | None) -> IntArray | None:
    """Return rows and columns [2 n] in the camera frame, of pixels in planes that show a part of it."""
    if part is None:
        return None
    (y, x), (rows, columns) = part.origin, part.sides
    return np.stack([y + chosen // columns % rows, x + chosen % columns]).astype(np.int64)


def _take(image: LazyArray, chosen: npt.NDArray[np.intp]) -> Float64Array:
    """Read pixels by their numbers; every block is read once."""
    order = np.argsort(chosen, kind="stable")
    sorted_places = chosen[order]
    values = np.empty(chosen.size)
    done = first = 0
    for _, pixels in blocks(image):
        last = first + pixels.size
        end = int(np.searchsorted(sorted_places, last))
        values[order[done:end]] = pixels.reshape(-1)[sorted_places[done:end] - first]
        done, first = end, last
    return values


def _flattest(signal: Float64Array, structure: Float64Array, margin: int) -> npt.NDArray[np.intp]:
    """Return the pixels with least structure among those of similar signal, without a border."""
    inside = np.zeros(signal.shape, dtype=bool)
    # At the border, mirrored neighbours would count twice.
    inside[:, margin:-margin, margin:-margin] = True
    index = np.flatnonzero(inside)
    value, rough = signal.reshape(-1)[index], structure.reshape(-1)[index]
    low, high = np.percentile(value, (0.5, 99.5))
    edges = np.linspace(low, high, _SIGNAL_BINS + 1)[1:-1]
    bins = np.searchsorted(edges, value)
    order = np.lexsort((rough, bins))
    sizes = np.bincount(bins, minlength=_SIGNAL_BINS)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = rank < np.repeat(np.ceil(FLATTEST * sizes), sizes)
    return np.sort(index[order[kept]])
