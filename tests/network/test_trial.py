"""What components give is looked at before a training, and whoever gave it is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor

import denoisplit
from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.network.interfaces import KLScheme, NoisePairs, Rate
from denoisplit.core.workable import load_workable
from denoisplit.plugins.noise_models.gaussian import Gaussian
from tests.training.test_fit import SPEC


@pytest.fixture
def spec(tmp_path: Path, own_components: None) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


class Scheme(KLScheme):
    """The first level alone, given in a way of its own."""

    @attrs.frozen
    class Options:
        """Weight.

        Attributes:
            weight: multiplier of the rate.
        """

        weight: float = 1.0

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.weight = options.weight

    def given(self, rates: Tensor) -> Any:
        """The result."""
        raise NotImplementedError

    def forward(self, levels: Any, *, image_pixels: int, channels: int) -> Any:
        del image_pixels, channels
        return self.given(torch.stack([level.sample.square().mean() for level in levels]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda rates: (rates.sum(), rates), r"makes no rate of the levels .*'tuple' object has no"),
        (lambda rates: None, r"makes no rate of the levels .*'NoneType' object has no"),
        (lambda rates: Rate(rates.sum().item(), rates), r"the total of the rate must .* \(got a float, no t"),
        (lambda rates: Rate(rates, rates), r"the total of the rate must have the shape \[\] \(got \[2\]\)"),
        (lambda rates: Rate(rates.sum(), rates[:1]), r"per_level of the rate must .* \[2\] \(got \[1\]\)"),
    ],
)
def test_a_kl_scheme_gives_a_total_and_a_number_per_level(
    spec: Path, given: Callable[[Tensor], Any], said: str
) -> None:
    cls = type("Given", (Scheme,), {"given": lambda self, rates: given(rates)})
    denoisplit.register("kl_scheme", "mine", summary="Fails.")(cls)
    with pytest.raises(BrokenPluginError, match=rf"^kl_scheme notebook/mine: {said}"):
        load_workable(spec, ["model.kl_scheme={use: mine}"])


class Says(Gaussian):
    """A Gaussian that says something of the clean signal."""

    def says(self, signal: Tensor) -> Any:
        """The variance of the signal."""
        raise NotImplementedError

    def signal_variance(self, signal: Tensor, extra: Tensor | None = None) -> Any:
        del extra
        return self.says(signal)


class FittedSays(Says):
    """The same, known only after a fit."""

    fitted = False

    @property
    def needs_fit(self) -> bool:
        return not self.fitted

    def fit(self, pairs: Any, *, seed: int) -> Any:
        del seed
        assert all(isinstance(one, NoisePairs) for one in pairs)
        self.fitted = True
        return ()


WRONG = pytest.mark.parametrize(
    ("says", "said"),
    [
        (lambda signal: 1.0, r"must have the shape \[.*\] \(got a float, no tensor\)"),
        (lambda signal: signal[:, :1], r"must have the shape \["),
        (lambda signal: -signal.abs() - 1, r"must be 0 or more, and finite, in every pixel \(got -"),
        (lambda signal: signal * float("nan"), r"must be 0 or more, and finite, in every pixel \(got nan\)"),
        (lambda signal: signal / 0, r"must be 0 or more, and finite, in every pixel \(got -?inf\)"),
    ],
)


@WRONG
def test_the_variance_of_the_signal_is_one(spec: Path, says: Callable[[Tensor], Any], said: str) -> None:
    cls = type("Given", (Says,), {"says": lambda self, signal: says(signal)})
    denoisplit.register("noise_model", "mine", summary="Fails.")(cls)
    with pytest.raises(BrokenPluginError, match=rf"^noise_model notebook/mine: signal_variance {said}"):
        load_workable(spec, ["model.noise_model={use: mine}"])


@WRONG
def test_it_is_looked_at_after_a_fit_too(
    spec: Path, tmp_path: Path, says: Callable[[Tensor], Any], said: str
) -> None:
    cls = type("Given", (FittedSays,), {"says": lambda self, signal: says(signal)})
    denoisplit.register("noise_model", "mine", summary="Fails.")(cls)
    resolved = load_workable(spec, ["model.noise_model={use: mine}"])
    with pytest.raises(BrokenPluginError, match=rf"^noise_model notebook/mine: signal_variance {said}"):
        denoisplit.train(resolved, tmp_path / "run")


def test_a_likelihood_is_a_tensor(spec: Path) -> None:
    cls = type("Given", (Gaussian,), {"log_prob": lambda self, *given: None})
    denoisplit.register("noise_model", "mine", summary="Fails.")(cls)
    with pytest.raises(BrokenPluginError, match=r"log_prob must have the shape \[.*\(got a NoneType, no"):
        load_workable(spec, ["model.noise_model={use: mine}"])
