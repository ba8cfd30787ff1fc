"""Components that disturb what is beside them, or overlook a part: generators, precision, channels, seeds."""

import random
from collections.abc import Sequence
from concurrent.futures import Executor as Pool
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import attrs
import numpy as np
import tifffile
import torch
from attrs.validators import ge
from scipy.special import ndtri
from torch import Tensor

from denoisplit.core.arrays import AnyArray, Float32Array, FloatArray
from denoisplit.core.errors import ImageError, SpecError
from denoisplit.core.images.bases import Dataset, Field, LazyArray
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.network.interfaces import Calibration, FitReport, IntensityStats, NoisePairs
from denoisplit.core.network.objective_terms import ObjectiveTerm
from denoisplit.core.prediction.executor import Executor
from denoisplit.plugins.augmentations.flips import Flips
from denoisplit.plugins.calibrators.scale import Scale
from denoisplit.plugins.metrics.pixelwise import Psnr
from denoisplit.plugins.noise_models.binned_gaussian import BinnedGaussian
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.testing import DatasetTests
from tests.testing.broken import _Consistency


class _Noise(Dataset):
    """Images of noise, for others to spoil."""

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the images.

        Attributes:
            count: number of fields.
            seed: of all random numbers.
        """

        count: int = attrs.field(default=3, validator=ge(1))
        seed: int = attrs.field(default=0, validator=ge(0))

    def __init__(self, options: Options, *, channels: tuple[str, ...]) -> None:
        self.options, self.channels = options, channels

    def fields(self) -> tuple[Field, ...]:
        return tuple(
            Field(name=f"{self.options.seed}-{number}", observed=self._image(number).astype(np.float32))
            for number in range(self.options.count)
        )

    def _image(self, number: int) -> AnyArray:
        rng = np.random.default_rng((self.options.seed, number))
        return rng.normal(100, 20, (len(self.channels), 24, 20))


class SeedsNumpy(_Noise):
    """Seeds the global generator of NumPy."""

    def _image(self, number: int) -> AnyArray:
        np.random.seed(self.options.seed + number)  # noqa: NPY002
        return np.random.normal(100, 20, (len(self.channels), 24, 20))  # noqa: NPY002


class SeedsPython(_Noise):
    """Chooses the order of its fields with the global generator of Python."""

    def fields(self) -> tuple[Field, ...]:
        random.seed(self.options.seed)
        fields = list(super().fields())
        random.shuffle(fields)
        return tuple(fields)


class SeedsTorch(_Noise):
    """Draws with the global generator of torch."""

    def _image(self, number: int) -> AnyArray:
        torch.manual_seed(self.options.seed + number)
        return 100 + 20 * torch.randn(len(self.channels), 24, 20).numpy()


class TurnsBySeed(Flips):
    """Seeds the global generator with the choice."""

    def apply(self, patch: FloatArray, choice: int) -> FloatArray:
        np.random.seed(choice)  # noqa: NPY002
        return super().apply(patch, choice)


class ThinsWithNumpy(Scale):
    """Fits to pixels that the global generator chooses, with a seed."""

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        np.random.seed(0)  # noqa: NPY002
        return super().fit(mean, std, truth)


class SeedsItsFit(GaussianMixture):
    """Seeds the global generator of torch for its fit."""

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        torch.manual_seed(seed)
        return super().fit(pairs, seed=seed)


class SamplesPixels(Psnr):
    """Draws the pixels that it scores from the global generator."""

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        random.seed(0)
        return super().score(truth, prediction)


class DrawsWithNumpy(_Consistency):
    """Advances the global generator of NumPy."""

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        np.random.rand()  # noqa: NPY002
        return super().forward(signal, targets, mixed)


class Unchecked(Dataset):
    """Takes the pixels of its files as they are."""

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the files.

        Attributes:
            path: folder of the files.
        """

        path: Path = attrs.field(converter=Path)

    suffix = ".tif"

    def __init__(self, options: Options, *, channels: tuple[str, ...]) -> None:
        self.options, self.channels = options, channels

    def fields(self) -> tuple[Field, ...]:
        """Read every file."""
        files = sorted(self.options.path.glob(f"*{self.suffix}"))
        if not files:
            raise ImageError(f"{self.options.path}: no file. Correct the path.")
        return tuple(Field(name=file.stem, observed=self._pixels(file)) for file in files)

    def _pixels(self, file: Path) -> Float32Array:
        try:
            pixels = tifffile.imread(file)
        except tifffile.TiffFileError as error:
            raise ImageError(f"{file}: no TIFF. Replace it.") from error
        channels = pixels.ndim - 3
        if pixels.shape[channels] != len(self.channels):
            raise ImageError(f"{file}: {pixels.shape[channels]} channels. Replace it.")
        counts: Float32Array = np.moveaxis(pixels, channels, 0).astype(np.float32)
        return counts


class UncheckedArrays(Unchecked):
    """The same, of arrays of NumPy."""

    suffix = ".npy"

    def _pixels(self, file: Path) -> Float32Array:
        counts: Float32Array = np.load(file)
        return counts


class SuiteOfArrays(DatasetTests):
    """The laws, with a folder of such arrays."""

    component = UncheckedArrays

    def write_folder(self, folder: Path, rank: int) -> None:
        rng = np.random.default_rng(0)
        for number in range(3):
            image = rng.gamma(3, 60, (len(self.channels), *(3,) * (rank - 2), 24, 20))
            np.save(folder / f"cell_{number}.npy", image.astype(np.float32))


class SeesNaN(Unchecked):
    """Refuses what is not a number, but not what is infinite."""

    def _pixels(self, file: Path) -> Float32Array:
        counts = super()._pixels(file)
        if np.isnan(counts).any():
            raise ImageError(f"{file}: a pixel is not a number. Replace it.")
        return counts


class SeedsAddUp(_Noise):
    """Adds the number of a field to the seed, so that the second field of a seed is the first of the next."""

    def _image(self, number: int) -> AnyArray:
        rng = np.random.default_rng(self.options.seed + number)
        return rng.normal(100, 20, (len(self.channels), 24, 20))


class NoiseAddsUp(_Noise):
    """The same for the noise, but not for what it is added to."""

    def fields(self) -> tuple[Field, ...]:
        made = []
        for number, field in enumerate(super().fields()):
            noise = np.random.default_rng(self.options.seed + number).normal(0, 9, field.observed.shape)
            observed = (field.observed + noise).astype(np.float32)
            made.append(attrs.evolve(field, observed=observed, clean=field.observed))
        return tuple(made)


class _Referenced(_Noise):
    """Images with a clean reference, for others to spoil."""

    def fields(self) -> tuple[Field, ...]:
        return tuple(attrs.evolve(field, clean=self._clean(field.observed)) for field in super().fields())

    def _clean(self, observed: LazyArray) -> AnyArray:
        raise NotImplementedError


class HolesInTheTruth(_Referenced):
    """Has clean references that are not finite everywhere."""

    def _clean(self, observed: LazyArray) -> AnyArray:
        return np.where(np.asarray(observed) > 120, np.float32(np.nan), np.float32(100))


class DoubleTruth(_Referenced):
    """Has clean references in double precision."""

    def _clean(self, observed: LazyArray) -> AnyArray:
        return np.full(observed.shape, 100.0)


class DoublePrecision(Flips):
    """Gives patches in double precision."""

    def apply(self, patch: FloatArray, choice: int) -> FloatArray:
        return super().apply(patch, choice).astype(np.float64)


class DoubleStd(Scale):
    """Multiplies single precision by factors in double precision."""

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        factor = np.array(calibration.parameters["factor"])
        doubled: FloatArray = std * factor.reshape(1, -1, *(1,) * (std.ndim - 2))
        return doubled


class DoubleIntervals(Scale):
    """Has the half-width of an interval in double precision."""

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        half = ndtri((1 + level) / 2) * self.apply(calibration, std)
        return mean - half, mean + half


class SingleNumbers(Scale):
    """Keeps numbers in single precision, which JSON does not know."""

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        fitted = super().fit(mean, std, truth)
        return Calibration(
            parameters={name: list(np.array(one, std.dtype)) for name, one in fitted.parameters.items()}
        )


class DoubleTerm(_Consistency):
    """Is in double precision whatever the signal is."""

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return super().forward(signal.double(), targets, mixed)


class ScaleOfTheFirst(Gaussian):
    """Scales all channels by the std of the first."""

    def _scale(self, like: Tensor) -> Tensor:
        return super()._scale(like)[:, :1]


class ScaleOfTheMixed(Gaussian):
    """Scales all channels by the std of the mixed image."""

    def _scale(self, like: Tensor) -> Tensor:
        return torch.full_like(super()._scale(like), self.statistics.mixed_std)


class FloorOfTheFirst(BinnedGaussian):
    """Has a least std, which is a part of the range of the first channel."""

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        reports = super().fit(pairs, seed=seed)
        self.table[..., 1].clamp_(min=0.02 * float(np.ptp(pairs[0].signal)))
        return reports


class LeaksFromTheFirst(Gaussian):
    """Has noise that grows with the signal of the first channel."""

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        away = (observation - signal) * (1 + signal[:, :1].abs() / 1000)
        return super().log_prob(away, torch.zeros_like(away), extra)


class FirstChannel(_Consistency):
    """Looks at the first channel alone."""

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        std = self.inner.statistics.target_std[0]
        return ((signal - targets) / std)[:, 0].square().mean()


class ChosenChannel(ObjectiveTerm):
    """Looks at the channel that is asked for: nothing is wrong with that."""

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the objective.

        Attributes:
            weight: multiplier of the term.
            channel: number of the channel.
        """

        weight: float = attrs.field(default=1.0, validator=ge(0))
        channel: int = attrs.field(default=0, validator=ge(0))

    def __init__(self, options: Options, *, statistics: IntensityStats, mixing: Mixing) -> None:
        super().__init__(options)
        if options.channel >= statistics.channels:
            raise SpecError(f"training.objectives: there is no channel {options.channel}. Name another.")
        self.channel, self.std = options.channel, statistics.target_std[options.channel]

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return ((signal - targets) / self.std)[:, self.channel].square().mean()


class LastDetached(_Consistency):
    """Tells the network nothing of the last of three channels."""

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return super().forward(torch.cat([signal[:, :2], signal[:, 2:].detach()], 1), targets, mixed)


class MoreThanMost(Executor):
    """Has an option that limits the number of jobs, and forgets it."""

    @attrs.frozen
    class Options:
        """Options of the executor.

        Attributes:
            most: largest number of threads.
        """

        most: int = attrs.field(default=4, validator=ge(1))

    def start(self, workers: int) -> AbstractContextManager[Pool]:
        return ThreadPoolExecutor(workers)


_ALONE = "the global generator of"

BESIDE: tuple[tuple[str, type, str, str], ...] = (
    (
        "dataset",
        SeedsNumpy,
        "the_global_generators_are_left_alone",
        f"reading changes the state of {_ALONE} numpy",
    ),
    ("dataset", SeedsPython, "the_global_generators_are_left_alone", "reading changes the state of"),
    (
        "dataset",
        SeedsTorch,
        "the_global_generators_are_left_alone",
        f"reading changes the state of {_ALONE} torch",
    ),
    (
        "dataset",
        Unchecked,
        "pixels_that_are_not_finite_are_no_pixels_of_a_field",
        "field_0.tif holds a pixel of nan, and so does the observed image of field_0: refuse it",
    ),
    (
        "dataset",
        SeesNaN,
        "pixels_that_are_not_finite_are_no_pixels_of_a_field",
        "field_0.tif holds a pixel of inf, and so does the observed image of field_0: refuse it",
    ),
    (
        "dataset",
        HolesInTheTruth,
        "fields_have_the_named_channels",
        "the clean reference of 0-0 has pixels that are not finite",
    ),
    (
        "dataset",
        DoubleTruth,
        "fields_have_the_named_channels",
        "the clean reference of 0-0 has pixels of float64",
    ),
    (
        "noise_model",
        ScaleOfTheFirst,
        "the_noise_of_a_channel_is_that_of_its_own_images",
        "where channel 0 has other statistics and pairs, the likelihood of another channel is 1.",
    ),
    (
        "noise_model",
        ScaleOfTheMixed,
        "the_noise_of_a_channel_is_that_of_its_own_images",
        "where channel 0 has other statistics and pairs, the likelihood of another channel is 1.",
    ),
    (
        "noise_model",
        FloorOfTheFirst,
        "the_noise_of_a_channel_is_that_of_its_own_images",
        "where channel 0 has other statistics and pairs, the likelihood of another channel is 0.",
    ),
    (
        "noise_model",
        LeaksFromTheFirst,
        "a_pixel_knows_nothing_of_other_pixels_and_channels",
        "the signal of a pixel has an effect on others",
    ),
    ("objective", FirstChannel, "every_channel_matters", "of "),
    (
        "objective",
        LastDetached,
        "every_channel_matters",
        "of 3 channels, the term does not depend on 2 with any options",
    ),
    (
        "dataset",
        SeedsAddUp,
        "another_seed_gives_other_fields",
        "1-1 with the seed 1 and 2-0 with the seed 2 share an image",
    ),
    (
        "dataset",
        NoiseAddsUp,
        "another_seed_gives_other_fields",
        "1-1 with the seed 1 and 2-0 with the seed 2 share their noise",
    ),
    (
        "executor",
        MoreThanMost,
        "an_option_most_is_the_largest_number_of_jobs_at_a_time",
        "with most=1, 2 jobs are done at a time by 2 workers",
    ),
    ("augmentation", TurnsBySeed, "the_same_choice_does_the_same", "moving pixels changes the state of"),
    (
        "augmentation",
        DoublePrecision,
        "pixels_are_moved_and_keep_their_counts",
        "a patch of float32 becomes one of float64",
    ),
    (
        "calibrator",
        DoubleStd,
        "std_and_intervals_have_the_type_of_the_arrays",
        "for arrays of float32 the lower bound is of float64",
    ),
    (
        "calibrator",
        DoubleIntervals,
        "std_and_intervals_have_the_type_of_the_arrays",
        "for arrays of float32 the lower bound is of float64",
    ),
    (
        "calibrator",
        SingleNumbers,
        "std_and_intervals_have_the_type_of_the_arrays",
        "fitted to float32, factor has numbers of float32",
    ),
    (
        "objective",
        DoubleTerm,
        "the_term_is_a_scalar_with_a_gradient_to_the_signal",
        "a signal in torch.float32 gives a term in torch.float64",
    ),
    ("calibrator", ThinsWithNumpy, "calibrations_are_plain_numbers", "a fit changes the state of"),
    ("noise_model", SeedsItsFit, "a_fit_is_reproducible", f"a fit changes the state of {_ALONE} torch"),
    ("metric", SamplesPixels, "images_are_looked_at_only", f"a score changes the state of {_ALONE} random"),
    ("objective", DrawsWithNumpy, "the_batch_is_looked_at_only", "the term changes the state of"),
)
"""Kind, component, the law it breaks, and the beginning of the reason."""
