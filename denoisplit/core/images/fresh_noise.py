"""Synthetic noise that is drawn anew for every training step, so that no network can memorise it."""

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.bases import MixedSource
from denoisplit.core.images.conditioning import Conditioned, Conditioning
from denoisplit.core.images.degradation import noise_of_mixed, read_noise, shot_noise
from denoisplit.core.images.drawn import InOrder
from denoisplit.core.images.intensity_range import clip_intensities, subtract_background


@attrs.frozen(kw_only=True)
class FreshNoise:
    """Conditioning of patches of unchanged fields, with new noise every time.

    Background and ceiling are those that were measured on the fields with fixed noise.

    Attributes:
        how: settings.
        background: level to subtract from every channel of every field, counts.
        ceiling: ceiling of every channel, counts.
    """

    how: Conditioning
    background: tuple[tuple[float, ...], ...]
    ceiling: tuple[float, ...]

    def draw(
        self, counts: Float32Array, fields: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Float32Array, MixedSource]:
        """Draw noisy targets [b c (z) y x] and the parts of their mixed patches.

        Args:
            counts: patches before degradation [b c (z) y x].
            fields: number of the field of every patch [b 1], or of every channel of it [b c].
            rng: generator of the noise.
        """
        spatial = counts.ndim - 2
        degradation = self.how.degradation
        if degradation.poisson:
            counts = shot_noise(counts, degradation.poisson, rng)
        levels = np.asarray(self.background)[fields, np.arange(counts.shape[1])]
        lowered = subtract_background(counts, levels, self.how.background, spatial=spatial)
        noiseless = clip_intensities(lowered, self.ceiling, spatial=spatial)
        noise = read_noise(noiseless.shape, degradation.gaussian, rng)
        own = noise_of_mixed(noise, degradation, self.how.mixing, InOrder(rng), axis=1)
        return noiseless + noise, MixedSource(noiseless=noiseless, noise=own)


def fresh_noise(how: Conditioning, training: Conditioned) -> FreshNoise | None:
    """Return the noise of training steps; None if there is none, or if it is drawn only once."""
    if not (how.degradation.fresh and how.degradation.active):
        return None
    return FreshNoise(how=how, background=training.background, ceiling=training.fitted.ceiling)
