"""The cost of a network's precision: one image predicted in float32 and in that precision."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import Float32Array
from denoisplit.core.assessment.coverage import coverage
from denoisplit.core.assessment.image_scores import psnr, range_invariant_psnr
from denoisplit.core.errors import ChannelCountError, ImageError, SpecError
from denoisplit.core.images.bases import Image
from denoisplit.core.images.derived_images import centre_of
from denoisplit.core.images.image_checks import check_channels, check_pixels
from denoisplit.core.images.io import Planes, iterate_planes
from denoisplit.core.network.composer import MIXED_CHANNELS
from denoisplit.core.network.vse import VSE
from denoisplit.core.precision.choice import FULL
from denoisplit.core.prediction.outputs.posterior import Posterior, draw_samples, predict
from denoisplit.core.prediction.progress import Progress, part_of
from denoisplit.core.prediction.request import Request
from denoisplit.core.storage.bundle import Bundle

SAMPLES: Final = 16
SIDE: Final = 512
"""Most pixels that are compared along y and x."""
LEVELS: Final = (0.68, 0.90)


@attrs.frozen(kw_only=True)
class ChannelCost:
    """Effect of the precision on one channel.

    Attributes:
        name: name of the channel.
        agreement: PSNR of its mean against the mean in float32, dB.
        psnr: range-invariant PSNR against the clean image in float32 and in the precision of the network, dB;
            None without a clean image.
        std_ratio: average std over that in float32.
        coverage: how often the truth lies within the central interval, for every level of ``LEVELS``, in
            float32 and in the precision of the network.
    """

    name: str
    agreement: float
    psnr: tuple[float, float] | None
    std_ratio: float
    coverage: tuple[tuple[float, float], ...]

    @property
    def psnr_change(self) -> float | None:
        """Change of the PSNR by the precision, dB; None without a clean image."""
        return None if self.psnr is None else self.psnr[1] - self.psnr[0]


@attrs.frozen(kw_only=True)
class PrecisionCost:
    """Effect of the precision at equal latent noise.

    Attributes:
        precision: precision of the network, such as ``bf16``.
        samples: number of posterior samples averaged.
        shape: compared pixels [(z) y x], those in the middle.
        whole: pixels [(z) y x] of the image that they are part of.
        position: position of this image along the other axes, for example ``t=3``; empty for a single one.
        truth: truth of the coverage: ``the clean image``, or ``another sample in float32``.
        channels: effect on each channel.
    """

    precision: str
    samples: int
    shape: tuple[int, ...]
    whole: tuple[int, ...]
    position: str
    truth: str
    channels: tuple[ChannelCost, ...]


def check_precision(
    vse: VSE,
    bundle: Bundle,
    image: Image,
    *,
    clean: Image | None,
    samples: int | None,
    seed: int | None,
    tile: int | None,
    progress: Progress | None,
) -> PrecisionCost:
    """Compare predictions; for arguments and errors, see ``Run.check_precision``."""
    if vse.precision == FULL:
        raise SpecError(
            "check of the precision: the network runs in float32 here (got training.precision: "
            f"{bundle.spec.training.precision}), so there is nothing to compare. Nothing needs to be done."
        )
    count = SAMPLES if samples is None else samples
    how = Request(seed=seed, tile=tile).settled(bundle.spec.prediction, count)
    if count < 2:
        raise SpecError(f"check of the precision: a std needs two samples (got {count}). Use 2 or more.")
    planes = iterate_planes(image, bundle.spec.model.dimensions)
    whole = planes.plane_shape[1:]
    check_channels(planes.plane_shape[0], MIXED_CHANNELS, image.source, "Give the mixed image.")
    mixed = np.asarray(bundle.conditioned(_compared(planes)[0]))

    def told(part: int) -> Progress | None:
        return None if progress is None else part_of(progress, part, 2)

    with _float32(vse):
        exact = predict(vse, mixed, how, progress=told(0))
        truth = None if clean is None else _clean(clean, bundle, whole)
        compared = truth
        if compared is None:
            compared = draw_samples(vse, mixed, attrs.evolve(how, samples=1), first=count)[0]
    fast = predict(vse, mixed, how, progress=told(1))
    costs = [
        _cost(name, _channel(exact, c), _channel(fast, c), compared[c], scored=truth is not None)
        for c, name in enumerate(bundle.spec.channels)
    ]
    return PrecisionCost(
        precision=vse.precision,
        samples=count,
        shape=mixed.shape,
        whole=whole,
        position=planes.place(_middle(planes)),
        truth="another sample in float32" if truth is None else "the clean image",
        channels=tuple(costs),
    )


_Moments = tuple[Float32Array, Float32Array]
"""Mean and std of one channel [(z) y x], counts."""


def _channel(posterior: Posterior, channel: int) -> _Moments:
    if posterior.std is None:
        raise ValueError("a single sample has no spread")
    return posterior.mean[channel], posterior.std[channel]


def _cost(name: str, exact: _Moments, fast: _Moments, truth: Float32Array, *, scored: bool) -> ChannelCost:
    within = [coverage(*one, truth, levels=LEVELS) for one in (exact, fast)]
    scores = (range_invariant_psnr(truth, exact[0]), range_invariant_psnr(truth, fast[0])) if scored else None
    return ChannelCost(
        name=name,
        agreement=psnr(exact[0], fast[0]),
        psnr=scores,
        std_ratio=_ratio(fast[1], exact[1]),
        coverage=tuple((a.fraction, b.fraction) for a, b in zip(*within, strict=True)),
    )


@contextmanager
def _float32(vse: VSE) -> Iterator[None]:
    """The network in the precision of its weights, for the duration of a context."""
    before = vse.precision
    vse.precision = FULL
    try:
        yield
    finally:
        vse.precision = before


def _middle(planes: Planes) -> int:
    """Number of the plane in the middle of a series."""
    return len(planes) // 2


def _compared(planes: Planes) -> Float32Array:
    """The central pixels [c (z) y x] of the middle position, at most ``SIDE`` in y and x; reads no others.

    Raises:
        ImageError: the pixels cannot be read or used.
    """
    image = planes.lazy(planes.index(_middle(planes)))
    pixels = np.asarray(image[centre_of(image, SIDE)])
    cut = pixels.shape != planes.plane_shape
    check_pixels(pixels, f"{planes.image.source}{', central pixels' if cut else ''}")
    return pixels


def _clean(clean: Image, bundle: Bundle, whole: tuple[int, ...]) -> Float32Array:
    """Clean channels [c (z) y x] at the compared pixels."""
    names = bundle.spec.channels
    planes = iterate_planes(clean, bundle.spec.model.dimensions)
    channels, *sides = planes.plane_shape
    if channels != len(names):
        raise ChannelCountError(
            f"{clean.source}: the clean image has {channels} channels, the run {len(names)} "
            f"({', '.join(names)}). Give an image with these channels in this order."
        )
    if tuple(sides) != whole:
        raise ImageError(
            f"{clean.source}: the clean image does not fit (got {tuple(sides)} pixels, the mixed image "
            f"has {whole}). Give the clean image of the same place."
        )
    return _compared(planes)


def _ratio(std: Float32Array, reference: Float32Array) -> float:
    below = float(np.mean(reference, dtype=np.float64))
    above = float(np.mean(std, dtype=np.float64))
    return above / below if below > 0 else float("nan" if above == 0 else "inf")
