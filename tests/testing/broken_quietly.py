"""Components with mistakes that show in no usual image: of one channel, of one sign, of one default."""

from collections.abc import Iterable
from pathlib import Path

import attrs
import numpy as np
import torch
from torch import Tensor, nn, optim

from denoisplit.core.arrays import AnyArray, FloatArray
from denoisplit.core.images.bases import Image
from denoisplit.core.network.interfaces import Calibration, IntensityStats, IntervalCalibrator, Rate
from denoisplit.core.network.latent import Level
from denoisplit.core.training.optimizer import Optimizer
from denoisplit.plugins.calibrators.scale import Scale
from denoisplit.plugins.kl_schemes.elbo import ElboKL
from denoisplit.plugins.metrics.pixelwise import Psnr
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.spread_mixture import SpreadMixture
from denoisplit.plugins.objectives.mixture_consistency import MixtureConsistency
from tests.testing.broken import LosesThePixelSize

_SHARES = np.linspace(0, 1, 201)


class MapOfTheFirst(Gaussian):
    """Takes the map of the first channel for all."""

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        shared = None if extra is None else extra[:, :1].expand_as(extra)
        return super().log_prob(observation, signal, shared)


class DoubleBuffer(Gaussian):
    """Has a number in double precision, which makes all others so."""

    unit: Tensor

    def __init__(self, options: Gaussian.Options, *, statistics: IntensityStats) -> None:
        super().__init__(options, statistics=statistics)
        self.register_buffer("unit", torch.ones(1, dtype=torch.float64))

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return self.unit * super().log_prob(observation, signal, extra)


class StdOfTheSignal(SpreadMixture):
    """Gives predictions the std of the signal where they ask for its variance."""

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return self.noise.variance(signal) + super().signal_variance(signal, extra)

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return self.noise.log_prob_around(observation, signal, super().signal_variance(signal, extra))

    def signal_variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return super().signal_variance(signal, extra).sqrt()


class KeepsTheFit(Scale):
    """Keeps what it fitted to itself, where no run stores it."""

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        self.kept = super().fit(mean, std, truth)
        return self.kept

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        return super().apply(self.kept, std)


class Logarithmic(Psnr):
    """Compares logarithms of counts, which those below zero do not have."""

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        with np.errstate(invalid="ignore", divide="ignore"):
            return -float(np.abs(np.log1p(truth) - np.log1p(prediction)).mean())


class ArraysOfNumbers(Scale):
    """Keeps arrays, which JSON does not know."""

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        fitted = super().fit(mean, std, truth).parameters
        return Calibration(parameters={name: np.array(one) for name, one in fitted.items()})  # type: ignore[misc]


class OtherSide(IntervalCalibrator):
    """Gives the errors the wrong sign, so that intervals of skewed errors are their mirror images."""

    @attrs.frozen
    class Options:
        """The calibrator has no options."""

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        score = (mean - truth) / std
        rows = {str(c): np.quantile(score[:, c], _SHARES).tolist() for c in range(mean.shape[1])}
        return Calibration(parameters=rows)

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        low, high = (
            np.array([np.interp(share, _SHARES, row) for row in calibration.parameters.values()])
            for share in ((1 - level) / 2, (1 + level) / 2)
        )
        shape = (1, -1, *(1,) * (mean.ndim - 2))
        return mean + low.reshape(shape) * std, mean + high.reshape(shape) * std


class Signed(Psnr):
    """Forgets the absolute value of errors."""

    larger_is_better = False

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        return float(np.quantile(truth - prediction, 0.95) / np.ptp(truth))


class RefusesItsDefault(Psnr):
    """Has an option whose default its own validator refuses."""

    @attrs.frozen
    class Options:
        """Options of the metric.

        Attributes:
            power: of the errors.
        """

        power: int = attrs.field(default=-1, validator=attrs.validators.ge(1))


class FirstPlane(Psnr):
    """Looks at the first plane of a stack."""

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        first = (0,) * (truth.ndim - 2)
        return super().score(truth[first], prediction[first])


class WeighsItself(MixtureConsistency):
    """Applies the weight that the training applies."""

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        value: Tensor = self.weight * super().forward(signal, targets, mixed)
        return value


class DefaultRate(Optimizer):
    """Forgets the learning rate, for which torch has a default."""

    @attrs.frozen
    class Options:
        """The optimiser has no options."""

    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> optim.Optimizer:
        del learning_rate
        return torch.optim.Adam(weights)


class NothingBelowZero(LosesThePixelSize):
    """Takes pixels for counts, which are never below zero."""

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        image = super().open(path, axes=axes)
        return attrs.evolve(image, data=np.maximum(image.pixels, image.pixels.dtype.type(0)))


class Follows(ElboKL):
    """Overwrites its factor, which the gradient of a rate may need yet."""

    factor: Tensor

    def __init__(self, options: ElboKL.Options) -> None:
        super().__init__(options)
        self.register_buffer("factor", torch.ones(()))

    def forward(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Rate:
        rate: Rate = super().forward(levels, image_pixels=image_pixels, channels=channels)
        return Rate(rate.total * self.factor, rate.per_level * self.factor)

    def observe(self, *, step: int, distortion: Tensor, rate: Tensor) -> None:
        del step, rate
        self.factor.mul_(0.9).add_(0.1 * distortion.abs().clamp(0.1, 10))


QUIETLY: tuple[tuple[str, type, str, str], ...] = (
    (
        "noise_model",
        MapOfTheFirst,
        "predicted_maps_have_an_effect",
        "the predicted maps of channel 1 have",
    ),
    (
        "noise_model",
        DoubleBuffer,
        "as_it_is_made_it_has_the_precision_of_the_images",
        "log_prob is in torch.float64 for images in float32",
    ),
    (
        "noise_model",
        StdOfTheSignal,
        "the_variance_of_the_signal_is_a_share_of_every_pixel",
        "variance and signal_variance differ by more than noise",
    ),
    ("calibrator", KeepsTheFit, "calibrations_are_plain_numbers", "the std is another after writing and"),
    ("calibrator", ArraysOfNumbers, "calibrations_are_plain_numbers", "factor is a ndarray: make a list"),
    ("calibrator", OtherSide, "skewed_errors_are_covered_on_their_side", "intervals of 0.925 cover 0."),
    (
        "metric",
        RefusesItsDefault,
        "ranges_of_options_are_as_told",
        "the default options are refused ('power' must be >= 1: -1)",
    ),
    (
        "metric",
        Logarithmic,
        "images_with_counts_below_zero_have_a_number",
        "counts below zero have a score that is not finite",
    ),
    ("metric", Signed, "no_error_is_better_than_none", "images that are too bright score better"),
    ("metric", FirstPlane, "no_error_is_better_than_none", "noise at the end of axis z does not count"),
    (
        "kl_scheme",
        Follows,
        "what_was_learned_leaves_the_gradient_that_of_the_rate",
        "a step that is told after a rate overwrites a number",
    ),
    ("objective", WeighsItself, "it_has_a_weight_and_nothing_to_train", "the weight is in the term, too"),
    ("optimizer", DefaultRate, "the_schedule_has_its_say", "a group has the learning rate 0.001, given is"),
    (
        "image_format",
        NothingBelowZero,
        "pixels_of_every_type_come_back_or_are_refused",
        "other pixels of int8 come back",
    ),
)
"""Kind, component, the law it breaks, and the beginning of the reason."""
