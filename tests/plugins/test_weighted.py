"""The noise model ``weighted``: a fitted mixture beside a predicted Gaussian."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.interfaces import IntensityStats, NoisePairs
from denoisplit.core.network.per_channel import PerChannelNoiseModel
from denoisplit.plugins.noise_models.exchange import ChannelMixture, write_mixture
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.plugins.noise_models.weighted import Weighted

STATISTICS = IntensityStats(mixed_mean=0.0, mixed_std=1.0, target_mean=(200.0,), target_std=(50.0,))


def _one_gaussian(folder: Path, variance: float) -> GaussianMixture.Options:
    """A mixture that is a single Gaussian around the signal."""
    weight = np.array([[0.0], [np.log(variance)], [0.0]])
    write_mixture(folder / "one.npz", ChannelMixture(weight, 0.0, 1000.0, 1.0))
    return GaussianMixture.Options(path=[folder / "one.npz"])


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.9, 1.0])
def test_weighs_counts_against_normalised_units(tmp_path: Path, weight: float) -> None:
    options = Weighted.Options(
        weight=weight,
        mixture=_one_gaussian(tmp_path, 400.0),
        gaussian=Gaussian.Options(log_variance_floor=None),
    )
    model = Weighted(options, statistics=STATISTICS)
    signal = torch.full((1, 1, 1, 4), 300.0, dtype=torch.float64)
    observation = signal + torch.tensor([-60.0, 0.0, 10.0, 200.0], dtype=torch.float64)
    log_variance = torch.tensor([0.0, -1.0, 0.5, 2.0], dtype=torch.float64).view(1, 1, 1, 4)
    offset = (observation - signal).numpy()
    in_counts = norm.logpdf(offset, scale=20.0)
    normalised = norm.logpdf(offset / 50.0, scale=np.exp(log_variance.numpy() / 2))
    torch.testing.assert_close(
        model.log_prob(observation, signal, log_variance),
        torch.from_numpy(weight * in_counts + (1 - weight) * normalised),
        rtol=1e-6,
        atol=1e-6,
    )


def test_the_mixture_alone_tells_what_the_camera_does(tmp_path: Path) -> None:
    options = Weighted.Options(weight=0.5, mixture=_one_gaussian(tmp_path, 400.0))
    model = Weighted(options, statistics=STATISTICS)
    signal = torch.full((1, 1, 100, 100), 300.0)
    wide = torch.full_like(signal, 5.0)
    torch.testing.assert_close(model.variance(signal, wide), torch.full_like(signal, 400.0))
    drawn = model.sample(signal, torch.Generator().manual_seed(0), wide)
    assert float(drawn.std()) == pytest.approx(20, rel=0.05)


def test_fits_the_mixture_and_keeps_it_in_the_state_dict() -> None:
    random = np.random.default_rng(0)
    signal = random.uniform(100, 900, 4000)
    pairs = NoisePairs(signal, signal + random.normal(0, 12, signal.shape))
    options = Weighted.Options(mixture=GaussianMixture.Options(fit_steps=20))
    model, again = (Weighted(options, statistics=STATISTICS) for _ in range(2))
    assert model.needs_fit
    with pytest.raises(NoiseModelError, match="not fitted"):
        model.log_prob(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
    (report,) = model.fit([pairs], seed=0)
    assert report.pairs > 0
    again.load_state_dict(model.state_dict())
    assert (model.needs_fit, again.needs_fit) == (False, False)
    image = torch.full((1, 1, 2, 2), 500.0)
    torch.testing.assert_close(
        again.log_prob(image + 3, image, image * 0), model.log_prob(image + 3, image, image * 0)
    )
    assert float(again.variance(image).mean()) == pytest.approx(144, rel=0.2)


def test_one_composite_channel_makes_the_whole_no_density(tmp_path: Path) -> None:
    composite = Weighted(Weighted.Options(mixture=_one_gaussian(tmp_path, 4.0)), statistics=STATISTICS)
    gaussian = Gaussian(Gaussian.Options(), statistics=STATISTICS)
    assert not PerChannelNoiseModel([gaussian, composite]).is_density
    assert PerChannelNoiseModel([gaussian, gaussian]).is_density


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_weights_outside_0_and_1_are_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="'weight' must be"):
        Weighted.Options(weight=weight)
