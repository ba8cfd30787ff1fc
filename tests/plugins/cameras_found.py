"""What the Poisson-Gaussian model has found of a camera."""

import torch

from denoisplit.plugins.noise_models.poisson_gaussian import PoissonGaussian
from denoisplit.plugins.noise_models.split_numbers import join


def parameters_of(model: PoissonGaussian, channel: int) -> tuple[float, float, float]:
    """Gain (counts per photon), offset (counts) and read noise (counts)."""
    gain, offset, read_noise = join(model.cameras[channel], torch.float64).tolist()
    return gain, offset, read_noise
