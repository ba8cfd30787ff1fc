"""Synthetic noise that makes clean or nearly clean images as noisy as an experiment needs."""

from functools import partial
from typing import Final, Literal

import attrs
import numpy as np
from attrs.validators import ge, in_

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field, MixedSource
from denoisplit.core.images.data_fingerprint import field_fingerprint
from denoisplit.core.images.derived_images import across_channels, elementwise, window, zeros_like
from denoisplit.core.images.drawn import ByPlace, Draws, InOrder
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixing import Mixing

_SHOT: Final = 1
_READ: Final = 2


@attrs.frozen(kw_only=True)
class Degradation:
    """Settings of synthetic noise on the training, validation and test images.

    The images without it serve as clean references if the data set has none.

    Attributes:
        gaussian: standard deviation of additive noise, counts; 0 for none.
        poisson: counts per photon: counts become this times a Poisson number of photons, which keeps the mean
            and makes the variance this times the signal; 0 for none.
        fresh: whether training draws new noise at every step; else once per field, as the reference does.
        dependent: whether the mixed image is made of the noisy channels; else it gets its own additive noise,
            with the same standard deviation for a mean, and sqrt(channels) times that for a sum.
        noise: drawing of noise that is not fresh: ``by_place``, only for the pixels that are read, or
            ``in_order``, for all pixels of an image at once, as in early versions.
    """

    gaussian: float = attrs.field(default=0.0, validator=ge(0))
    poisson: float = attrs.field(default=0.0, validator=ge(0))
    fresh: bool = False
    dependent: bool = True
    noise: Literal["by_place", "in_order"] = attrs.field(
        default="by_place", validator=in_(("by_place", "in_order"))
    )

    @property
    def active(self) -> bool:
        """Whether there is any noise to add."""
        return self.gaussian > 0 or self.poisson > 0


def shot_noise(counts: Float32Array, factor: float, rng: np.random.Generator) -> Float32Array:
    r"""Draw counts with Poisson noise, :math:`\varphi \, \mathrm{Poisson}(D / \varphi)`.

    Args:
        counts: any shape, 0 or more.
        factor: counts per photon.
        rng: generator of the draws.

    Returns:
        Same shape, counts, float32.

    Raises:
        ImageError: negative counts.
    Source: method section 5.3. (The CAREamics port leaves the photons undone: intensities shrink there.)
    """
    lowest = float(counts.min(initial=0))
    if lowest < 0:
        raise ImageError(
            f"$.data.degradation.poisson: an image has negative counts (got {lowest}). "
            f"Use images with counts of 0 or more, or no Poisson noise."
        )
    photons = rng.poisson(counts.astype(np.float64) / factor)
    return (photons * factor).astype(np.float32)


def read_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Float32Array:
    """Draw additive Gaussian noise of mean 0 and standard deviation ``sigma``, counts, float32."""
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(sigma)


def noise_of_mixed(
    target_noise: LazyArray,
    degradation: Degradation,
    mixing: Mixing,
    draws: Draws,
    *,
    axis: int,
) -> LazyArray:
    """Return the additive noise of the mixed image: mean or sum of that of the channels, or its own.

    Args:
        target_noise: additive noise of the channels [c (z) y x] or [b c (z) y x], counts.
        degradation: whether the noise is dependent.
        mixing: whether channels are averaged or summed.
        draws: source of noise that is independent of the channels.
        axis: the channel axis.

    Returns:
        [1 (z) y x] or [b 1 (z) y x], counts.
    Source: method sections 5.3 and 5.6.
    """
    if degradation.dependent:
        together = partial(_noise_of_channels, mixing=mixing, axis=axis)
        return across_channels(target_noise, together, axis=axis, channels=1)
    sigma = degradation.gaussian * (1 if mixing.mode == "mean" else target_noise.shape[axis] ** 0.5)
    return _read_noise_on(window(target_noise, (*(slice(None),) * axis, slice(0, 1))), sigma, draws)


def _noise_of_channels(noise: Float32Array, mixing: Mixing, axis: int) -> Float32Array:
    mean: Float32Array = noise.mean(axis=axis, keepdims=True, dtype=np.float32)
    return mean if mixing.mode == "mean" else mean * np.float32(noise.shape[axis])


def add_shot_noise(field: Field, degradation: Degradation, seed: int) -> Field:
    """Add Poisson noise to every exposure of a field, as a function of its pixels and the seed."""
    if not degradation.poisson:
        return field
    draws = _draws(field, degradation, seed, _SHOT)
    draw = partial(_shot_noise_of, factor=degradation.poisson)
    observed = draws.of(field.observed, draw)
    repeats = None if field.repeats is None else draws.of(field.repeats, draw)
    return attrs.evolve(field, observed=observed, repeats=repeats)


def add_read_noise(field: Field, degradation: Degradation, mixing: Mixing, seed: int) -> Field:
    """Add Gaussian noise to every exposure of a field, as a function of its pixels and the seed.

    The mixed image gets its own source if the noisy channels do not determine it: because its noise is
    independent of theirs, or because random weights will scale the channels but not the noise.
    """
    if not degradation.gaussian:
        return field
    draws = _draws(field, degradation, seed, _READ)
    noise = _read_noise_on(field.observed, degradation.gaussian, draws)
    source = None
    if mixing.alpha or not degradation.dependent:
        own = noise_of_mixed(noise, degradation, mixing, draws, axis=0)
        source = MixedSource(noiseless=field.observed, noise=own)
    repeats = field.repeats
    if repeats is not None:
        repeats = elementwise(np.add, repeats, _read_noise_on(repeats, degradation.gaussian, draws))
    observed = elementwise(np.add, field.observed, noise)
    return attrs.evolve(field, observed=observed, repeats=repeats, mixed_source=source)


def _read_noise_on(image: LazyArray, sigma: float, draws: Draws) -> LazyArray:
    """Return additive noise of the shape of an image; none of its pixels is read."""
    return draws.of(zeros_like(image), partial(_read_noise_of, sigma=sigma))


def _shot_noise_of(pixels: Float32Array, rng: np.random.Generator, factor: float) -> Float32Array:
    return shot_noise(pixels, factor, rng)


def _read_noise_of(pixels: Float32Array, rng: np.random.Generator, sigma: float) -> Float32Array:
    return read_noise(pixels.shape, sigma, rng)


def _draws(field: Field, degradation: Degradation, seed: int, stage: int) -> Draws:
    """Return draws that depend on the pixels alone, not on the split, the order or the name of the field."""
    digest = int(field_fingerprint(field)[:32], 16)
    seeds = np.random.SeedSequence((seed, digest), spawn_key=(stage,))
    if degradation.noise == "by_place":
        return ByPlace(seeds)
    return InOrder(np.random.Generator(np.random.Philox(seeds)))
