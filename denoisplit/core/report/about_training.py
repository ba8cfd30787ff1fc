"""The section about the course of a training, from the table that every run has."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from denoisplit.core.report.elements import Chart, Element, Facts, Section, Text, Tone
from denoisplit.core.report.gathered import RunFindings
from denoisplit.core.report.inline_svg import inline_svg, tidy

STILL: Final = 0.05
"""Share of the whole fall of the loss in its last fifth, from which it counts as still falling."""

_FEWEST: Final = 5
_MEANING: Final = (
    "The loss is what training makes small: how badly the network explains the images, in nats per pixel. "
    "The training loss is that of the patches of a step, the validation loss that of held-out fields. Both "
    "fall and level off in a good training. A validation loss that rises while the other falls means that "
    "the network learns its training images by heart."
)
_LINES: Final = (
    ("train_loss", "training loss", "#0072b2"),
    ("val_loss", "validation loss", "#d55e00"),
)
_PARTS: Final = (
    ("train_distortion", "distortion: how far the channels are from the noisy images", "#0072b2"),
    ("train_rate", "rate: what the latents say about the image", "#00795a"),
)

Rows = Sequence[Mapping[str, float]]


@attrs.frozen
class Course:
    """How a training ended.

    Attributes:
        sentence: the end of the training in words.
        tone: whether to look at it.
    """

    sentence: str
    tone: Tone


def about_training(found: RunFindings) -> Section:
    """Curves of the losses, and how the training ended."""
    rows = read_rows(found.folder.metrics)
    return Section(name="training", title="The training", meaning=_MEANING, elements=tuple(_all(found, rows)))


def read_rows(path: Path) -> Rows:
    """The rows of a table of metrics whose numbers can be read; none for a table that cannot be opened."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return ()
    rows = []
    for line in lines:
        numbers = {}
        for name, text in line.items():
            try:
                numbers[name] = float(text)
            except (TypeError, ValueError):
                continue
        if "step" in numbers:
            rows.append(numbers)
    return tuple(rows)


def course(found: RunFindings, rows: Rows) -> Course:
    """How the training ended."""
    bundle = found.bundle
    kept = f"The weights of step {bundle.best_step:,} of {bundle.steps:,} were kept."
    asked = bundle.spec.training.steps
    if rows and bundle.steps < asked:
        kept += f" The training ended before the {asked:,} steps of its spec (training.stop_patience)."
    losses = [row["val_loss"] for row in rows if "val_loss" in row]
    if len(losses) < _FEWEST:
        return Course(
            f"{kept} There are too few validations to say whether the loss has levelled off.", "plain"
        )
    lowest, last = min(losses), max(1, len(losses) // 5)
    fall, late = losses[0] - lowest, losses[-1 - last] - losses[-1]
    if fall > 0 and late > STILL * fall:
        share = f"{late / fall:.0%} of its fall came in the last fifth of the steps"
        return Course(
            f"{kept} The validation loss was still falling ({share}): more steps would help.", "look"
        )
    if fall > 0 and losses[-1] - lowest > STILL * fall:
        return Course(
            f"{kept} The validation loss rose again after its lowest value: fewer steps, or more images, "
            "would do as well.",
            "look",
        )
    return Course(f"{kept} The validation loss had levelled off.", "good")


def _all(found: RunFindings, rows: Rows) -> Iterator[Element]:
    end = course(found, rows)
    yield Text(end.sentence, end.tone)
    bundle = found.bundle
    if bundle.best_loss is not None:
        yield Facts((("validation loss of these weights", f"{bundle.best_loss:.4f} nats per pixel"),))
    if len(rows) > 1:
        yield Chart(
            svg=inline_svg(_figure(found, rows), "curves", _described(rows)),
            caption="Left: the loss; the line marks the step whose weights were kept. Right: its two parts "
            "in training, each on its own scale. A rate near zero would mean that the network ignores its "
            "latents, and decodes the same for all posterior samples.",
            label="training curves",
        )
    elif not rows:
        yield Text("The table of the training (metrics.csv) is missing or empty.", "quiet")


def _described(rows: Rows) -> str:
    first, last = rows[0], rows[-1]
    told = [
        f"{label} from {first[name]:.3f} at step {first['step']:.0f} to {last[name]:.3f} at step "
        f"{last['step']:.0f}"
        for name, label, _ in _LINES
        if name in first and name in last
    ]
    return f"Curves of the losses: {'; '.join(told)}."


def _figure(found: RunFindings, rows: Rows) -> Figure:
    figure = Figure(figsize=(9.2, 3.1))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.06)
    left, right = figure.subplots(1, 2)
    for name, label, colour in _LINES:
        _line(left, rows, name, label, colour)
    left.axvline(found.bundle.best_step, color="#444444", linewidth=0.8, linestyle=":")
    tidy(left, "step", "loss (nats per pixel)")
    left.legend(fontsize=8)
    other = right.twinx()
    for axes, (name, label, colour) in zip((right, other), _PARTS, strict=True):
        _line(axes, rows, name, label, colour)
        tidy(axes, "step", f"{label.partition(':')[0]} (nats per pixel)")
        axes.yaxis.label.set_color(colour)
    other.spines["right"].set_visible(True)
    return figure


def _line(axes: Axes, rows: Rows, name: str, label: str, colour: str) -> None:
    points = [(row["step"], row[name]) for row in rows if name in row]
    if points:
        steps, values = zip(*points, strict=True)
        marker = "o" if len(points) < 30 else ""
        axes.plot(steps, values, color=colour, label=label, linewidth=1.4, marker=marker, markersize=3)
