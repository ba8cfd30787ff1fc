"""Words of ``--output``: what they stand for, and whether a run can give it."""

from collections.abc import Sequence
from typing import Final

from denoisplit.core.errors import CalibrationError, SpecError
from denoisplit.core.given import texts_of
from denoisplit.core.images.channel_names import MIXED
from denoisplit.core.prediction.outputs.offers import CHI_SQUARE, OFFERS, Calibrated, Output
from denoisplit.core.prediction.samples.summaries import Quantiles, Summary

DEFAULT: Final = ("mean", "std", "calibrated_std")
"""What a prediction gives unless told otherwise, as far as the run allows."""


def parse_outputs(words: str | Sequence[str]) -> tuple[Output, ...]:
    """Parse output words, each at most once; every word may be a list with commas.

    Raises:
        ArgumentError: no words.
        SpecError: an unknown word, or a level that is missing, superfluous, or not between 0 and 1.
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
        raise SpecError(
            f"prediction.output: too few posterior samples: {each} (got {samples}). "
            f"Use {needed} or more (--samples {needed}), or leave {'it' if len(short) == 1 else 'them'} out."
        )
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
    """Channel names of an image: those of the prediction, or ``mixed`` for an image of the mixed image."""
    return (MIXED,) if image == CHI_SQUARE else channels


def summaries_of(outputs: Sequence[Output]) -> tuple[Summary, ...]:
    """The summaries that outputs need; one summary keeps and sorts the samples for all quantiles."""
    found = dict.fromkeys(summary for output in outputs for summary in output.summaries)
    levels = sorted({level for output in outputs for level in output.quantiles})
    return (*found, Quantiles(tuple(levels))) if levels else tuple(found)


def default_outputs(*, samples: int, calibrated: Calibrated | None) -> tuple[Output, ...]:
    """The outputs of ``DEFAULT`` that are possible."""
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
    raise SpecError(
        f"prediction.output: no such image (got {text!r}). Use {plain}, or {with_level} with a level "
        f"between 0 and 1, as in interval=0.9."
    )


def _probability(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < 1 else None
