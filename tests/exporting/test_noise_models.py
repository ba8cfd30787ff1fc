"""Every noise model gives its variance in a traced graph, for images of any size."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from denoisplit.core.exporting.tracing import quiet
from denoisplit.core.network.interfaces import NoiseModel, NoisePairs
from denoisplit.core.network.per_channel import PerChannelNoiseModel, channel_statistics
from denoisplit.core.registry import load_registry
from tests.network.small import statistics

OPTIONS: dict[str, Any] = {"scmos": {"gain": 2.0, "offset": 100.0, "read_noise": 3.0}}
GIVEN = statistics(2)
NAMES = [row.name for row in load_registry().components("noise_model")]


class Variance(nn.Module):
    def __init__(self, model: NoiseModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, signal: Tensor, extra: Tensor) -> Tensor:
        return self.model.variance(signal, extra if self.model.extra_maps else None)


def made(name: str, channel: int | None = None) -> NoiseModel:
    """A noise model that was fitted where it has to be, for all channels or one."""
    kind: Any = next(row for row in load_registry().components("noise_model") if row.name == name).load()
    given = GIVEN if channel is None else channel_statistics(GIVEN, channel)
    model: NoiseModel = kind(kind.Options(**OPTIONS.get(name, {})), statistics=given)
    random = np.random.default_rng(0)
    signal = random.uniform(150, 550, 4000)
    pairs = NoisePairs(signal=signal, observation=(signal + random.normal(0, 9, signal.size)).round())
    if model.needs_fit:
        model.fit([pairs] * given.channels, seed=0)
    return model


def assert_traced(model: NoiseModel) -> None:
    network = Variance(model.eval().requires_grad_(False))
    random = torch.Generator().manual_seed(0)

    def maps(*shape: int) -> tuple[Tensor, Tensor]:
        normal = torch.randn(2, *shape, generator=random)
        return 350 + 60 * normal[0], normal[1]

    side = torch.export.Dim("side", min=2)
    with quiet(), torch.no_grad():
        program = torch.export.export(
            network, maps(1, 2, 6, 8), dynamic_shapes={"signal": {3: side}, "extra": {3: side}}, strict=False
        )
    inputs = maps(1, 2, 6, 40)
    torch.testing.assert_close(program.module()(*inputs), network(*inputs))


@pytest.mark.parametrize("name", NAMES)
def test_a_noise_model(name: str) -> None:
    assert_traced(made(name))


def test_one_noise_model_per_channel() -> None:
    assert_traced(PerChannelNoiseModel([made("gaussian_mixture", 0), made("poisson_gaussian", 1)]))
