"""The Gaussian noise model: maps it wants, variances it reports, errors."""

import math

import pytest
import torch
from scipy.stats import norm

from denoisplit.core.errors import ChannelCountError, NoiseModelError
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.plugins.noise_models.gaussian import Gaussian, pooled_log_variance

STATISTICS = IntensityStats(mixed_mean=0.0, mixed_std=1.0, target_mean=(100.0, 50.0), target_std=(20.0, 5.0))


def test_predicted_variances_need_a_map_and_fixed_ones_do_not() -> None:
    assert Gaussian(Gaussian.Options(), statistics=STATISTICS).extra_maps == 1
    fixed = Gaussian(Gaussian.Options(log_variance="fixed", std=0.5), statistics=STATISTICS)
    assert fixed.extra_maps == 0
    signal = torch.rand(2, 2, 3, 4, dtype=torch.float64)
    std = torch.tensor([10.0, 2.5], dtype=torch.float64).view(1, 2, 1, 1).expand_as(signal)
    expected = norm.logpdf((signal + 3).numpy(), signal.numpy(), std.numpy())
    torch.testing.assert_close(fixed.log_prob(signal + 3, signal), torch.from_numpy(expected))
    torch.testing.assert_close(fixed.variance(signal), std.square())


def test_the_floor_bounds_the_average_and_stops_its_gradient() -> None:
    model = Gaussian(Gaussian.Options(log_variance="channel", log_variance_floor=-1.0), statistics=STATISTICS)
    raw = torch.tensor([-9.0, 9.0, -9.0, -9.0], dtype=torch.float64).view(1, 2, 1, 2).requires_grad_()
    signal = torch.zeros(1, 2, 1, 2, dtype=torch.float64)
    variance = model.variance(signal, raw)
    torch.testing.assert_close(
        variance[0, :, 0, 0], torch.tensor([400.0, 25 * math.exp(-1)], dtype=torch.float64)
    )
    (gradient,) = torch.autograd.grad(model.log_prob(signal + 1, signal, raw).sum(), raw)
    assert (gradient[0, 0] != 0).all()
    assert (gradient[0, 1] == 0).all()


def test_nothing_to_fit() -> None:
    model = Gaussian(Gaussian.Options(), statistics=STATISTICS)
    assert not model.needs_fit
    assert model.fit([], seed=0) == ()


def test_extreme_maps_stay_finite() -> None:
    model = Gaussian(Gaussian.Options(log_variance_floor=None), statistics=STATISTICS)
    signal = torch.zeros(1, 2, 1, 2)
    for raw in (-1e4, 1e4):
        assert model.log_prob(signal + 1e3, signal, torch.full_like(signal, raw)).isfinite().all()


def test_wrong_maps_and_options_are_refused() -> None:
    model, signal = Gaussian(Gaussian.Options(), statistics=STATISTICS), torch.zeros(1, 2, 3, 3)
    with pytest.raises(NoiseModelError, match="no log-variance maps"):
        model.log_prob(signal, signal)
    with pytest.raises(ChannelCountError, match="do not fit"):
        model.log_prob(signal, signal, torch.zeros(1, 1, 3, 3))
    with pytest.raises(ChannelCountError, match="3 channels"):
        model.log_prob(torch.zeros(1, 3, 3, 3), torch.zeros(1, 3, 3, 3), torch.zeros(1, 3, 3, 3))
    with pytest.raises(ValueError, match="std"):
        Gaussian.Options(std=0.0)


def test_a_variance_is_pooled_over_space_or_over_channels_too() -> None:
    raw = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pooled_log_variance(raw, "pixel", None), raw)
    torch.testing.assert_close(pooled_log_variance(raw, "channel", None)[1, 2, 0, 0], raw[1, 2].mean())
    found = pooled_log_variance(raw, "global", None)
    assert found.shape == (2, 1, 1, 1)
    torch.testing.assert_close(found.flatten(), raw.flatten(1).mean(1))
