"""Pictures of predictions: the samples behind a slider, then mean, spread and intervals."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from denoisplit.core.assessment.panels import window
from denoisplit.core.report.elements import Gallery, Picture, Section, Text
from denoisplit.core.report.gathered import LEVEL, Predicted
from denoisplit.core.report.plane_pictures import HEAT, colours_of, from_zero, picture, shared

_SAMPLES: Final = (
    "A posterior sample is one image that the network holds possible, given the mixed image. Move the slider "
    "(arrow keys work, too) or press Play: what stays is certain, what flickers is what the network does not "
    "know. A structure that is in all samples is as good as seen; one that comes and goes should not carry a "
    "conclusion."
)
_MAPS: Final = (
    "The mean of all samples is the best single answer. The std says how far it may be off at each pixel; "
    f"the true intensity should lie within the {LEVEL:.0%} interval at nine of ten pixels. Compare "
    "structures with these maps before you measure them: a faint feature that is no brighter than its std "
    "may not be there."
)


def about_samples(
    predicted: Sequence[Predicted], channels: Sequence[str], missing: str, drawn: int
) -> Section:
    """The gallery of samples.

    Args:
        predicted: predicted fields; none if there are no images.
        channels: names of the channels.
        missing: sentence for a report without images.
        drawn: number of samples that mean and std are from.
    """
    elements = [
        _samples(one, channels, f"samples{number}", drawn) for number, one in enumerate(predicted, start=1)
    ]
    return Section(
        name="samples",
        title="Posterior samples",
        meaning=_SAMPLES,
        elements=tuple(elements) or (Text(missing, "look"),),
    )


def about_spread(predicted: Sequence[Predicted], channels: Sequence[str], missing: str) -> Section:
    """Mean, std and intervals; arguments as for ``about_samples``."""
    elements = [_maps(one, channels, f"maps{number}") for number, one in enumerate(predicted, start=1)]
    return Section(
        name="spread",
        title="Mean, std and intervals",
        meaning=_MAPS,
        elements=tuple(elements) or (Text(missing, "look"),),
    )


def _samples(one: Predicted, channels: Sequence[str], name: str, drawn: int) -> Gallery:
    rows = []
    for number, channel in enumerate(channels):
        images = [one.mean[number], *(sample[number] for sample in one.samples)]
        truth = None if one.truth is None else one.truth[number]
        contrast, colours = shared(*images) if truth is None else window(truth), colours_of(number)
        drawn_alike, where = partial(picture, colours=colours, contrast=contrast), f"{channel} in {one.name}"
        cells = [
            _mixed(one) if number == 0 else (),
            tuple(
                drawn_alike(sample[number], f"{where}, posterior sample {count}")
                for count, sample in enumerate(one.samples, start=1)
            ),
            (drawn_alike(one.mean[number], f"{where}, mean"),),
        ]
        if truth is not None:
            cells.append((drawn_alike(truth, f"{where}, clean reference"),))
        rows.append((channel, tuple(cells)))
    shown = "Samples and mean" if one.truth is None else "Samples, mean and reference"
    columns = ("mixed (input)", "posterior sample", "mean", *(["clean reference"] * (one.truth is not None)))
    caption = f"{shown} of a channel have one contrast; the mixed image has its own."
    if len(one.samples) < drawn:
        caption += f" {len(one.samples)} of the {drawn} samples are shown."
    return Gallery(
        name=name,
        title=one.name,
        columns=columns,
        rows=tuple(rows),
        caption=caption,
        slider="posterior sample" if len(one.samples) > 1 else "",
    )


def _mixed(one: Predicted) -> tuple[Picture, ...]:
    return (picture(one.mixed, f"mixed image of {one.name}", pixel_size=one.pixel_size),)


def _maps(one: Predicted, channels: Sequence[str], name: str) -> Gallery:
    kind = "std of the samples" if one.calibrated_std is None else "expected error (calibrated std)"
    columns = ["mean"]
    if one.interval is not None:
        columns += [f"{LEVEL:.0%} interval, low", f"{LEVEL:.0%} interval, high"]
    if one.spread is not None:
        columns.append(kind)
    if one.truth is not None:
        columns.append("real error")
    rows = [(channel, tuple(_row(one, number, channel, kind))) for number, channel in enumerate(channels)]
    caption = "Mean and interval have one contrast."
    if one.truth is not None and one.spread is not None:
        caption += " So have expected and real error: they should be bright in the same places."
    return Gallery(name=name, title=one.name, columns=tuple(columns), rows=tuple(rows), caption=caption)


def _row(one: Predicted, number: int, channel: str, kind: str) -> Iterator[tuple[Picture, ...]]:
    where, mean, size = f"{channel} in {one.name}", one.mean[number], one.pixel_size
    ends = [] if one.interval is None else [end[number] for end in one.interval]
    contrast, colours = shared(mean, *ends), colours_of(number)
    yield (picture(mean, f"{where}, mean", colours=colours, contrast=contrast, pixel_size=size),)
    for end, image in zip(("lower", "upper"), ends, strict=False):
        alt = f"{where}, {end} end of the {LEVEL:.0%} interval"
        yield (picture(image, alt, colours=colours, contrast=contrast),)
    errors = [] if one.spread is None else [(kind, one.spread[number])]
    if one.truth is not None:
        errors.append(("real error", abs(mean.astype(float) - one.truth[number])))
    for what, image in errors:
        top = from_zero(*(error for _, error in errors))
        yield (picture(image, f"{where}, {what}", colours=HEAT, contrast=top),)
