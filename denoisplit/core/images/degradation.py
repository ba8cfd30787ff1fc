"""Synthetic noise: clean or nearly clean images made as noisy as an experiment needs them."""

from typing import Final

import attrs
import numpy as np
from attrs.validators import ge

from denoisplit.core.errors import ImageError
from denoisplit.core.images.fingerprint import field_fingerprint
from denoisplit.core.images.interfaces import Field, FloatArray, MixedSource
from denoisplit.core.images.mixing import Mixing

_SHOT: Final = 1
_READ: Final = 2


@attrs.frozen(kw_only=True)
class Degradation:
    """Synthetic noise on the training, validation and test images.

    The images before it serve as clean references where the data set has none.

    Attributes:
        gaussian: standard deviation of additive noise, counts; 0 for none.
        poisson: counts per photon: counts become this times a Poisson number of photons, so that the mean
            stays and the variance is this times the signal; 0 for none.
        fresh: in training, draw the noise anew at every step; else once per field, as the reference does.
        dependent: the mixed image is made of the noisy channels; else it gets additive noise of its own, with
            the same standard deviation for a mean, and sqrt(channels) times that for a sum.
    """

    gaussian: float = attrs.field(default=0.0, validator=ge(0))
    poisson: float = attrs.field(default=0.0, validator=ge(0))
    fresh: bool = False
    dependent: bool = True

    @property
    def active(self) -> bool:
        """Whether there is any noise to add."""
        return self.gaussian > 0 or self.poisson > 0


def shot_noise(counts: FloatArray, factor: float, rng: np.random.Generator) -> FloatArray:
    r"""Poisson noise, :math:`\varphi \, \mathrm{Poisson}(D / \varphi)`.

    Args:
        counts: any shape, 0 or more.
        factor: counts per photon.
        rng: where the draws come from.

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


def read_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> FloatArray:
    """Additive Gaussian noise of mean 0 and standard deviation ``sigma``, counts, float32."""
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(sigma)


def noise_of_mixed(
    target_noise: FloatArray, degradation: Degradation, mixing: Mixing, rng: np.random.Generator, *, axis: int
) -> FloatArray:
    """Additive noise of the mixed image: mean (or sum) of that of the channels, or a draw of its own.

    Args:
        target_noise: additive noise of the channels [c (z) y x] or [b c (z) y x], counts.
        degradation: dependent or not.
        mixing: mean or sum.
        rng: where a draw of its own comes from.
        axis: the channel axis.

    Returns:
        [1 (z) y x] or [b 1 (z) y x], counts.
    Source: method sections 5.3 and 5.6.
    """
    count = target_noise.shape[axis]
    if degradation.dependent:
        mean: FloatArray = target_noise.mean(axis=axis, keepdims=True, dtype=np.float32)
        return mean if mixing.mode == "mean" else mean * np.float32(count)
    shape = (*target_noise.shape[:axis], 1, *target_noise.shape[axis + 1 :])
    sigma = degradation.gaussian * (1 if mixing.mode == "mean" else count**0.5)
    return read_noise(shape, sigma, rng)


def add_shot_noise(field: Field, degradation: Degradation, seed: int) -> Field:
    """The field with Poisson noise on every exposure, a function of its pixels and the seed."""
    if not degradation.poisson:
        return field
    rng = _generator(field, seed, _SHOT)
    observed = shot_noise(field.observed, degradation.poisson, rng)
    repeats = None if field.repeats is None else shot_noise(field.repeats, degradation.poisson, rng)
    return attrs.evolve(field, observed=observed, repeats=repeats)


def add_read_noise(field: Field, degradation: Degradation, mixing: Mixing, seed: int) -> Field:
    """The field with additive noise on every exposure, a function of its pixels and the seed.

    The mixed image gets a source of its own where the noisy channels do not determine it: its noise is
    independent of theirs, or the channels will be weighted, which leaves the noise as it is.
    """
    if not degradation.gaussian:
        return field
    rng = _generator(field, seed, _READ)
    noise = read_noise(field.observed.shape, degradation.gaussian, rng)
    source = None
    if mixing.alpha or not degradation.dependent:
        own = noise_of_mixed(noise, degradation, mixing, rng, axis=0)
        source = MixedSource(noiseless=field.observed, noise=own)
    repeats = field.repeats
    if repeats is not None:
        repeats = repeats + read_noise(repeats.shape, degradation.gaussian, rng)
    return attrs.evolve(field, observed=field.observed + noise, repeats=repeats, mixed_source=source)


def _generator(field: Field, seed: int, stage: int) -> np.random.Generator:
    """Draws that are the same for the same pixels, whatever the split, the order and the name."""
    digest = int(field_fingerprint(field)[:32], 16)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, digest), spawn_key=(stage,))))
