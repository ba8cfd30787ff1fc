"""The section about how close predictions are to the truth."""

from collections.abc import Iterator
from typing import Final

from denoisplit.core.assessment.score import METHODS, SPLIT, counted_fields
from denoisplit.core.assessment.scores import Scores
from denoisplit.core.assessment.worth import USUAL_MEASURE, gains, measure, sentence
from denoisplit.core.report.elements import Element, Grid, Section, Text
from denoisplit.core.report.gathered import RunFindings

_MEANING: Final = (
    "Scores against the clean reference, beside two answers that need no network: the mixed image itself, "
    "and the mixed image after the best Gaussian blur. PSNR is in decibels (3 dB more is half the squared "
    "error); RI-PSNR, the range-invariant PSNR, is that after the best brightness and contrast; SSIM and "
    "MS-SSIM compare structures and are 1 for a perfect match. A network that does not clearly beat both is "
    "not worth using."
)


def about_accuracy(found: RunFindings) -> Section:
    """The table of scores."""
    return Section(
        name="accuracy", title="How close to the truth", meaning=_MEANING, elements=tuple(_all(found))
    )


def _all(found: RunFindings) -> Iterator[Element]:
    scores, looked = found.scores, found.looked
    if scores is None:
        yield Text(without_scores(found), "look" if looked.missing else "quiet")
        known = found.bundle.reference
        if known is not None and known.gains:
            yield Text(
                f"After the training, on held-out fields: {sentence(known.gains, USUAL_MEASURE)}", "plain"
            )
        return
    if worth := sentence(gains(scores), measure(scores)):
        yield Text(worth, "good" if min(gains(scores).values()) > 0 else "look")
    yield Grid(
        caption=f"Mean ± standard error over {counted_fields(scores.scores[0].fields)} ({looked.source}), of "
        f"each the central {looked.side} px at most, {looked.samples} samples. 'denoisplit evaluate "
        f"{found.folder.path}' scores all of them in full.",
        columns=("channel, score", *("this network" if name == SPLIT else name for name in METHODS)),
        rows=tuple(_rows(scores)),
    )
    yield from (Text(one, "look" if one.startswith("WARNING") else "quiet") for one in looked.seen)


def without_scores(found: RunFindings) -> str:
    """Why there are no scores."""
    if found.looked.missing:
        return f"The images could not be read, so nothing could be scored: {found.looked.missing}"
    return "The images have no clean reference, so there is nothing to score against."


def _rows(scores: Scores) -> Iterator[tuple[str, ...]]:
    for channel in scores.channels:
        for metric in scores.metrics:
            cells = [scores.of(channel, metric.name, method).words(metric) for method in METHODS]
            yield (f"{channel}, {metric.words}", *cells)
