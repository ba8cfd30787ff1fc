"""What holds of every network, of any components, in any number of dimensions."""

import copy
from collections.abc import Sequence

import attrs
import torch

from denoisplit.core.network.vse import VSE
from tests.network.fixed_noise import FixedNoise
from tests.network.small import counts, draws, fixed, gaussian, surrounded


def permuted(vse: VSE, order: Sequence[int]) -> VSE:
    """The same network for channels in another order: statistics, output maps and noise models move along."""
    moved = copy.deepcopy(vse)
    given = vse.statistics
    moved.statistics = attrs.evolve(
        given,
        target_mean=[given.target_mean[c] for c in order],
        target_std=[given.target_std[c] for c in order],
    )
    state = vse.state_dict()
    maps = torch.tensor([*order, *[vse.channels + c for c in order] * vse.noise_model.extra_maps])
    for name, value in state.items():
        if name.startswith("decoder.output."):
            state[name] = value[maps]
        elif name.startswith("noise_model."):
            state[name] = value[list(order)]
    moved.load_state_dict(state)
    if vse.noise_model.extra_maps:
        moved.noise_model = gaussian(moved.statistics)
    return moved


def permuting_the_channels_permutes_the_output(
    vse: VSE, order: Sequence[int], size: tuple[int, ...], *, seed: int = 0
) -> None:
    """And leaves the total, whatever the channels weigh."""
    other, order = permuted(vse, order), list(order)
    _, targets = counts(vse, size, batch=2, seed=seed)
    noise, weights = fixed(vse, size, batch=2, seed=seed), (1.0, 2.0, 5.0)
    with torch.no_grad():
        mixed, mixed_too = (
            surrounded(vse, channels.mean(1, keepdim=True), seed=seed)
            for channels in (targets, targets[:, order])
        )
        signal = vse.sample(vse.encode(mixed), noise)
        torch.testing.assert_close(other.sample(other.encode(mixed_too), noise), signal[:, order])
        terms = vse.loss(mixed, targets, noise, kl_weight=0.7, channel_weights=weights)
        terms_too = other.loss(
            mixed_too,
            targets[:, order],
            noise,
            kl_weight=0.7,
            channel_weights=tuple(weights[c] for c in order),
        )
    torch.testing.assert_close(terms_too.total, terms.total, rtol=1e-12, atol=0)
    torch.testing.assert_close(terms_too.distortion_per_channel, terms.distortion_per_channel[order])
    torch.testing.assert_close(terms_too.rate_per_level, terms.rate_per_level)
    assert not torch.allclose(terms.distortion_per_channel, terms.distortion_per_channel.flip(0))


def batch_order_and_duplicates_leave_the_loss(
    vse: VSE, picked: Sequence[int], size: tuple[int, ...], *, seed: int = 0
) -> None:
    """Of a batch of 3 images and of those that are picked of it, each equally often."""
    picked = list(picked)
    mixed, targets = counts(vse, size, batch=3, seed=seed)
    noise = draws(vse, size, batch=3, seed=seed)
    with torch.no_grad():
        first = vse.loss(mixed, targets, FixedNoise(noise), kl_weight=1.0)
        second = vse.loss(
            mixed[picked], targets[picked], FixedNoise([z[picked] for z in noise]), kl_weight=1.0
        )
    for term in ("total", "distortion_per_channel", "rate_per_level"):
        torch.testing.assert_close(getattr(second, term), getattr(first, term), rtol=1e-10, atol=1e-12)


def every_parameter_gets_a_gradient(vse: VSE, size: tuple[int, ...], *, batch: int = 1) -> None:
    """One map of a convolution may be without effect by chance, a whole tensor not."""
    terms = vse.loss(*counts(vse, size, batch=batch), fixed(vse, size, batch=batch), kl_weight=1.0)
    names, parameters = zip(*vse.named_parameters(), strict=True)
    for name, gradient in zip(names, torch.autograd.grad(terms.total, parameters), strict=True):
        assert torch.isfinite(gradient).all(), name
        assert float(gradient.abs().max()) > 1e-12, name
