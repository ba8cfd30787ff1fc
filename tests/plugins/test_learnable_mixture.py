"""A mixture that is trained on with the network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from denoisplit.core.network.interfaces import IntensityStats, NoiseModel, NoisePairs
from denoisplit.core.network.per_channel import PerChannelNoiseModel
from denoisplit.plugins.noise_models.exchange import ChannelMixture, write_mixture
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from tests.network.small import counts, fixed, mixture, network

Options = GaussianMixture.Options
SIZE = (8, 8)


def learnable(given: IntensityStats) -> NoiseModel:
    """The mixture of the small networks, learnable."""
    model = GaussianMixture(Options(learnable=True), statistics=given).double()
    model.load_state_dict(mixture(given).state_dict())
    return model


def build(options: Options, channels: int = 1) -> GaussianMixture:
    statistics = IntensityStats(
        mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0,) * channels, target_std=(1.0,) * channels
    )
    return GaussianMixture(options, statistics=statistics)


def test_training_changes_the_mixture_and_not_its_range_or_floor() -> None:
    vse, still = network(noise_model=learnable), network(noise_model=mixture)
    assert not list(still.noise_model.parameters())
    model = vse.noise_model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert before.keys() == still.noise_model.state_dict().keys()
    mixed, targets = counts(vse, SIZE, batch=2)
    optimizer = torch.optim.Adamax(vse.noise_model.parameters(), lr=0.05)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = vse.loss(mixed, targets, fixed(vse, SIZE, batch=2), kl_weight=0.0).distortion
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    after = model.state_dict()
    assert {name for name in after if not torch.equal(after[name], before[name])} == {"weights"}
    # What was trained is what a model that is not learnable shows.
    still.noise_model.load_state_dict(after)
    torch.testing.assert_close(still.noise_model.variance(targets), model.variance(targets).detach())
    assert not model.sample(targets, torch.Generator().manual_seed(0)).requires_grad


def test_it_starts_from_the_fit() -> None:
    rng = np.random.default_rng(0)
    signal = rng.uniform(100, 1000, 20_000)
    pairs = [NoisePairs(signal, signal + np.sqrt(signal) * rng.normal(0, 3, len(signal)))]
    free, frozen = build(Options(learnable=True)), build(Options())
    free.fit(pairs, seed=0)
    frozen.fit(pairs, seed=0)
    assert not free.needs_fit
    assert [name for name, _ in free.named_parameters()] == ["weights"]
    assert torch.equal(free.weights.detach(), frozen.weights)


def test_channels_with_fewer_components_stay_so_and_are_written(tmp_path: Path) -> None:
    paths = (tmp_path / "one.npz", tmp_path / "two.npz")
    generator = np.random.default_rng(0)
    for path, k in zip(paths, (1, 3), strict=True):
        write_mixture(path, ChannelMixture(generator.normal(size=(3 * k, 2)), 0.0, 100.0, 0.5))
    model = build(Options(path=paths, learnable=True), channels=2)
    optimizer = torch.optim.Adamax(model.parameters(), lr=0.1)
    signal = torch.rand(1, 2, 8, 8) * 100
    torch.autograd.backward(-model.log_prob(signal + 3, signal).mean())
    assert model.weights.grad is not None
    assert model.weights.grad.isfinite().all()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5, error_if_nonfinite=True)
    optimizer.step()
    model.export(0, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as archive, np.load(paths[0]) as original:
        assert archive["trained_weight"].shape == original["trained_weight"].shape
        assert not np.array_equal(archive["trained_weight"], original["trained_weight"])


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_mixture_that_collapsed_in_training_is_noticed(per_channel: bool) -> None:
    weights = torch.zeros(1, 3, 3, 2)
    weights[:, 1] = 3.0
    state = {"signal_range": torch.tensor([[0.0, 100.0]]), "variance_floor": torch.tensor([[1.0, 0.0]])}
    model = build(Options(learnable=True))
    model.load_state_dict({**state, "weights": weights})
    watched = PerChannelNoiseModel([build(Options()), model]) if per_channel else model
    assert watched.concerns() == ()
    with torch.no_grad():
        model.weights[0, 2, 0, 0] = 200.0
        model.weights[0, 1] = -9.0
    (first, one), (second, two) = watched.concerns()
    assert first == second == int(per_channel)
    assert "single Gaussian" in one
    assert "variance floor" in two
