"""Worked examples of the method: numbers that need no files.

The reference computed most of them in single precision.
"""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from benchmarks.reference_tiling import ReferenceGrid
from denoisplit.core.assessment.image_scores import psnr, range_invariant_psnr
from denoisplit.core.images.context_pyramid import pyramid
from denoisplit.core.network.interfaces import IntensityStats, KLScheme
from denoisplit.core.network.latent import Level, divergence, gaussian, stable_variance
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.kl_schemes.musplit import MuSplitKL
from denoisplit.plugins.noise_models.exchange import ChannelMixture, write_mixture
from denoisplit.plugins.noise_models.gaussian import Gaussian, LogVariance
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from tests.assessment.pooled import pooled_psnr

UNIT = IntensityStats(mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0,), target_std=(1.0,))


def level(sums: list[float], shape: tuple[int, ...]) -> Level:
    """A level whose single-sample divergence has these sums over an image, spread evenly."""
    share = torch.tensor(sums, dtype=torch.float64) / math.prod(shape)
    values = share.view(-1, 1, 1, 1).expand(-1, *shape)
    zero = torch.zeros((), dtype=torch.float64).expand(values.shape)
    # ln q - ln p of unit normals around 1 and 0 is z - 1/2.
    return Level(Normal(zero + 1, zero + 1), Normal(zero, zero + 1), values + 0.5)


def denoisplit(free_bits: float) -> KLScheme:
    return DenoiSplitKL(DenoiSplitKL.Options(free_bits=free_bits))


def musplit(free_bits: float) -> KLScheme:
    return MuSplitKL(MuSplitKL.Options(free_bits=free_bits))


@pytest.mark.parametrize(
    ("raw", "variance"),
    [
        (-20, 1.00206115e-6),
        (-5, 6.73894700e-3),
        (-1, 0.367880441),
        (0, 1.000001),
        (0.5, 1.500001),
        (2, 3.000001),
        (20, 21.000001),
    ],
)
def test_the_stable_variance(raw: float, variance: float) -> None:
    found = stable_variance(torch.tensor(raw, dtype=torch.float64))
    assert float(found) == pytest.approx(variance, rel=1e-8)


def test_divergence_in_closed_form_and_at_a_sample() -> None:
    """Method section 3.7: means 0 and 1, raw log-variances 0 and 1/2."""
    prior = gaussian(torch.tensor([[0.0, 0.0]], dtype=torch.float64))
    posterior = gaussian(torch.tensor([[1.0, 0.5]], dtype=torch.float64))
    at = [torch.tensor([[z]], dtype=torch.float64) for z in (0.0, 1.0, 2.0)]
    exact = divergence(Level(posterior, prior, at[0]), analytic=True)
    assert float(exact) == pytest.approx(0.5472669, abs=5e-8)
    sampled = [float(divergence(Level(posterior, prior, z), analytic=False)) for z in at]
    assert sampled == pytest.approx([-0.5360655, 0.2972671, 1.4639325], abs=5e-8)


def test_rates_of_the_reference_architecture() -> None:
    """Method section 3.6: 0.1, 0.2, 0.4 and 0.8 nats per latent number."""
    sides = (64, 32, 16, 8)
    levels = tuple(
        level([per_scalar * 128 * side**2], (128, side, side))
        for per_scalar, side in zip((0.1, 0.2, 0.4, 0.8), sides, strict=True)
    )
    rate = denoisplit(1.0)(levels, image_pixels=128**2, channels=2)
    assert rate.per_level.tolist() == pytest.approx([3.2, 1.6, 0.8, 0.4], rel=1e-9)
    assert float(rate.total) == pytest.approx(6.0, rel=1e-9)
    found = [float(musplit(f)(levels, image_pixels=128**2, channels=2).total) for f in (0.0, 1.0)]
    assert found == pytest.approx([0.375, 1.0], rel=1e-9)


def test_free_bits_are_per_image_and_level_and_come_before_the_mean() -> None:
    """Method section 3.6: of the sums 0.2 and 3.0, only the first is raised."""
    levels = (level([1000.0, 2000.0], (128, 64, 64)), level([0.2, 3.0], (128, 32, 32)))
    found = [
        float(s(levels, image_pixels=128**2, channels=2).total) for s in (denoisplit(1.0), denoisplit(0.0))
    ]
    assert found == pytest.approx([0.09167480, 0.09165039], abs=5e-9)
    assert float(musplit(0.0)(levels, image_pixels=128**2, channels=2).total) == pytest.approx(
        0.00143662, rel=5e-6
    )


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("pixel", (-5.0975308, -1.1810691)),
        ("channel", (-5.0975308, -1.1810691)),
        ("global", (-0.4545039, 0.1902544)),
    ],
)
def test_the_gaussian_pools_before_it_bounds(mode: LogVariance, expected: tuple[float, float]) -> None:
    statistics = IntensityStats(mixed_mean=0, mixed_std=1, target_mean=(0, 0), target_std=(1, 1))
    model = Gaussian(Gaussian.Options(log_variance=mode, log_variance_floor=-5.0), statistics=statistics)
    x, mean, raw = (
        torch.tensor(values, dtype=torch.float64).view(1, 2, 1, 1)
        for values in ((0.3, -1.2), (0.0, -1.0), (-7.0, 0.5))
    )
    assert model.log_prob(x, mean, raw).flatten().tolist() == pytest.approx(expected, abs=5e-7)


def test_a_mixture_of_two(tmp_path: Path) -> None:
    weight = np.array([[0.5, -1], [-0.5, 2], [1, 3], [0, 2], [0.2, -0.3], [-0.2, 0.4]])
    write_mixture(tmp_path / "m.npz", ChannelMixture(weight, 100, 1100, 5))
    model = GaussianMixture(GaussianMixture.Options(path=(tmp_path / "m.npz",)), statistics=UNIT)
    signal = torch.tensor([50.0, 100, 600, 1100], dtype=torch.float64).view(1, 1, 1, -1)
    observation = torch.tensor([60.0, 98, 610, 1090], dtype=torch.float64).view(1, 1, 1, -1)
    found = model.log_prob(observation, signal).flatten().tolist()
    # The parameters of the file are rounded to float32, as those of the reference.
    assert found == pytest.approx([-11.278265, -2.129976, -6.965167, -5.043439], abs=2e-5)


def test_scores_of_a_ramp() -> None:
    """Section 8.1; the PSNR of a set takes the range of all its images and the mean of their errors."""
    truth = np.arange(16.0).reshape(4, 4)
    prediction = 2 * truth + 3
    assert range_invariant_psnr(truth, prediction) == math.inf
    prediction[0, 0] += 8
    assert range_invariant_psnr(truth, prediction) == pytest.approx(24.028751, abs=2e-6)
    assert psnr(truth, prediction) == pytest.approx(2.107327, abs=2e-6)
    together = pooled_psnr([truth, truth - 1], [prediction, prediction + 1])
    assert together == pytest.approx(1.973866, abs=2e-6)


def test_a_ramp_is_smoothed_before_it_is_halved() -> None:
    """Method section 5.8."""
    ramp = np.arange(64, dtype=np.float64).reshape(1, 8, 8)
    assert pyramid(ramp, 1)[1][0, 0].tolist() == pytest.approx([5.46518, 7.35794, 9.35794, 11.2507], abs=5e-5)


def test_tiles_of_large_frames() -> None:
    """Method section 13: frames of 1004 pixels."""

    def cells(patch: int, cell: int, frames: int = 1) -> ReferenceGrid:
        return ReferenceGrid(frames=frames, shape=(1004, 1004), patch=(patch,) * 2, grid=(cell,) * 2)

    assert (cells(128, 64).cells, cells(128, 32).cells) == ((15, 15), (31, 31))
    left_top = ReferenceGrid(
        frames=1, shape=(1004, 1004), patch=(128, 128), grid=(128, 128), alignment="left_top"
    )
    assert left_top.cells == (7, 7)
    five = cells(128, 64, frames=5)
    assert len(five) == 1125
    assert five.cell(7) == (2, (0, 64))
