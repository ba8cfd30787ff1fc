"""Simulation of a camera: from photons to counts."""

from typing import Literal

import attrs
import numpy as np

from denoisplit.core.arrays import Float64Array

CameraKind = Literal["poisson", "em"]


@attrs.frozen(kw_only=True)
class Camera:
    """A camera with shot noise and read noise, with or without an electron-multiplying register.

    Attributes:
        kind: ``poisson`` (sCMOS, CCD), or ``em`` whose multiplication doubles the variance of the shot noise.
        gain: counts per photon.
        offset: counts without light.
        read_noise: standard deviation, counts.

    Source: Basden, Haniff & Mackay, MNRAS 2003 (gamma distribution of the multiplied electrons).
    """

    kind: CameraKind
    gain: float
    offset: float
    read_noise: float

    def expected(self, photons: Float64Array) -> Float64Array:
        """Mean of all exposures, counts."""
        return self.gain * photons + self.offset

    def expose(self, photons: Float64Array, rng: np.random.Generator) -> Float64Array:
        """One exposure, counts; variance gain^2 * photons (twice that for ``em``) + read_noise^2.

        Args:
            photons: expected number per pixel, any shape.
            rng: source of the noise.
        """
        caught = rng.poisson(photons).astype(np.float64)
        if self.kind == "em":
            caught = rng.standard_gamma(caught)
        return self.gain * caught + self.offset + self.read_noise * rng.standard_normal(photons.shape)
