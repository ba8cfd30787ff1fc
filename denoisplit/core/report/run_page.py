"""The report on a run."""

from collections.abc import Iterator
from typing import Final

from denoisplit.core.assessment.field_figures import IntervalOf
from denoisplit.core.assessment.score import counted_fields
from denoisplit.core.assessment.worth import CLEAR, USUAL_MEASURE, gains, measure
from denoisplit.core.report.about_accuracy import about_accuracy
from denoisplit.core.report.about_data import about_data
from denoisplit.core.report.about_mixture import about_mixture, misfit_of
from denoisplit.core.report.about_noise import about_noise, agrees, residuals_of
from denoisplit.core.report.about_origin import about_citing, about_origin
from denoisplit.core.report.about_samples import about_samples, about_spread
from denoisplit.core.report.about_training import about_training, course, read_rows
from denoisplit.core.report.about_uncertainty import about_uncertainty, coverages, has_none, is_right
from denoisplit.core.report.elements import Glance, Page, Tone
from denoisplit.core.report.gathered import LEVEL, RunFindings
from denoisplit.core.report.residual_words import is_white
from denoisplit.core.report.words import by_channel
from denoisplit.core.verdict.consistency import adds_up
from denoisplit.core.version import VERSION

Row = tuple[str, str, Tone]
"""Question, answer and tone."""

FOOT: Final = (
    f"Made by denoisplit {VERSION}. This page is one file: it loads nothing and sends nothing. It holds "
    "crops of your images; whoever has the page can see them."
)


def run_page(found: RunFindings, interval_of: IntervalOf | None) -> Page:
    """Arrange everything about a run on a page."""
    channels, looked = found.channels, found.looked
    missing = f"There are no pictures, because the images could not be read: {looked.missing}"
    return Page(
        title=f"{' + '.join(channels)}",
        subtitle=_subtitle(found),
        glance=Glance(tuple(_glance(found))),
        sections=(
            about_data(found),
            about_training(found),
            about_samples(found.predicted, channels, missing, looked.samples),
            about_spread(found.predicted, channels, missing),
            about_accuracy(found),
            about_uncertainty(found, interval_of),
            about_noise(found),
            about_mixture(found),
            about_origin(found.folder, found.bundle, found.device),
            about_citing(found.bundle.spec),
        ),
        foot=FOOT,
    )


def _subtitle(found: RunFindings) -> str:
    looked = found.looked
    what = f"Report on the run “{found.folder.path.name}”, {found.bundle.steps:,} training steps."
    if looked.missing:
        return f"{what} Its images are not there any more; this is what the run itself holds."
    some = counted_fields(len(found.predicted))
    of = "" if len(found.predicted) == looked.fields else f" of {looked.fields}"
    return (
        f"{what} Numbers and pictures are of {some}{of} ({looked.source}), of each the central "
        f"{looked.side} px at most, with {looked.samples} samples."
    )


def _glance(found: RunFindings) -> Iterator[Row]:
    yield _worth(found)
    yield _uncertainty(found)
    misfit = misfit_of(found)
    question = "Do the channels add up to the image?"
    if misfit is None:
        yield question, "It could not be measured.", "quiet"
    else:
        yield question, f"Chi-square {misfit:.3g}; 1 is expected.", "good" if adds_up(misfit) else "look"
    yield _noise(found)
    residual = residuals_of(found.predicted)
    if residual is not None:
        white = is_white(residual)
        told = f"Largest correlation {residual.largest:+.3f}"
        tone: Tone = "good" if white else "look"
        yield (
            "Is what is left white?",
            f"{told}: {'only noise' if white else 'more than independent noise'}.",
            tone,
        )
    end = course(found, read_rows(found.folder.metrics))
    yield "Was it trained long enough?", end.sentence, end.tone


def _worth(found: RunFindings) -> Row:
    question = "Is it better than no network?"
    known = found.bundle.reference
    measured = gains(found.scores) if found.scores is not None else {}
    stored = {} if known is None else dict(known.gains)
    gained = measured or stored
    counts = measure(found.scores) if found.scores is not None and measured else USUAL_MEASURE
    if not gained:
        return question, "Not measured: there are no clean references.", "quiet"
    told = by_channel((channel, f"{gain:+.1f} dB") for channel, gain in gained.items())
    over = "the better of two trivial answers: the mixed image, blurred or as it is"
    where = "" if measured else ", as measured after the training"
    least = min(gained.values())
    return (
        question,
        f"{told} in {counts} over {over}{where}.",
        "good" if least >= CLEAR else "look",
    )


def _uncertainty(found: RunFindings) -> Row:
    question = "Is the uncertainty right?"
    if found.scores is not None and has_none(found.scores):
        return question, "It has none: its samples are all alike.", "quiet"
    held = coverages(found.scores) if found.scores is not None else {}
    if not held:
        calibrated = "It was calibrated" if found.bundle.calibration else "It is not calibrated"
        return question, f"{calibrated}; its coverage was not measured here.", "quiet"
    told = by_channel((channel, f"{share:.0%}") for channel, share in held.items())
    right = all(is_right(share) for share in held.values())
    return (
        question,
        f"{LEVEL:.0%} intervals hold the truth at {told} of the pixels.",
        "good" if right else "look",
    )


def _noise(found: RunFindings) -> Row:
    question = "Does the noise model fit the noise?"
    correlated = [channel for channel, one in found.correlation.items() if one.notable]
    if correlated:
        return question, f"The noise of neighbouring pixels is correlated in {', '.join(correlated)}.", "look"
    if found.noise:
        told = by_channel((one.channel, f"{one.ratio:.2f}") for one in found.noise)
        right = all(agrees(one) for one in found.noise)
        return question, f"Measured over modelled noise: {told}; 1 is expected.", "good" if right else "look"
    warned = any(report.warnings for report in found.bundle.noise_reports)
    if warned:
        return question, "Its fit was doubtful.", "look"
    return (
        question,
        "Nothing was wrong with its fit." if found.bundle.noise_reports else "Not measured.",
        "quiet",
    )
