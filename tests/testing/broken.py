"""Components that each break one law, as a plugin author might write them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor as Pool
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from denoisplit.core.arrays import AnyArray, FloatArray
from denoisplit.core.images.bases import Dataset, Field, Image, ImageFormat
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.network.interfaces import (
    Calibration,
    Calibrator,
    Decoded,
    Features,
    IntensityStats,
    KLScheme,
    NoiseModel,
    Rate,
    Window,
)
from denoisplit.core.network.latent import Level, level_sums
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.objective_terms import ObjectiveTerm
from denoisplit.core.prediction.executor import AtOnce, P, R
from denoisplit.plugins.augmentations.flips import Flips
from denoisplit.plugins.calibrators.scale import Scale
from denoisplit.plugins.datasets.simulated import Simulated
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.executors.serial import Serial
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from denoisplit.plugins.metrics.pixelwise import Psnr
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.objectives.mixture_consistency import MixtureConsistency


class NotADensity(Gaussian):
    """Forgets the normalisation by the scale of a channel."""

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return super().log_prob(observation, signal, extra) + 0.5


class OtherVariance(Gaussian):
    """Confuses the variance with the standard deviation."""

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return super().variance(signal, extra).sqrt()


class GlobalSamples(NoiseModel):
    """Draws from the global generator."""

    Options = Gaussian.Options

    def __init__(self, options: Gaussian.Options, *, statistics: IntensityStats) -> None:
        super().__init__()
        self.inner = Gaussian(attrs.evolve(options, log_variance="fixed"), statistics=statistics)

    needs_fit = False
    fit = Gaussian.fit

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return self.inner.log_prob(observation, signal, extra)

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return self.inner.variance(signal, extra)

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        return signal + self.variance(signal).sqrt() * torch.randn_like(signal)


class Negative(KLScheme):
    """Takes something off every level, so that the rate goes below zero."""

    unit = "nats per image pixel"

    @attrs.frozen(kw_only=True)
    class Options:
        weight: float = 1.0

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.weight = options.weight

    def forward(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Rate:
        if not levels:
            return Rate(torch.zeros(()), torch.zeros(0))
        per_level = level_sums(levels, analytic=True).mean(0) / image_pixels - 0.1
        return Rate(per_level.sum(), per_level)


class HiddenRandomness(LadderDecoder):
    """Draws noise of its own."""

    def forward(self, features: Features, noise: NoiseSource, *, window: Window = ()) -> Decoded:
        decoded = super().forward(features, noise, window=window)
        return attrs.evolve(decoded, output=decoded.output + 1e-3 * torch.randn_like(decoded.output))


class DeadParameter(LadderEncoder):
    """Has a layer that nothing uses."""

    def __init__(self, options: LadderEncoder.Options, *, spatial_rank: int, in_channels: int) -> None:
        super().__init__(options, spatial_rank=spatial_rank, in_channels=in_channels)
        self.forgotten = nn.Linear(3, 3)


class DropsABin(Calibrator):
    """Leaves out the pixels with the largest spread."""

    Options = Scale.Options

    def __init__(self, options: Scale.Options) -> None:
        self.inner = Scale(options)

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        last = std > np.quantile(std, 0.9)
        nearest = np.where(last, mean + std * np.sign(truth - mean), truth)
        return self.inner.fit(mean, std, nearest)

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        return self.inner.apply(calibration, std)

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        return self.inner.interval(calibration, mean, std, level)


class ChangesWithUnits(DropsABin):
    """Adds a constant in counts to every std."""

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        return self.inner.fit(mean, std + 1.0, truth)


class LosesThePixelSize(ImageFormat):
    """Writes everything but the pixel size."""

    Options = OmeTiff.Options
    suffixes = OmeTiff.suffixes

    def __init__(self, options: OmeTiff.Options) -> None:
        self.inner = OmeTiff(options)

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        return self.inner.open(path, axes=axes)

    def write(self, path: Path, image: Image) -> None:
        self.inner.write(path, attrs.evolve(image, pixel_size=None))


class OneFieldTwice(Dataset):
    """Reads one file under two names, so that it can be in training and in validation."""

    Options = Simulated.Options

    def __init__(self, options: Simulated.Options, *, channels: tuple[str, ...]) -> None:
        self.inner = Simulated(options, channels=channels)

    def fields(self) -> tuple[Field, ...]:
        fields = self.inner.fields()
        return (*fields, attrs.evolve(fields[0], name="a copy"))


class WrongDirection(Psnr):
    """Says that less is better."""

    larger_is_better = False


class Forgetful(Psnr):
    """Overwrites the prediction."""

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        prediction -= prediction.mean() - truth.mean()
        return super().score(truth, prediction)


class NotOfItsImage(Psnr):
    """Scores every image as the first one."""

    def scores(self, truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> Sequence[float]:
        return [self.score(truths[0], predictions[0])] * len(truths)


class _Consistency(ObjectiveTerm):
    """One that is in order, for others to spoil."""

    Options = MixtureConsistency.Options

    def __init__(
        self, options: MixtureConsistency.Options, *, statistics: IntensityStats, mixing: Mixing
    ) -> None:
        super().__init__(options)
        self.inner = MixtureConsistency(options, statistics=statistics, mixing=mixing)

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        value: Tensor = self.inner(signal, targets, mixed)
        return value


class InCounts(_Consistency):
    """Has a unit."""

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return super().forward(signal, targets, mixed) * self.inner.statistics.mixed_std


class SumOfImages(_Consistency):
    """Grows with the batch."""

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return super().forward(signal, targets, mixed) * len(signal)


class Detached(_Consistency):
    """Tells the network nothing of one factor."""

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return super().forward(signal, targets, mixed) * signal.detach().abs().mean()


class TurnsChannelsApart(Flips):
    """Turns the first channel and not the others."""

    def apply(self, patch: FloatArray, choice: int) -> FloatArray:
        return np.concatenate([super().apply(patch[:1], choice), patch[1:]])


class Brightens(Flips):
    """Changes the counts."""

    def apply(self, patch: FloatArray, choice: int) -> FloatArray:
        return super().apply(patch, choice) * 1.5


class _Late(AtOnce):
    """Gives every job the result of the one before."""

    def __init__(self) -> None:
        self.before: Future[Any] = Future()
        self.before.set_result(1)

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        found, self.before = self.before, super().submit(fn, *args, **kwargs)
        return found


class MixesJobsUp(Serial):
    """Gives a job the result of another."""

    def start(self, workers: int) -> AbstractContextManager[Pool]:
        del workers
        return _Late()


class Swallows(Serial):
    """Lets no error of its context out."""

    @contextmanager
    def start(self, workers: int) -> Iterator[Pool]:
        with suppress(KeyError), super().start(workers) as pool:
            yield pool


BROKEN: tuple[tuple[str, type, str, str], ...] = (
    ("noise_model", NotADensity, "the_density_integrates_to_one", "the density integrates to"),
    ("noise_model", OtherVariance, "the_variance_is_that_of_the_density", "the variance is "),
    (
        "noise_model",
        GlobalSamples,
        "samples_come_from_the_generator_alone",
        "a sample changes the state of the global generator of torch",
    ),
    (
        "kl_scheme",
        Negative,
        "the_rate_is_never_negative_and_least_where_posterior_is_prior",
        "the rate is -",
    ),
    (
        "metric",
        WrongDirection,
        "better_predictions_score_better",
        "noise of 0, 0.05, 0.5, 5 stds scores inf, ",
    ),
    ("metric", Forgetful, "images_are_looked_at_only", "an image is overwritten"),
    ("metric", NotOfItsImage, "the_order_of_images_does_not_matter", "images in another order"),
    ("objective", InCounts, "the_term_has_no_unit", "images in other units"),
    ("objective", SumOfImages, "the_term_is_a_mean_over_images", "a batch twice over"),
    ("objective", Detached, "the_term_is_a_scalar_with_a_gradient_to_the_signal", "the gradient is not that"),
    ("augmentation", TurnsChannelsApart, "all_maps_of_a_patch_are_moved_alike", "choice "),
    ("augmentation", Brightens, "pixels_are_moved_and_keep_their_counts", "choice 0: a count is made up"),
    ("decoder", HiddenRandomness, "the_same_noise_gives_the_same_output", "the same noise gives another"),
    ("encoder", DeadParameter, "every_parameter_gets_a_gradient", "no gradient reaches forgotten.bias"),
    ("calibrator", DropsABin, "no_bin_is_dropped", "errors of the pixels in bin 9 of 10"),
    ("calibrator", ChangesWithUnits, "images_in_other_units_give_a_std_in_those", "images in other units"),
    ("executor", MixesJobsUp, "every_job_gives_its_result_or_its_error", "a job has the result of another"),
    ("executor", Swallows, "nothing_goes_on_when_the_context_ends", "DID NOT RAISE"),
    ("image_format", LosesThePixelSize, "images_come_back", "the pixel size is lost"),
    ("dataset", OneFieldTwice, "no_field_is_in_two_splits", "two fields have the same pixels"),
)
"""Kind, component, the law that it breaks, and how the reason begins."""
