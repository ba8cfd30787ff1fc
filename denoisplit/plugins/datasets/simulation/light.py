"""From drawn structures to the photons that a camera would catch."""

import numpy as np

from denoisplit.core.arrays import Float64Array
from denoisplit.plugins.datasets.simulation.render import blur

_BRIGHT, _SPARSE = 0.99, 0.05


def photons_of(
    structure: Float64Array, *, psf: float, haze: float, photons: float, background: float
) -> Float64Array:
    """Expected photons per pixel of one channel.

    Args:
        structure: relative brightness before the optics, [y x].
        psf: standard deviation of the point-spread function, pixels.
        haze: fraction of the light that comes from out of focus, 0 to 1.
        photons: photons of a bright pixel, the 99th percentile.
        background: photons per pixel without structure.
    """
    light = (1 - haze) * blur(structure, psf) + haze * blur(structure, 6 * psf)
    # The 99th percentile of a nearly empty field is dark: there the brightest pixel sets the scale.
    bright = max(float(np.quantile(light, _BRIGHT)), _SPARSE * float(light.max())) or 1.0
    return background + photons * light / bright
