"""The section about calibration and coverage."""

from collections.abc import Iterator
from typing import Final

from denoisplit.core.assessment.coverage import LEVELS, Coverage
from denoisplit.core.assessment.field_figures import IntervalOf, error_figure
from denoisplit.core.assessment.scores import Scores
from denoisplit.core.assessment.uncertainty import Reliability
from denoisplit.core.assessment.uncertainty_figures import calibration_figure, coverage_figure, region_figure
from denoisplit.core.network.interfaces import Calibration
from denoisplit.core.report.about_accuracy import without_scores
from denoisplit.core.report.elements import Chart, Element, Facts, Grid, Section, Text
from denoisplit.core.report.gathered import LEVEL, RunFindings
from denoisplit.core.report.inline_svg import inline_svg
from denoisplit.core.report.words import by_channel, number

_MEANING: Final = (
    "A std is worth something only if the real errors are as large as it says. Calibration scales it so "
    "that they were, on held-out fields; here it is checked against the truth. Coverage is how often the "
    "truth lies within an interval: of 90 % intervals, 90 % should hold. Less means overconfident, more "
    "means too cautious. ENCE is the average relative gap between predicted and real error; 0 is perfect."
)
_CHECK: Final = (0.85, 0.95)
"""Coverage of 90 % intervals that counts as right, as for sums over regions."""


def about_uncertainty(found: RunFindings, interval_of: IntervalOf | None) -> Section:
    """Tables and diagrams of the uncertainty."""
    return Section(
        name="uncertainty",
        title="Is the uncertainty right?",
        meaning=_MEANING,
        elements=tuple(_all(found, interval_of)),
    )


def coverages(scores: Scores) -> dict[str, float]:
    """Coverage of the intervals of ``LEVEL`` by channel, after calibration if there is one."""
    found: dict[str, float] = {}
    for one in scores.uncertainty:
        kept = one.intervals or (one.before if one.after is None else one.after).coverage
        found.update((one.channel, covered.fraction) for covered in kept if covered.level == LEVEL)
    return found


def has_none(scores: Scores) -> bool:
    """Whether the samples do not spread at all, as those of a network without latents."""
    return bool(scores.uncertainty) and all(one.before.rmv == 0 for one in scores.uncertainty)


def is_right(coverage: float) -> bool:
    """Whether a coverage of the intervals of ``LEVEL`` is about what it should be."""
    low, high = _CHECK
    return low <= coverage <= high


def _all(found: RunFindings, interval_of: IntervalOf | None) -> Iterator[Element]:
    scores = found.scores
    yield Facts(tuple(_calibration(found)))
    if scores is None:
        yield Text(without_scores(found), "look" if found.looked.missing else "quiet")
        return
    if has_none(scores):
        yield Text("All samples of this network are alike: it gives one answer, and no uncertainty.", "quiet")
        return
    held = coverages(scores)
    if held:
        told = by_channel((name, f"{share:.1%}") for name, share in held.items())
        right = all(is_right(share) for share in held.values())
        yield Text(f"Of the {LEVEL:.0%} intervals, {told} hold the truth.", "good" if right else "look")
    if scores.uncertainty:
        yield _table(scores)
        covered = f"Coverage of {LEVEL:.0%} intervals: {told}." if held else "Coverage of the intervals."
        curves = " ".join(
            f"{one.channel}: ENCE {one.before.ence:.2f} as predicted"
            + ("." if one.after is None else f", {one.after.ence:.2f} calibrated.")
            for one in scores.uncertainty
        )
        yield Chart(
            svg=inline_svg(
                calibration_figure(scores), "calibration", f"Real against predicted error. {curves}"
            ),
            caption="Pixels sorted by their predicted error, in bins. On the dashed line, the real error of "
            "a bin "
            "is the predicted one; above it, the network is overconfident. Below: where the pixels are.",
            label="calibration curves",
        )
        yield Chart(
            svg=inline_svg(coverage_figure(scores), "coverage", f"Coverage against probability. {covered}"),
            caption="How many of the pixels have their truth within the interval, for intervals of several "
            "probabilities. On the dashed line they hold as often as they promise.",
            label="coverage",
        )
        errors = error_figure(found.evaluated, scores.channels, interval_of)
        if errors is not None:
            alt = "Absolute error of every pixel against its predicted std, as a two-dimensional histogram."
            yield Chart(
                svg=inline_svg(errors, "errors", alt),
                caption="Every pixel by its predicted std and its error. The cloud should widen to the "
                "right: errors are large only where the network says so.",
                label="errors and std",
            )
    if scores.regions:
        yield Chart(
            svg=inline_svg(
                region_figure(scores), "regions", "Real over predicted error of sums, by region size."
            ),
            caption="For measurements such as the total intensity of a cell: neighbouring pixels err "
            "together, so the error of a sum is larger than pixels by themselves suggest. 'denoisplit "
            "predict --labels' gives calibrated intervals of such sums.",
            label="errors of sums",
        )
    yield from (Text(note, "quiet") for note in scores.notes)


def _calibration(found: RunFindings) -> Iterator[tuple[str, str]]:
    """What the run's calibration is made of; stored with the run."""
    bundle = found.bundle
    for what, known in (
        ("of pixels", bundle.calibration),
        ("of sums over regions", bundle.region_calibration),
    ):
        yield f"calibration {what}", "none" if known is None else _told(known)


def _told(known: Calibration) -> str:
    factors = known.parameters.get("factor", ())
    shown = f"; factor {', '.join(f'{value:.3g}' for value in factors)}" if factors else ""
    return f"{known.component}, from {known.origin}{shown}"


def _table(scores: Scores) -> Grid:
    return Grid(
        caption="Predicted and real error (root mean squares, counts), and how often the truth lies within "
        "the intervals.",
        columns=(
            "channel, std",
            "predicted",
            "real error",
            "ENCE",
            *(f"within {level:.0%}" for level in LEVELS),
        ),
        rows=tuple(_rows(scores)),
    )


def _rows(scores: Scores) -> Iterator[tuple[str, ...]]:
    for one in scores.uncertainty:
        yield _row(f"{one.channel}, as predicted", one.before)
        if one.after is not None:
            yield _row(f"{one.channel}, calibrated", one.after)
        if one.intervals:
            yield (f"{one.channel}, calibrated intervals", *["n/a"] * 3, *_shares(one.intervals))


def _row(name: str, found: Reliability) -> tuple[str, ...]:
    return (name, number(found.rmv), number(found.rmse), number(found.ence, ".3f"), *_shares(found.coverage))


def _shares(coverage: tuple[Coverage, ...]) -> tuple[str, ...]:
    known = {one.level: one.fraction for one in coverage}
    return tuple(number(known.get(level), ".1%") for level in LEVELS)
