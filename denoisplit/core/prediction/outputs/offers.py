"""The table of images that a prediction can give: the word for each, what it needs, how it is computed."""

import math
from collections.abc import Callable
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.network.calibrating import applying, calibrated_std, gives_std
from denoisplit.core.network.interfaces import AnyCalibrator, Calibration
from denoisplit.core.prediction.outputs.posterior import Posterior
from denoisplit.core.prediction.samples.summaries import (
    Images,
    NoiseVariance,
    Samples,
    Summary,
    quantile_name,
    sample_name,
)
from denoisplit.core.spec.records import Chosen

CALIBRATED_STD: Final = "calibrated std"
"""Name of the images of the std calibrated to the real error."""

CHI_SQUARE: Final = "chi-square"
"""Name of the image of the squared misfit between predicted channels and mixed image, one for all."""

_DIGITS = 12
"""Decimals of quantile levels: 0.9 leaves 0.05 on both sides, not 0.04999999999999999."""


@attrs.frozen
class Calibrated:
    """A calibrator with what it learned in training."""

    calibrator: AnyCalibrator
    calibration: Calibration

    @classmethod
    def of(cls, chosen: Chosen, calibration: Calibration | None) -> "Calibrated | None":
        """The calibrator of a run; None without a calibration."""
        return None if calibration is None else cls(chosen.build(), calibration)

    @property
    def has_std(self) -> bool:
        """Whether it gives a calibrated std; some calibrators give intervals only."""
        return gives_std(self.calibrator)

    def std(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        """Calibrated std [c (z) y x], counts."""
        if not gives_std(self.calibrator):
            raise ValueError("there are only intervals. Ask require_possible first.")
        with applying(self.calibration):
            of_batch = calibrated_std(self.calibrator, self.calibration, _batch_of(mean), _batch_of(std))
        calibrated: FloatArray = of_batch[0].astype(std.dtype)
        return calibrated

    def interval(self, mean: FloatArray, std: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds of the calibrated interval [c (z) y x], counts."""
        with applying(self.calibration):
            low, high = self.calibrator.interval(self.calibration, _batch_of(mean), _batch_of(std), level)
        return low[0].astype(std.dtype), high[0].astype(std.dtype)


def _batch_of(image: FloatArray) -> FloatArray:
    """A batch of one image, copied: calibrators may write into what they get, but not into a prediction."""
    return image[None].copy()


Make = Callable[[Posterior, Calibrated | None], Images]
"""A function that computes images [c (z) y x] by name, counts, from a prediction that has what they need."""


@attrs.frozen
class Output:
    """One word of ``--output``.

    Attributes:
        word: the word, as the user wrote it.
        make: function that computes its images.
        least: least number of posterior samples.
        calibrated: whether the run needs a calibration.
        calibrated_std: whether the calibration needs to give a std.
        misfit: whether it needs the image ``CHI_SQUARE`` of the posterior.
        summaries: further summaries of the samples, besides mean, std and quantiles.
        quantiles: levels of the sample quantiles that it needs.
    """

    word: str
    make: Make
    least: int = 1
    calibrated: bool = False
    calibrated_std: bool = False
    misfit: bool = False
    summaries: tuple[Summary, ...] = ()
    quantiles: tuple[float, ...] = ()


def _mean(posterior: Posterior, _calibrated: Calibrated | None) -> Images:
    return {"mean": posterior.mean}


def _std(posterior: Posterior, _calibrated: Calibrated | None) -> Images:
    return {"std": _spread(posterior)}


def _total_std(posterior: Posterior, _calibrated: Calibrated | None) -> Images:
    r"""How far a camera's measurement of a channel lies from the mean.

    .. math:: \sqrt{\operatorname{Var}_s[s] + \operatorname{E}_s[\operatorname{Var}(y \mid s)]}

    over the posterior samples s, with the variance of an observation y by the noise model: the law of total
    variance.
    """
    std = _spread(posterior)
    total = np.sqrt(np.square(std, dtype=np.float64) + posterior.images["noise variance"])
    return {"total std": total.astype(std.dtype)}


def _calibrated_std(posterior: Posterior, calibrated: Calibrated | None) -> Images:
    return {CALIBRATED_STD: _known(calibrated).std(posterior.mean, _spread(posterior))}


def _chi_square(posterior: Posterior, _calibrated: Calibrated | None) -> Images:
    """One image [1 (z) y x], dimensionless."""
    return {CHI_SQUARE: posterior.images[CHI_SQUARE]}


def _samples(posterior: Posterior, _calibrated: Calibrated | None) -> Images:
    return {name: posterior.images[name] for name in map(sample_name, range(posterior.samples))}


def _quantile(level: float) -> Output:
    def make(posterior: Posterior, _calibrated: Calibrated | None) -> Images:
        return {f"quantile {level}": posterior.images[quantile_name(level)]}

    return Output(f"quantile={level}", make, least=_least(level), quantiles=(level,))


def _interval(level: float) -> Output:
    """The interval between two quantiles of the samples, with as much probability below as above."""
    low = round((1 - level) / 2, _DIGITS)
    ends = {"low": low, "high": round(1 - low, _DIGITS)}

    def make(posterior: Posterior, _calibrated: Calibrated | None) -> Images:
        return {f"interval {level} {end}": posterior.images[quantile_name(q)] for end, q in ends.items()}

    return Output(f"interval={level}", make, least=_least(low), quantiles=tuple(ends.values()))


def _calibrated_interval(level: float) -> Output:
    """The interval around the mean, as the calibrator learned it."""

    def make(posterior: Posterior, calibrated: Calibrated | None) -> Images:
        low, high = _known(calibrated).interval(posterior.mean, _spread(posterior), level)
        return {f"calibrated interval {level} low": low, f"calibrated interval {level} high": high}

    return Output(f"calibrated_interval={level}", make, least=2, calibrated=True)


@attrs.frozen
class Offer:
    """A row of the table of outputs.

    Attributes:
        word: the word that asks for it, without level.
        images: names of its images.
        says: what they show.
        samples: number of samples that it needs.
        of: the output, or a function from a level to the output.
    """

    word: str
    images: str
    says: str
    samples: str
    of: Output | Callable[[float], Output]

    @property
    def asked(self) -> str:
        """The word as users write it."""
        return self.word if isinstance(self.of, Output) else f"{self.word}=LEVEL"


OFFERS: Final = (
    Offer(
        "mean", "mean", "the denoised structure: average of the posterior samples", "1", Output("mean", _mean)
    ),
    Offer(
        "std",
        "std",
        "how far the samples spread: what the network leaves open",
        "2",
        Output("std", _std, least=2),
    ),
    Offer(
        "total_std",
        "total std",
        "how far a *measurement* of the structure would lie from the mean",
        "2",
        Output("total_std", _total_std, least=2, summaries=(NoiseVariance(),)),
    ),
    Offer(
        "calibrated_std",
        "calibrated std",
        "how far the *true* structure lies from the mean, as learned on held-out fields",
        "2",
        Output("calibrated_std", _calibrated_std, least=2, calibrated=True, calibrated_std=True),
    ),
    Offer(
        "samples",
        "sample 0, sample 1, ...",
        "single images that all explain the mixed image",
        "1",
        Output("samples", _samples, summaries=(Samples(),)),
    ),
    Offer(
        "chi_square",
        "chi-square",
        "where the channels together do not explain the mixed image",
        "1",
        Output("chi_square", _chi_square, misfit=True),
    ),
    Offer(
        "quantile",
        "quantile LEVEL",
        "a further sample lies below it with this probability",
        "1/LEVEL - 1",
        _quantile,
    ),
    Offer(
        "interval",
        "interval LEVEL low, interval LEVEL high",
        "a further sample lies in between with this probability",
        "2/(1-LEVEL) - 1",
        _interval,
    ),
    Offer(
        "calibrated_interval",
        "calibrated interval LEVEL low, calibrated interval LEVEL high",
        "the truth lies in between with this probability",
        "2",
        _calibrated_interval,
    ),
)
"""Everything that can be asked for; command line, docstrings and documentation all use this table."""


def _least(level: float) -> int:
    """Number of samples whose smallest and largest reach a quantile; see ``summaries.Quantiles``."""
    return max(2, math.ceil(1 / min(level, 1 - level) - 1 - 1e-9))


def _spread(posterior: Posterior) -> FloatArray:
    if posterior.std is None:
        raise ValueError("a single sample has no spread. Ask require_possible first.")
    return posterior.std


def _known(calibrated: Calibrated | None) -> Calibrated:
    if calibrated is None:
        raise ValueError("there is no calibration. Ask require_possible first.")
    return calibrated
