"""A step of a model with every component of the registry is the same on the device."""

import copy
from typing import Any

import torch
from torch import Tensor

from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import Component
from denoisplit.testing.network_laws.decoding import LevelNoise
from denoisplit.testing.simulated_device import simulated_device
from tests.testing.test_whole_models import every_component, images, model

DEVICE = simulated_device()


def answers(vse: VSE, device: torch.device) -> dict[str, Tensor]:
    """All that a training step, a validation and a prediction ask a model for; it moves to the device."""
    vse.to(device).train()
    mixed, targets = (one.to(device) for one in images(vse, 2))
    terms = vse.loss(mixed, targets, LevelNoise(3), kl_weight=0.7)
    parameters = dict(vse.named_parameters())
    gradients = torch.autograd.grad(terms.total, list(parameters.values()), allow_unused=True)
    found: dict[str, Any] = {f"gradient of {n}": g for n, g in zip(parameters, gradients, strict=True)}
    found |= {
        "total": terms.total,
        "rates": terms.rate_per_level,
        "distortions": terms.distortion_per_channel,
    }
    with torch.no_grad():
        vse.kl_scheme.observe(step=0, distortion=terms.distortion, rate=terms.rate)
    found |= {f"state {name}": value for name, value in vse.state_dict().items()}
    vse.eval()
    with torch.inference_mode():
        found["output"] = vse.decode(mixed, LevelNoise(4)).output
        maps = vse.sample_maps(vse.encode(mixed), LevelNoise(4))
        signal = vse.signal(maps)
        extra = maps[:, vse.channels :] if vse.noise_model.extra_maps else None
        found |= {"signal": signal, "variance": vse.noise_variance(maps)}
        found["noisy"] = vse.noise_model.sample(signal, torch.Generator().manual_seed(1), extra)
    assert all(one is None or one.device.type == device.type for one in found.values())
    return {name: value.cpu() for name, value in found.items() if value is not None}


@every_component
def test_a_model_computes_there_what_it_computes_here(row: Component, rank: int) -> None:
    vse = model(row, rank)
    expected = answers(copy.deepcopy(vse), torch.device("cpu"))
    found = answers(vse, DEVICE)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(found[name], value, rtol=1e-9, atol=1e-9), name
