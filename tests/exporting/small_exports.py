"""Small networks, ready to be exported, and what they compute by themselves."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from denoisplit.core.exporting.exported_graph import exported_graph
from denoisplit.core.exporting.exporter import Trained
from denoisplit.core.exporting.ports import Ports
from denoisplit.core.network.interfaces import Features
from denoisplit.core.network.vse import VSE
from denoisplit.core.runs.run import load
from denoisplit.core.storage.bundle import Bundle
from tests.docs.test_pages import DOCS
from tests.network.fixed_noise import FixedNoise
from tests.network.small import network

UNBOUNDED = (-math.inf, math.inf)
BOUND = 1e-4
"""Largest difference that is rounding, in stds of a channel and in logarithms."""


def trained(vse: VSE, run: Path) -> Trained:
    """A network with the description of a run, which knows nothing of it but versions."""
    names = tuple(f"channel {number}" for number in range(vse.channels))
    graph, ports = exported_graph(vse, names, UNBOUNDED)
    return Trained(graph=graph, ports=ports, bundle=_bundle(run))


def levelled() -> VSE:
    """A network with a hook that subtracts from every feature map its mean over the image."""

    def subtract(_module: nn.Module, _inputs: Any, features: Features) -> Features:
        return tuple(one - one.mean((-2, -1), keepdim=True) for one in features)

    torch.manual_seed(0)
    vse = network()
    vse.encoder.register_forward_hook(subtract)
    return vse


def _bundle(run: Path) -> Bundle:
    return attrs.evolve(load(run).bundle, calibration=None)


def computed(vse: VSE, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Signal and log-variance by the network's own prediction, in its own precision."""
    dtype = next(vse.parameters()).dtype
    mixed, *noise = (tensor.to(dtype) for tensor in inputs)
    with torch.inference_mode():
        given = FixedNoise(noise)
        maps = vse.sample_maps(vse.encode(mixed), given)
        return vse.draw(maps, given), vse.noise_variance(maps).log()


def assert_same(found: Sequence[Tensor], expected: Sequence[Tensor], ports: Ports) -> None:
    """The outputs agree within ``BOUND``."""
    scale = torch.tensor(ports.statistics.target_std).view(1, -1, *(1,) * len(ports.step))
    assert [one.shape for one in found] == [one.shape for one in expected]
    assert float(((found[0] - expected[0]) / scale).abs().max()) < BOUND
    assert float((found[1] - expected[1]).abs().max()) < BOUND


def inputs_of(ports: Ports, *, steps: int, batch: int) -> tuple[Tensor, ...]:
    """Inputs whose sides differ, beginning with this many steps."""
    sides = tuple((steps + number) * step for number, step in enumerate(ports.step))
    return ports.drawn(batch, sides, seed=steps)


def code_of_the_page() -> list[str]:
    """The Python of the page about exports, which ends with that for PyTorch."""
    text = (DOCS / "export.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
