"""One noise model per channel behaves as one for all channels."""

from collections.abc import Sequence

import attrs
import numpy as np
import pytest
import torch

from denoisplit.core.errors import ChannelCountError, NoiseModelError, SpecError
from denoisplit.core.network.interfaces import IntensityStats, NoiseModel, NoisePairs
from denoisplit.core.network.per_channel import PerChannelNoiseModel, channel_statistics
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from tests.network.small import NoiseModelMaker, counts, fixed, gaussian, mixture, network, statistics

SIZE = (8, 8)


def split_gaussian(given: IntensityStats) -> NoiseModel:
    return PerChannelNoiseModel([gaussian(channel_statistics(given, c)) for c in range(given.channels)])


def split_mixture(given: IntensityStats) -> NoiseModel:
    """The channels of the one mixture, taken apart."""
    state = mixture(given).state_dict()
    models = []
    for channel in range(given.channels):
        one = GaussianMixture(
            GaussianMixture.Options(), statistics=channel_statistics(given, channel)
        ).double()
        one.load_state_dict({name: value[[channel]] for name, value in state.items()})
        models.append(one)
    return PerChannelNoiseModel(models)


@pytest.mark.parametrize(("together", "apart"), [(gaussian, split_gaussian), (mixture, split_mixture)])
def test_the_same_as_one_model_through_the_whole_network(
    together: NoiseModelMaker, apart: NoiseModelMaker
) -> None:
    one, many = network(channels=3, noise_model=together), network(channels=3, noise_model=apart)
    state = {name: v for name, v in one.state_dict().items() if not name.startswith("noise_model.")}
    many.load_state_dict(state, strict=False)
    mixed, targets = counts(one, SIZE, batch=2)
    noise = fixed(one, SIZE, batch=2)
    first = one.loss(mixed, targets, noise, kl_weight=1.0)
    second = many.loss(mixed, targets, noise, kl_weight=1.0)
    torch.testing.assert_close(second.distortion_per_channel, first.distortion_per_channel)
    torch.testing.assert_close(second.total, first.total)
    raw = torch.randn_like(targets) if one.noise_model.extra_maps else None
    variances = [vse.noise_model.variance(targets, raw) for vse in (one, many)]
    torch.testing.assert_close(*variances)


def test_targets_that_would_be_repeated_are_refused() -> None:
    vse = network(channels=2)
    mixed, targets = counts(vse, SIZE, batch=3)
    noise = fixed(vse, SIZE, batch=3)
    for wrong in (targets[:, :1], targets[:1]):
        with pytest.raises(ChannelCountError, match=r"loss: the targets do not have the shape of the output"):
            vse.loss(mixed, wrong, noise, kl_weight=1.0)


def test_every_channel_draws_its_own_noise() -> None:
    models = [
        Gaussian(Gaussian.Options(log_variance="fixed", std=std), statistics=statistics(1))
        for std in (0.1, 3)
    ]
    signal = torch.zeros(4, 2, 50, 50, dtype=torch.float64)
    drawn = PerChannelNoiseModel(models).sample(signal, torch.Generator().manual_seed(0))
    for channel, std in enumerate((0.1, 3)):
        expected = std * statistics(1).target_std[0]
        assert float(drawn[:, channel].std()) == pytest.approx(expected, rel=0.03)
    assert abs(float(torch.corrcoef(drawn.transpose(0, 1).flatten(1))[0, 1])) < 0.05


def test_only_models_that_need_it_are_fitted_each_to_its_own_channel() -> None:
    rng = np.random.default_rng(0)
    signal = rng.uniform(100, 900, 4000)
    pairs: Sequence[NoisePairs] = [
        NoisePairs(signal, signal + rng.normal(0, std, signal.size)) for std in (5.0, 8.0, 30.0)
    ]
    options = GaussianMixture.Options(components=1, fit_steps=30)
    fresh = [GaussianMixture(options, statistics=statistics(1)) for _ in range(2)]
    ready = mixture(statistics(1))
    before = {name: value.clone() for name, value in ready.state_dict().items()}
    model = PerChannelNoiseModel([fresh[0], ready, fresh[1]])
    before_fit = model.needs_fit
    reports = model.fit(pairs, seed=0)
    assert [report.channel for report in reports] == [0, 2]
    assert (before_fit, model.needs_fit) == (True, False)
    for name, value in ready.state_dict().items():
        assert torch.equal(value, before[name])
    variance = model.variance(torch.full((1, 3, 1, 1), 500.0)).flatten()
    assert variance[[0, 2]].sqrt().tolist() == pytest.approx([5.0, 30.0], rel=0.1)


def test_the_model_that_cannot_be_fitted_is_named() -> None:
    model = PerChannelNoiseModel(
        [mixture(statistics(1)), GaussianMixture(GaussianMixture.Options(), statistics=statistics(1))]
    )
    few = NoisePairs(np.arange(9.0), np.arange(9.0))
    with pytest.raises(
        NoiseModelError, match=r"^model\.noise_model\[1\]: noise model \(pairs\): too few pairs"
    ):
        model.fit([few, few], seed=0)


def test_models_with_and_without_predicted_maps_do_not_mix() -> None:
    one = statistics(1)
    with pytest.raises(SpecError, match=r"^model\.noise_model: .*cannot be combined \(got \[0, 1\]"):
        PerChannelNoiseModel([gaussian(one), mixture(one)])


def test_statistics_of_one_channel() -> None:
    given = statistics(3)
    one = channel_statistics(given, 2)
    assert (one.target_mean, one.target_std) == ((given.target_mean[2],), (given.target_std[2],))
    assert attrs.evolve(one, target_mean=given.target_mean, target_std=given.target_std) == given
