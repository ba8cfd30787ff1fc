"""Scores as tables for the terminal."""

from rich.table import Table
from rich.text import Text

from denoisplit.core.assessment.baselines import BLUR_SIGMAS
from denoisplit.core.assessment.catalogue import NamedMetric
from denoisplit.core.assessment.score import BLURRED, METHODS, SHARE, Score, counted_fields
from denoisplit.core.assessment.scores import Scores

_BLURS = f"best Gaussian blur of {', '.join(f'{sigma:g}' for sigma in BLUR_SIGMAS)} px"


def table(scores: Scores) -> Table:
    """Table with channels and metrics down, methods across; the best score of each row is bold."""
    fields = scores.scores[0].fields
    notes = [f"{BLURRED}: {_BLURS}.", f"{SHARE}: untreated."]
    if "range_invariant_psnr" in {metric.name for metric in scores.metrics}:
        notes.insert(0, "RI-PSNR: PSNR after the best scale and offset.")
    result = Table(
        title=f"Scores against the truth, mean ± standard error over {counted_fields(fields)}",
        caption=" ".join(notes),
    )
    result.add_column("channel")
    result.add_column("metric")
    for method in METHODS:
        result.add_column(method, justify="right")
    for channel in scores.channels:
        for position, metric in enumerate(scores.metrics):
            row = [scores.of(channel, metric.name, method) for method in METHODS]
            better = max if metric.larger_is_better else min
            best = better((score.mean for score in row if score.mean is not None), default=None)
            result.add_row(
                Text(channel if position == 0 else ""),
                metric.words,
                *[_cell(score, metric, best=best) for score in row],
                end_section=position == len(scores.metrics) - 1,
            )
    return result


def _cell(score: Score, metric: NamedMetric, *, best: float | None) -> Text:
    if score.mean is None:
        return Text(score.words(metric), style="dim")
    return Text(score.words(metric), style="bold" if score.mean == best else "")
