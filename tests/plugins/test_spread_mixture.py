"""The noise model ``spread_mixture``: noise around a signal of which the network is not sure."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm

from denoisplit.core.errors import ChannelCountError, NoiseModelError
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.per_channel import PerChannelNoiseModel
from denoisplit.plugins.noise_models.exchange import ChannelMixture, write_mixture
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.plugins.noise_models.spread_mixture import SpreadMixture

STD = 50.0
STATISTICS = IntensityStats(mixed_mean=0.0, mixed_std=1.0, target_mean=(200.0,), target_std=(STD,))


def of_one_gaussian(folder: Path, variance: float, *, first: float = 1.0, **more: object) -> SpreadMixture:
    """Noise that is a single Gaussian around the clean signal."""
    weight = np.array([[0.0], [np.log(variance)], [0.0]])
    write_mixture(folder / "one.npz", ChannelMixture(weight, 0.0, 1000.0, 1.0))
    mixture = GaussianMixture.Options(path=[folder / "one.npz"], **more)  # type: ignore[arg-type]
    return SpreadMixture(SpreadMixture.Options(mixture=mixture, first=first), statistics=STATISTICS)


@pytest.mark.parametrize("learnable", [False, True])
def test_variances_of_noise_and_signal_add_up(tmp_path: Path, learnable: bool) -> None:
    model = of_one_gaussian(tmp_path, 400.0, first=0.5, learnable=learnable)
    signal = torch.full((1, 1, 1, 4), 300.0, dtype=torch.float64)
    offset = np.array([-60.0, 0.0, 10.0, 200.0])
    maps = torch.tensor([-30.0, -1.0, 0.0, 2.0], dtype=torch.float64).view(1, 1, 1, 4)
    own = 0.5 * STD**2 * np.exp([-20.0, -1.0, 0.0, 2.0])  # no lower than e^-20
    found = model.log_prob(signal + torch.from_numpy(offset), signal, maps).detach()
    np.testing.assert_allclose(found.flatten(), norm.logpdf(offset, scale=np.sqrt(400 + own)), rtol=1e-6)
    np.testing.assert_allclose(model.signal_variance(signal, maps).flatten(), own, rtol=1e-12)
    np.testing.assert_allclose(model.variance(signal, maps).detach().flatten(), 400 + own, rtol=1e-6)


def test_likelihood_alone_tells_noise_from_what_the_network_does_not_know(tmp_path: Path) -> None:
    """The most likely variance of the signal is that of its errors, half as large as the noise here."""
    model, generator = of_one_gaussian(tmp_path, 400.0), torch.Generator().manual_seed(0)
    decoded = torch.full((1, 1, 200, 200), 300.0)
    clean = decoded + math.sqrt(200.0) * torch.randn(decoded.shape, generator=generator)
    observed = clean + 20 * torch.randn(decoded.shape, generator=generator)
    guess = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.Adam([guess], lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss = -model.log_prob(observed, decoded, guess.expand_as(decoded)).mean()
        (guess.grad,) = torch.autograd.grad(loss, guess)
        optimizer.step()
    found = float(model.signal_variance(decoded, guess.detach().expand_as(decoded))[0, 0, 0, 0])
    # The standard error of a variance of 600 from 40,000 pixels is 4.2.
    assert found == pytest.approx(200, abs=4 * 4.2)


def test_beside_other_models_they_alone_have_a_variance_of_the_signal(tmp_path: Path) -> None:
    plain = Gaussian(Gaussian.Options(), statistics=STATISTICS)
    both = PerChannelNoiseModel([plain, of_one_gaussian(tmp_path, 400.0)])
    signal, maps = torch.full((1, 2, 3, 3), 300.0), torch.zeros(1, 2, 3, 3)
    found = both.signal_variance(signal, maps)
    assert found is not None
    assert found[0, :, 0, 0].tolist() == [0, STD**2]
    assert PerChannelNoiseModel([plain, plain]).signal_variance(signal, maps) is None


def test_maps_are_needed_and_one_per_channel(tmp_path: Path) -> None:
    model, signal = of_one_gaussian(tmp_path, 400.0), torch.full((1, 1, 3, 3), 300.0)
    with pytest.raises(NoiseModelError, match=r"no maps of the spread\. .*gaussian_mixture"):
        model.log_prob(signal, signal)
    with pytest.raises(ChannelCountError, match=r"\(1, 2, 3, 3\) do not fit the signal \(1, 1, 3, 3\)"):
        model.variance(signal, torch.zeros(1, 2, 3, 3))
