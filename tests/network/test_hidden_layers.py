"""Components with layers that torch does not see are refused, by the network and by the suites."""

from typing import Any

import pytest
import torch
from torch import nn

import denoisplit
from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.network.composer import compose
from denoisplit.core.network.hidden_layers import hidden_layers
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import parse_spec, resolve
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.kl_schemes.elbo import ElboKL
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.testing import examine, suite_for
from tests.network.small import statistics

SPEC = "preset: denoisplit\nchannels: [a, b]\ndata: {train: {use: simulated}}\n"


class Held(nn.Module):
    def __init__(self, held: Any) -> None:
        super().__init__()
        self.held = held
        self.inner = nn.ModuleList([nn.Linear(1, 1)])


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (
            [nn.Linear(1, 1)],
            "held is a plain list of layers, which torch neither trains nor stores: make it an nn.ModuleList",
        ),
        ((nn.Parameter(torch.zeros(1)),), "held is a plain tuple of layers, "),
        (
            {"a": nn.Linear(1, 1)},
            "held is a plain dict of layers, which torch neither trains nor stores: make it an nn.ModuleDict",
        ),
    ],
)
def test_layers_in_a_plain_container_are_told(held: Any, told: str) -> None:
    assert hidden_layers(Held(held)).startswith(told)
    outer = nn.Sequential(nn.ReLU(), Held(held))
    assert hidden_layers(outer).startswith(f"1.{told}")


def test_what_torch_sees_may_be_held_twice() -> None:
    inner = Held((3, torch.zeros(2), "a"))
    assert hidden_layers(Held(inner)) == ""
    module = Held([*reversed(inner.inner), *inner.parameters()])
    module.inner = inner.inner
    assert hidden_layers(module) == ""


class _Hides:
    """Holds a layer in a list."""

    def __init__(self, *args: Any, **known: Any) -> None:
        super().__init__(*args, **known)
        self.more = [nn.Conv2d(1, 1, 1)]


class HidingEncoder(_Hides, LadderEncoder):
    pass


class HidingDecoder(_Hides, LadderDecoder):
    pass


class HidingNoise(_Hides, Gaussian):
    pass


class HidingKL(_Hides, ElboKL):
    pass


HIDING = {
    "encoder": HidingEncoder,
    "decoder": HidingDecoder,
    "noise_model": HidingNoise,
    "kl_scheme": HidingKL,
}


@pytest.mark.usefixtures("own_components")
@pytest.mark.parametrize("kind", HIDING)
def test_the_network_refuses_such_a_component(kind: str) -> None:
    denoisplit.register(kind, "hides")(HIDING[kind])
    text = f"{SPEC}model: {{{kind}: {{use: hides}}}}"
    spec = resolve(parse_spec(text), installed_registry())
    with pytest.raises(BrokenPluginError, match=rf"{kind} notebook/hides: more is a plain list of layers"):
        compose(spec.model, statistics(2), channels=spec.channels, patch=64)


@pytest.mark.parametrize("kind", HIDING)
def test_the_suite_tells_of_such_a_component(kind: str) -> None:
    failing = [one for one in examine(suite_for(kind, HIDING[kind])) if one.outcome == "fails"]
    assert failing
    assert all(one.reason.startswith("more is a plain list of layers, ") for one in failing)
