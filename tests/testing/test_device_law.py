"""The law of devices holds of the built-ins, and not of components that forget where tensors are."""

from collections.abc import Iterable
from typing import Any

import attrs
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from denoisplit.cli import main
from denoisplit.core.network.interfaces import Features
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.kl_schemes.elbo import ElboKL
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.optimizers.sgd import Sgd
from denoisplit.testing import suite_for
from denoisplit.testing.device_law import examined_on
from denoisplit.testing.examination import Verdict, laws, verdict
from denoisplit.testing.simulated_device import NAME, simulated_device
from tests.testing.test_builtins import ROWS

simulated_device()
KINDS = ("encoder", "decoder", "noise_model", "kl_scheme", "optimizer")


def verdicts(kind: str, component: type[Any] | str) -> list[Verdict]:
    suite = examined_on(NAME, suite_for(kind, component))
    return [verdict(law) for law in laws(suite) if NAME in law.name]


@pytest.mark.parametrize(("kind", "name"), [(row.kind, row.qualified) for row in ROWS if row.kind in KINDS])
def test_the_built_ins_compute_on_any_device(kind: str, name: str) -> None:
    found = verdicts(kind, name)
    assert len(found) == 2
    assert {one.outcome for one in found} <= {"holds", "does not apply"}, found
    assert any(one.outcome == "holds" for one in found)


class AddsOnes(LadderEncoder):
    """Makes a tensor where it likes."""

    def forward(self, mixed: Tensor) -> Features:
        return super().forward(mixed + torch.ones(mixed.shape, dtype=mixed.dtype))


class TakesNumbers(Gaussian):
    """Goes through an array."""

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return torch.from_numpy(super().variance(signal, extra).detach().numpy())


class Remembers(Gaussian):
    """Keeps a tensor that is no buffer."""

    def __init__(self, options: Any, **known: Any) -> None:
        super().__init__(options, **known)
        self.table = torch.zeros(1, 2, 1, 1)

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return super().log_prob(
            observation, signal + self.table.reshape(1, 2, *[1] * (signal.ndim - 2)), extra
        )


class GivesProcessors(ElboKL):
    """Hands out a rate that is elsewhere."""

    def forward(self, levels: Any, *, image_pixels: int, channels: int) -> Any:
        rate = super().forward(levels, image_pixels=image_pixels, channels=channels)
        return attrs.evolve(rate, total=rate.total.cpu())


class Averages(Sgd):
    """Takes its weights to the processor."""

    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> Any:
        kept = list(weights)
        made = super().over(kept, learning_rate)
        self.mean = torch.zeros(kept[0].shape)

        def average(*_: Any) -> None:
            self.mean.add_(kept[0].detach())

        made.register_step_post_hook(average)
        return made


@pytest.mark.parametrize(
    ("kind", "component", "reason"),
    [
        ("encoder", AddsOnes, "of the processor"),
        ("noise_model", TakesNumbers, "is no array"),
        ("noise_model", Remembers, "of the processor"),
        ("kl_scheme", GivesProcessors, "the rate is not on the device"),
        ("optimizer", Averages, "of the processor"),
    ],
)
def test_a_component_that_forgets_where_tensors_are_fails(
    kind: str, component: type[Any], reason: str
) -> None:
    for one in verdicts(kind, component):
        assert one.outcome == "fails"
        assert reason in one.reason


def test_the_command_examines_the_law_and_refuses_what_has_no_device() -> None:
    found = CliRunner().invoke(main, ["plugins", "check", "elbo", "--device", "simulated"])
    assert found.exit_code == 0, found.output
    assert "holds           the simulated device computes what the processor does (2d, 3d)" in found.stdout
    for words in (["psnr", "--device", "simulated"], ["elbo", "--device", "moon"]):
        refused = CliRunner().invoke(main, ["plugins", "check", *words])
        assert refused.exit_code == 2
        assert "are examined on the device simulated (got" in refused.output
