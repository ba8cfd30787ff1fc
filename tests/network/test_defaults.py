"""What a component need not write: the defaults of the bases."""

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import (
    Calibration,
    Calibrator,
    Decoded,
    Decoder,
    Features,
    KLScheme,
    NoiseModel,
    Rate,
    Window,
)
from denoisplit.core.network.latent import Level
from denoisplit.core.network.noise_source import GeneratorNoise, NoiseSource
from denoisplit.core.network.per_channel import PerChannelNoiseModel


@attrs.frozen(kw_only=True)
class Options:
    weight: float = 3.0


class Doubled(Decoder):
    def forward(self, features: Features, noise: NoiseSource, *, window: Window = ()) -> Decoded:
        del noise, window
        return Decoded(output=2 * features[0], levels=())


class Unit(NoiseModel):
    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return -0.5 * (observation - signal).square()

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        return signal + torch.randn(signal.shape, generator=generator)

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return torch.ones_like(signal)


class Shifted(Unit):
    def bias(self, signal: Tensor) -> Tensor:
        return torch.full_like(signal, 2)


class Free(KLScheme):
    def forward(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Rate:
        return Rate(torch.zeros(()), torch.zeros(len(levels)))


class Nothing(Calibrator):
    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        return Calibration(parameters={"factor": (1.0,)})

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        return std

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        return mean - std, mean + std


def test_a_decoder_needs_forward_alone() -> None:
    decoder, noise = Doubled(), GeneratorNoise(torch.Generator())
    image = torch.arange(4.0).view(1, 1, 2, 2)
    assert torch.equal(decoder.sample((image,), noise), 2 * image)
    with pytest.raises(SpecError, match="no prior to draw images"):
        decoder.generate((2, 2), noise, batch=1)


def test_a_noise_model_without_numbers_needs_no_fit_and_has_no_bias() -> None:
    model, signal = PerChannelNoiseModel([Unit(), Shifted()]), torch.zeros(1, 2, 3, 3)
    assert not model.needs_fit
    assert Unit().fit((), seed=0) == ()
    assert model.bias(signal).mean((0, 2, 3)).tolist() == [0, 2]


def test_options_need_no_constructor() -> None:
    scheme = Free(Options())
    assert (scheme.options, scheme.weight) == (Options(), 3.0)
    assert Free().weight == 1.0
    calibrator = Nothing(Options())
    assert calibrator.options == Options()
    one = np.ones((1, 1, 2))
    assert calibrator.fit(one, one, one).component == ""
