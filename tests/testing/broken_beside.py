"""Components that disturb what is beside them, or overlook a part: generators, precision, channels, seeds."""

import random
from collections.abc import Sequence

import attrs
import numpy as np
import torch
from attrs.validators import ge
from torch import Tensor

from denoisplit.core.arrays import AnyArray, FloatArray
from denoisplit.core.images.bases import Dataset, Field
from denoisplit.core.network.interfaces import Calibration, FitReport, NoisePairs
from denoisplit.plugins.augmentations.flips import Flips
from denoisplit.plugins.calibrators.scale import Scale
from denoisplit.plugins.metrics.pixelwise import Psnr
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
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
    ("augmentation", TurnsBySeed, "the_same_choice_does_the_same", "moving pixels changes the state of"),
    ("calibrator", ThinsWithNumpy, "calibrations_are_plain_numbers", "a fit changes the state of"),
    ("noise_model", SeedsItsFit, "a_fit_is_reproducible", f"a fit changes the state of {_ALONE} torch"),
    ("metric", SamplesPixels, "images_are_looked_at_only", f"a score changes the state of {_ALONE} random"),
    ("objective", DrawsWithNumpy, "the_batch_is_looked_at_only", "the term changes the state of"),
)
"""Kind, component, the law it breaks, and the beginning of the reason."""
