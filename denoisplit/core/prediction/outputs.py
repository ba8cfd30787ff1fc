"""The images that a prediction can give, by the words that ask for them."""

import math
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.errors import CalibrationError, SpecError
from denoisplit.core.given import texts_of
from denoisplit.core.images.names import MIXED
from denoisplit.core.network.calibrating import calibrated_std, gives_std
from denoisplit.core.network.interfaces import AnyCalibrator, Calibration, FloatArray
from denoisplit.core.prediction.posterior import Posterior
from denoisplit.core.prediction.summaries import (
    Images,
    NoiseVariance,
    Quantiles,
    Samples,
    Summary,
    quantile_name,
    sample_name,
)

DEFAULT: Final = ("mean", "std", "calibrated_std")
"""What is given unless something is asked for, as far as it can be had."""

CALIBRATED_STD: Final = "calibrated std"
"""Name of the images of the std that is calibrated to the real error."""

CHI_SQUARE: Final = "chi-square"
"""Name of the image of the squared misfit of the predicted channels and the mixed image, one for all."""

_DIGITS = 12
"""Of the levels of quantiles: 0.9 leaves 0.05 on both sides, not 0.04999999999999999."""


@attrs.frozen
class Calibrated:
    """A calibrator and what it learned in training."""

    calibrator: AnyCalibrator
    calibration: Calibration

    @property
    def has_std(self) -> bool:
        """Whether there is a calibrated std; some calibrators give intervals only."""
        return gives_std(self.calibrator)

    def std(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        """Calibrated std [c (z) y x], counts."""
        if not gives_std(self.calibrator):
            raise ValueError("there are only intervals. Ask require_possible first.")
        of_batch = calibrated_std(self.calibrator, self.calibration, mean[None], std[None])
        calibrated: FloatArray = of_batch[0].astype(std.dtype)
        return calibrated

    def interval(self, mean: FloatArray, std: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the calibrated interval [c (z) y x], counts."""
        low, high = self.calibrator.interval(self.calibration, mean[None], std[None], level)
        return low[0].astype(std.dtype), high[0].astype(std.dtype)


Make = Callable[[Posterior, Calibrated | None], Images]
"""Images [c (z) y x] by name, counts, of a prediction that has what they need."""


@attrs.frozen
class Output:
    """One word of ``--output``.

    Attributes:
        word: as it was asked for.
        make: its images.
        least: posterior samples that it needs.
        calibrated: whether the run needs a calibration.
        calibrated_std: whether that has to give a std.
        misfit: whether it needs the image ``CHI_SQUARE`` of the posterior.
        summaries: what has to be made of the samples besides mean, std and quantiles.
        quantiles: levels of the quantiles of the samples that it needs.
    """

    word: str
    make: Make
    least: int = 1
    calibrated: bool = False
    calibrated_std: bool = False
    misfit: bool = False
    summaries: tuple[Summary, ...] = ()
    quantiles: tuple[float, ...] = ()


def parse_outputs(words: str | Sequence[str]) -> tuple[Output, ...]:
    """What words ask for, each at most once; every word may be a list with commas.

    Raises:
        ArgumentError: no words.
        SpecError: an unknown word, or a level that is missing, not wanted, or not between 0 and 1.
    """
    lists = [words] if isinstance(words, str) else texts_of(words, "output")
    single = dict.fromkeys(word.strip() for given in lists for word in given.split(","))
    return tuple(_parse(word) for word in single)


def require_possible(outputs: Sequence[Output], *, samples: int, calibrated: Calibrated | None) -> None:
    """Check that a prediction can give what was asked for.

    Raises:
        SpecError: too few posterior samples.
        CalibrationError: the run has no calibration, or one that gives intervals only.
    """
    short = [output for output in outputs if output.least > samples]
    if short:
        needed = max(output.least for output in short)
        each = ", ".join(f"{output.word} needs {output.least}" for output in short)
        problem = (
            f"prediction.output: too few posterior samples: {each} (got {samples}). "
            f"Use {needed} or more (--samples {needed}), or leave {'it' if len(short) == 1 else 'them'} out."
        )
        raise SpecError([problem])
    uncalibrated = [output.word for output in outputs if output.calibrated and calibrated is None]
    if uncalibrated:
        raise CalibrationError(
            f"prediction.output: the run has no calibration (got {', '.join(uncalibrated)}). Use std or "
            f"interval=LEVEL (spread of the samples), or train with held-out fields that allow a calibration."
        )
    if calibrated is not None and not calibrated.has_std and any(o.calibrated_std for o in outputs):
        raise CalibrationError(
            f"prediction.output: the calibrator of the run gives intervals only (got calibrated_std, by "
            f"{calibrated.calibration.component}). Use calibrated_interval=LEVEL, as in "
            f"calibrated_interval=0.9."
        )


def channels_of(image: str, channels: tuple[str, ...]) -> tuple[str, ...]:
    """What the channels of an image are called: those of the prediction, or that it is of the mixed image."""
    return (MIXED,) if image == CHI_SQUARE else channels


def summaries_of(outputs: Sequence[Output]) -> tuple[Summary, ...]:
    """What has to be made of the samples; samples are kept and sorted once for all quantiles."""
    found = dict.fromkeys(summary for output in outputs for summary in output.summaries)
    levels = sorted({level for output in outputs for level in output.quantiles})
    return (*found, Quantiles(tuple(levels))) if levels else tuple(found)


def default_outputs(*, samples: int, calibrated: Calibrated | None) -> tuple[Output, ...]:
    """What can be had of ``DEFAULT``."""
    with_std = calibrated is not None and calibrated.has_std
    usual = parse_outputs(DEFAULT)
    return tuple(o for o in usual if o.least <= samples and (with_std or not o.calibrated_std))


def _parse(text: str) -> Output:
    word, _, level = text.partition("=")
    offer = next((one for one in OFFERS if one.word == word.strip().replace("-", "_")), None)
    if offer is not None:
        if isinstance(offer.of, Output):
            if not level:
                return offer.of
        elif (number := _probability(level)) is not None:
            return offer.of(number)
    plain, with_level = (
        ", ".join(one.word for one in OFFERS if isinstance(one.of, Output) is kind) for kind in (True, False)
    )
    problem = (
        f"prediction.output: no such image (got {text!r}). Use {plain}, or {with_level} with a level "
        f"between 0 and 1, as in interval=0.9."
    )
    raise SpecError([problem])


def _probability(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < 1 else None


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
    """One image [1 (z) y x] without unit."""
    return {CHI_SQUARE: posterior.images[CHI_SQUARE]}


def _samples(posterior: Posterior, _calibrated: Calibrated | None) -> Images:
    return {name: posterior.images[name] for name in map(sample_name, range(posterior.samples))}


def _quantile(level: float) -> Output:
    def make(posterior: Posterior, _calibrated: Calibrated | None) -> Images:
        return {f"quantile {level}": posterior.images[quantile_name(level)]}

    return Output(f"quantile={level}", make, least=_least(level), quantiles=(level,))


def _interval(level: float) -> Output:
    """Between two quantiles of the samples, with as much below as above."""
    low = round((1 - level) / 2, _DIGITS)
    ends = {"low": low, "high": round(1 - low, _DIGITS)}

    def make(posterior: Posterior, _calibrated: Calibrated | None) -> Images:
        return {f"interval {level} {end}": posterior.images[quantile_name(q)] for end, q in ends.items()}

    return Output(f"interval={level}", make, least=_least(low), quantiles=tuple(ends.values()))


def _calibrated_interval(level: float) -> Output:
    """Around the mean, as the calibrator learned it."""

    def make(posterior: Posterior, calibrated: Calibrated | None) -> Images:
        low, high = _known(calibrated).interval(posterior.mean, _spread(posterior), level)
        return {f"calibrated interval {level} low": low, f"calibrated interval {level} high": high}

    return Output(f"calibrated_interval={level}", make, least=2, calibrated=True)


@attrs.frozen
class Offer:
    """A row of the table of what can be asked for.

    Attributes:
        word: that asks for it, without level.
        images: names of what it gives.
        says: what they say.
        samples: that it needs.
        of: the output, or that of a level.
    """

    word: str
    images: str
    says: str
    samples: str
    of: Output | Callable[[float], Output]

    @property
    def asked(self) -> str:
        """How it is asked for."""
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
"""What can be asked for; command line, docstrings and documentation say the same."""


def _least(level: float) -> int:
    """Samples of which the smallest and the largest reach a quantile, see ``summaries.Quantiles``."""
    return max(2, math.ceil(1 / min(level, 1 - level) - 1 - 1e-9))


def _spread(posterior: Posterior) -> FloatArray:
    if posterior.std is None:
        raise ValueError("a single sample has no spread. Ask require_possible first.")
    return posterior.std


def _known(calibrated: Calibrated | None) -> Calibrated:
    if calibrated is None:
        raise ValueError("there is no calibration. Ask require_possible first.")
    return calibrated
