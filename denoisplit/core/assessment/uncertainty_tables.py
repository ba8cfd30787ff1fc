"""Tables of the predicted uncertainty for the terminal."""

from collections.abc import Iterator
from typing import Final

from rich.table import Table
from rich.text import Text

from denoisplit.core.assessment.coverage import LEVELS
from denoisplit.core.assessment.scores import Scores
from denoisplit.core.assessment.sum_errors import SumAnswer
from denoisplit.core.assessment.uncertainty import Reliability

CALIBRATED: Final = "calibrated"

INTERVALS: Final = "calibrated\nintervals"
"""Row of a calibration that gives intervals but no std."""

SHOWN_LEVEL: Final = 0.9
"""Level of the intervals of sums, which have one column."""


def uncertainty_table(scores: Scores) -> Table:
    """Table with channels down, reliability of the predicted std across, before and after calibration."""
    result = Table(
        title="Predicted against real error (calibrated: ENCE 0, coverage as in the heading)",
        caption=_caption(scores),
    )
    columns = [f"within\n{level:.0%}" for level in LEVELS] if scores.uncertainty else []
    # Name and std share a column, because a terminal of 80 columns has little room beside the numbers.
    _columns(result, "channel, std", "predicted", "real\nerror", "ENCE", *columns, first_number=1)
    intervals_of = {one.channel: one.intervals for one in scores.uncertainty}
    for channel, kind, summary, last in _summaries(scores):
        covered = {c.level: c.fraction for c in summary.coverage}
        result.add_row(
            Text(f"{channel}\n{kind}"),
            _number(summary, "rmv", summary.rmv),
            _number(summary, "rmse", summary.rmse),
            _number(summary, "ence", summary.ence, ".3f"),
            *[_number(summary, f"coverage_{level:g}", covered.get(level), ".1%") for level in LEVELS],
            end_section=last and not intervals_of[channel],
        )
        if last and intervals_of[channel]:
            covered = {c.level: c.fraction for c in intervals_of[channel]}
            shares = [_share(covered.get(level)) for level in LEVELS]
            result.add_row(INTERVALS, *[_share(None)] * 3, *shares, end_section=True)
    return result


def sharpness_table(scores: Scores) -> Table:
    """Table with channels down, scores of the predicted distribution across: the smaller, the better."""
    result = Table(
        title="How good the predicted distribution is (smaller is better)",
        caption="mean std: how sharp the prediction claims to be; good only where the coverage is right. "
        "CRPS: distance of the predicted distribution from the truth; the mean absolute error if std is 0. "
        "NLL: minus the log of the density predicted for the truth, nats per pixel.",
    )
    _columns(result, "channel", "std", "mean std (counts)", "CRPS (counts)", "NLL (nats)")
    for channel, kind, summary, last in _summaries(scores):
        result.add_row(
            Text("" if kind == CALIBRATED else channel),
            kind,
            _number(summary, "sharpness", summary.sharpness),
            _number(summary, "crps", summary.crps),
            _number(summary, "nll", summary.nll, ".3f"),
            end_section=last,
        )
    return result


def region_table(scores: Scores) -> Table:
    """Table with channels and regions down; real error of the sums and its predictions across."""
    calibrated = any(row.calibrated is not None for row in scores.regions)
    result = Table(
        title="Sums over regions: real and predicted error of the sum, counts",
        caption=f"joint: from the sums of the samples. {_CALIBRATED if calibrated else _INDEPENDENT}",
    )
    level, other = f"within\n{SHOWN_LEVEL:.0%}", "calibrated" if calibrated else "independent"
    _columns(result, "channel", "region", "regions", "real\nerror", "joint", level, other, level)
    for position, row in enumerate(scores.regions):
        before, after = scores.regions[max(position - 1, 0)], scores.regions[position + 1 : position + 2]
        result.add_row(
            Text("" if position and before.channel == row.channel else row.channel),
            Text(row.regions),
            str(row.count),
            f"{row.rmse:.4g}",
            *_answer(row.joint, row.count),
            *_answer(row.calibrated if calibrated else row.independent, row.count),
            end_section=not after or after[0].channel != row.channel,
        )
    return result


_CALIBRATED: Final = (
    "calibrated: the same, as held-out fields taught the run for regions of this size; n/a where it says "
    "nothing about them."
)
_INDEPENDENT: Final = (
    "independent: from the std of the pixels, as if neighbours did not err together; calibrated, if there is "
    "a calibration."
)


def _columns(table: Table, *headings: str, first_number: int = 2) -> None:
    for position, heading in enumerate(headings):
        number = position >= first_number
        table.add_column(heading, justify="right" if number else "left", no_wrap=position > 0)


def _summaries(scores: Scores) -> Iterator[tuple[str, str, Reliability, bool]]:
    """Yield channel, kind of std, its summary, and whether it is the last of the channel."""
    for channel in scores.uncertainty:
        yield channel.channel, "as predicted", channel.before, channel.after is None
        if channel.after is not None:
            yield channel.channel, CALIBRATED, channel.after, True


def _number(summary: Reliability, name: str, value: float | None, how: str = ".4g") -> Text:
    """Format a number, with its interval below if there is one."""
    if value is None:
        return Text("n/a", style="dim")
    shown = Text(format(value, how))
    interval = summary.bootstrap.intervals.get(name) if summary.bootstrap else None
    if interval is not None:
        shown.append(f"\n{_range(interval.low, interval.high, share=how.endswith('%'))}", style="dim")
    return shown


def _share(fraction: float | None) -> Text:
    return Text("n/a", style="dim") if fraction is None else Text(f"{fraction:.1%}")


def _range(low: float, high: float, *, share: bool) -> str:
    """Format both ends of an interval in a few digits."""
    if share:
        return f"{100 * low:.0f}-{100 * high:.0f}%"
    return f"{low:.3g}-{high:.3g}" if low >= 0 else f"{low:.3g} to {high:.3g}"


def _answer(answer: SumAnswer | None, count: int) -> tuple[str, str]:
    """Format predicted error and coverage, with the number of regions if these are not all."""
    if answer is None:
        return "n/a", "n/a"
    covered = {c.level: c.fraction for c in answer.coverage}
    shown = f"{covered[SHOWN_LEVEL]:.1%}" if SHOWN_LEVEL in covered else "n/a"
    return f"{answer.rmv:.4g}", shown if answer.regions == count else f"{shown}\n{answer.regions} regions"


def _caption(scores: Scores) -> str | None:
    found = scores.uncertainty[0].before.bootstrap if scores.uncertainty else None
    if found is None:
        return None
    return f"Below each number its {found.confidence:.0%} interval, from redrawing the {found.fields} fields."
