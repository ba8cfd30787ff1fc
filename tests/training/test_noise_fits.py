"""Fits of noise models that do not do what their interface says are told before a training."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import denoisplit
from denoisplit.core.errors import BrokenPluginError, NoiseModelError
from denoisplit.core.network.interfaces import IntensityStats, NoisePairs
from denoisplit.plugins.noise_models.gaussian import Gaussian

SPEC = """
preset: denoisplit
channels: [a, b]
data:
  train: {use: simulated, fields: 2, size: 32, seed: 1}
  validation: {use: simulated, fields: 1, size: 32, seed: 2}
model:
  encoder: {levels: 1, width: 4}
  decoder: {latent_channels: 2}
  noise_model: NOISE
training: {steps: 2, batch: 1, patch: 16, validate_every: 1, precision: float32}
"""
ONE, EACH = "{use: fits}", "[{use: gaussian}, {use: fits}]"


def registered(fit: Callable[[Any], Any]) -> None:
    class Fits(Gaussian):
        """Needs a fit."""

        def __init__(self, options: Gaussian.Options, *, statistics: IntensityStats) -> None:
            super().__init__(options, statistics=statistics)
            self.ready = False

        @property
        def needs_fit(self) -> bool:
            return not self.ready

        def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> Any:
            del pairs, seed
            return fit(self)

    denoisplit.register("noise_model", "fits")(Fits)


def fails(model: Any) -> Any:
    raise ValueError("no root in the bracket")


def nothing(model: Any) -> Any:
    model.ready = True


def numbers(model: Any) -> Any:
    model.ready = True
    return (1.0, 2.0)


@pytest.mark.usefixtures("own_components")
@pytest.mark.parametrize("noise", [ONE, EACH])
@pytest.mark.parametrize(
    ("fit", "told"),
    [
        (fails, "cannot be fitted (ValueError: no root in the bracket, at test_noise_fits.py:"),
        (
            nothing,
            "cannot be fitted (TypeError: fit returned None instead of a tuple of FitReport, ",
        ),
        (numbers, "cannot be fitted (TypeError: fit returned (1.0, 2.0) instead of a tuple of FitReport, "),
        (lambda _: (), "cannot be fitted (TypeError: it still needs a fit after its fit, at "),
    ],
)
def test_what_a_fit_does_wrong_is_one_line(
    tmp_path: Path, fit: Callable[[Any], Any], told: str, noise: str
) -> None:
    registered(fit)
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("NOISE", noise))
    with pytest.raises(BrokenPluginError) as caught:
        denoisplit.train(spec, tmp_path / "run")
    assert str(caught.value).startswith(f"noise_model notebook/fits: {told}")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("own_components")
def test_pairs_that_a_model_refuses_are_no_fault_of_it(tmp_path: Path) -> None:
    def refuses(model: Any) -> Any:
        raise NoiseModelError("pairs: too few. Give more.")

    registered(refuses)
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("NOISE", ONE))
    with pytest.raises(NoiseModelError, match="too few"):
        denoisplit.train(spec, tmp_path / "run")
