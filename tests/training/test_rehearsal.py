"""What would fail after the last step of a training fails before the first one, and names its cause."""

import random
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch

import denoisplit
from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.network.interfaces import (
    Calibration,
    Calibrator,
    IntervalCalibrator,
    KLScheme,
    MeanCalibrator,
    Rate,
)
from denoisplit.core.training import fit as fitting
from denoisplit.core.training import rehearsal
from denoisplit.plugins.decoders.ladder import LadderDecoder
from tests.training.test_fit import SPEC


class _Scaled(Calibrator):
    """One factor for everything."""

    @attrs.frozen
    class Options:
        """None."""

    def __init__(self, options: Options) -> None:
        self.factor = 1.0

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        return Calibration("notebook/mine", {"factor": [float(np.abs(truth - mean).mean() / std.mean())]})

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        return std * calibration.parameters["factor"][0]

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        return mean - level * std, mean + level * std


class NumbersOfNumPy(_Scaled):
    """A calibration that JSON does not know."""

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        factor: Any = np.abs(truth - mean).mean((0, 2))
        return Calibration("notebook/mine", {"factor": factor})


class Remembers(_Scaled):
    """A calibration that only the object knows that fitted it."""

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        self.fitted = 2.0
        return Calibration("notebook/mine", {})

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        return std * self.fitted


class TakesTheTruth(_Scaled):
    """A calibration with a bug."""

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        raise ZeroDivisionError("no bins")


class OfAllPixels(MeanCalibrator):
    """Sees the mean, and gives one std for all."""

    Options = _Scaled.Options

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        return Calibration(parameters={"std": [1.0]})

    def apply(self, calibration: Calibration, mean: FloatArray, std: FloatArray) -> FloatArray:
        return np.asarray(std.mean(axis=(2, 3)))

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        return mean - std, mean + std


class HalfWidths(IntervalCalibrator):
    """Gives what has to be added to the mean."""

    Options = _Scaled.Options

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        return Calibration(parameters={"half": [1.0]})

    def interval(self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float) -> Any:
        return std * calibration.parameters["half"][0]


class Below(_Scaled):
    """A std below 0."""

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        return -std


class UpsideDown(_Scaled):
    """Bounds in the wrong order."""

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        return mean + std, mean - std


class TrainsOnly(LadderDecoder):
    """A decoder that nobody asked for a sample yet."""

    def sample(self, features: Any, noise: Any) -> torch.Tensor:
        raise NotImplementedError("later")


class Counts(KLScheme):
    """A rate that leaves the graph by NumPy."""

    @attrs.frozen
    class Options:
        """Weight.

        Attributes:
            weight: of the rate.
        """

        weight: float = 1.0

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.weight = options.weight

    def forward(self, levels: Any, *, image_pixels: int, channels: int) -> Rate:
        total = torch.tensor([level.sample.numpy().sum() for level in levels])
        return Rate(total=total.sum(), per_level=total)


@pytest.fixture
def spec(tmp_path: Path, own_components: None) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("kind", "cls", "said"),
    [
        (
            "calibrator",
            NumbersOfNumPy,
            r"its calibration cannot be stored: .* lists of plain numbers \(TypeError: .*array",
        ),
        ("calibrator", Remembers, r"does not apply the calibration that it wrote \(AttributeError: "),
        (
            "calibrator",
            TakesTheTruth,
            r"fails at the calibration after the training \(ZeroDivisionError: no bins, at test_r",
        ),
        (
            "calibrator",
            OfAllPixels,
            r"does not apply the calibration that it wrote \(ValueError: an image of shape \(2,\) comes out",
        ),
        ("calibrator", Below, r"does not apply the calibration .*\(ValueError: a std of -2 comes out"),
        ("calibrator", UpsideDown, r"does not apply the calibration .*\(ValueError: the lower bound of an"),
        ("calibrator", HalfWidths, r"does not apply the calibration that it wrote \(ValueError: not enough"),
        ("decoder", TrainsOnly, r"fails at the calibration after the training \(NotImplementedError: later"),
        ("kl_scheme", Counts, r"fails in a step of the training \(RuntimeError: Can't call numpy\(\)"),
    ],
)
def test_a_component_that_would_fail_later_is_named_before_the_first_step(
    spec: Path, tmp_path: Path, kind: str, cls: type, said: str
) -> None:
    denoisplit.register(kind, "mine", summary="Fails.")(cls)
    slot = "calibrator" if kind == "calibrator" else f"model.{kind}"
    resolved = denoisplit.load_spec(spec, [f"{slot}={{use: mine}}"])
    with pytest.raises(BrokenPluginError, match=rf"^{kind} notebook/mine: {said}") as caught:
        denoisplit.train(resolved, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_the_rehearsal_leaves_no_trace(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found: list[bool] = []

    def watched(*given: Any, **named: Any) -> None:
        before = _state(given[0])
        real(*given, **named)
        found.append(before == _state(given[0]))
        raise KeyboardInterrupt

    real = rehearsal.rehearse
    monkeypatch.setattr(fitting, "rehearse", watched)
    with pytest.raises(KeyboardInterrupt), caplog.at_level("DEBUG"):
        denoisplit.train(spec, tmp_path / "run")
    assert found == [True]
    assert not [record for record in caplog.records if record.name.startswith("denoisplit")]


def _state(vse: Any) -> tuple[Any, ...]:
    legacy = np.random.get_state()  # noqa: NPY002 (what a component may draw from)
    weights = [(name, tensor.tolist()) for name, tensor in vse.state_dict().items()]
    return torch.get_rng_state().tolist(), random.getstate(), str(legacy), weights, vse.training
