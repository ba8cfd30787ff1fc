"""The section about the images of a training."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from denoisplit.core.arrays import AnyArray, FloatArray
from denoisplit.core.images.bases import Field
from denoisplit.core.images.block_walks import picture as shown_plane
from denoisplit.core.images.derived_images import channel_of, first_of
from denoisplit.core.images.mixing import Mixing, mixed_image
from denoisplit.core.report.elements import Element, Gallery, Grid, Picture, Section, Text
from denoisplit.core.report.gathered import RunFindings
from denoisplit.core.report.plane_pictures import GRAY, colours_of, picture
from denoisplit.core.report.words import sides

THUMBNAIL: Final = 144
"""Largest side of a thumbnail, pixels."""

_MEANING: Final = (
    "The images decide what the network knows. It splits images like these, with the same structures, "
    "magnification and exposure; of others, its answers are guesses. Every thumbnail has its own contrast."
)
_PARTS: Final = {"train": "training", "validation": "held out", "test": "test"}


def about_data(found: RunFindings) -> Section:
    """Counts, sizes and intensities of the images, and thumbnails of some."""
    return Section(name="data", title="What it was trained on", meaning=_MEANING, elements=tuple(_all(found)))


def _all(found: RunFindings) -> Iterator[Element]:
    if found.looked.supervision:
        yield Text(found.looked.supervision)
    yield from _counts(found)
    yield _intensities(found)
    if found.looked.missing:
        yield Text(
            f"The images themselves could not be read, so there are no pictures: {found.looked.missing}",
            "look",
        )
    shown = [("training", field) for field in found.train] + [
        (_PARTS.get(found.looked.source, ""), field) for field in found.held_out
    ]
    if shown:
        yield _thumbnails(found, shown)


def _counts(found: RunFindings) -> Iterator[Element]:
    try:
        names = json.loads(found.folder.splits.read_bytes())
        counts = {part: len(names[part]) for part in _PARTS if names.get(part)}
    except (OSError, ValueError, TypeError):
        yield Text("The record of the fields (splits.json) could not be read.", "quiet")
        return
    examples = {"train": found.train, found.looked.source: found.held_out}
    rows = [(_PARTS[part], str(count), *_described(examples.get(part, ()))) for part, count in counts.items()]
    if found.looked.source == "test" and "test" not in counts:
        rows.append(("test", str(found.looked.fields), *_described(found.held_out)))
    yield Grid(
        caption="Fields of view: training ones taught the network, held-out ones chose its weights and its "
        "calibration, test ones served for nothing but this report.",
        columns=("fields", "count", "size", "pixel size", "besides the noisy channels"),
        rows=tuple(rows),
    )


def _described(fields: Sequence[Field]) -> tuple[str, str, str]:
    """Size, pixel size, and what there is besides the noisy channels, of fields that are alike."""
    if not fields:
        return "", "", ""
    shapes = dict.fromkeys(sides(field.observed.shape[1:]) for field in fields)
    pixel = dict.fromkeys("unknown" if f.pixel_size is None else str(f.pixel_size) for f in fields)
    more = []
    if any(field.clean is not None for field in fields):
        more.append("clean reference")
    if any(field.repeats is not None for field in fields):
        more.append("further exposures")
    if any(field.mixed is not None for field in fields):
        more.append("recorded mixed image")
    return ", ".join(shapes), ", ".join(pixel), ", ".join(more) or "nothing"


def _intensities(found: RunFindings) -> Grid:
    stats, ceiling = found.bundle.statistics, found.bundle.ceiling
    tops = ceiling or (np.inf,) * len(found.channels)
    rows = [("mixed", f"{stats.mixed_mean:.4g}", f"{stats.mixed_std:.4g}", "-")]
    rows += [
        (name, f"{mean:.4g}", f"{std:.4g}", f"{top:.4g}" if np.isfinite(top) else "none")
        for name, mean, std, top in zip(
            found.channels, stats.target_mean, stats.target_std, tops, strict=False
        )
    ]
    return Grid(
        caption="Intensities of the training images in counts, the numbers in the files. An image of another "
        "offset, gain or exposure has others, and the verdict on its prediction says so.",
        columns=("image", "mean", "std", "cut off at"),
        rows=tuple(rows),
    )


def _thumbnails(found: RunFindings, shown: Sequence[tuple[str, Field]]) -> Gallery:
    data = found.bundle.spec.data
    names = data.recorded or found.channels
    rows = [(f"{use}: {field.name}", _pictures(field, data.mixing, names)) for use, field in shown]
    return Gallery(
        name="thumbnails",
        title="Some of the images",
        columns=("mixed", *names),
        rows=tuple(rows),
        caption="The mixed image is what the network sees, the channels are what it has to find in it.",
    )


def _pictures(field: Field, mixing: Mixing, names: Sequence[str]) -> tuple[tuple[Picture, ...], ...]:
    channels = ((name, channel_of(field.observed, number)) for number, name in enumerate(names))
    cells = []
    for number, (name, image) in enumerate((("mixed", mixed_image(field, mixing)), *channels)):
        plane = shrunk(np.asarray(shown_plane(first_of(image))))
        colours = colours_of(number - 1) if number else GRAY
        cells.append((picture(plane, f"{name} image of the field {field.name}", colours=colours),))
    return tuple(cells)


def shrunk(image: AnyArray, side: int = THUMBNAIL) -> FloatArray:
    """The middle plane of an image [(z) y x], averaged over squares until its sides are at most ``side``."""
    plane = image if image.ndim == 2 else image[len(image) // 2]
    step = -(-max(plane.shape) // side)
    rows, columns = (max(1, length // step) for length in plane.shape)
    cut = plane[: rows * step, : columns * step].astype(np.float64)
    height, width = (min(step, length) for length in plane.shape)
    binned: FloatArray = cut.reshape(rows, height, columns, width).mean(axis=(1, 3))
    return binned
