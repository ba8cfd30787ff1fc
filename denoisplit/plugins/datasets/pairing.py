"""Fields made of images that show one channel each."""

from collections.abc import Sequence
from typing import Literal

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field, FieldFile, PixelSize
from denoisplit.core.images.derived_images import stacked
from denoisplit.core.images.lazy import LazyArray
from denoisplit.plugins.datasets.frames import Frames, channels_of

Pairing = Literal["drawn", "fixed"]
"""Whether training pairs patches of different fields anew, or keeps the pairs of the data set."""


@attrs.frozen(kw_only=True)
class Single:
    """One image of one channel.

    Attributes:
        name: file and position.
        observed: noisy image [(z) y x], counts.
        clean: reference of the same shape, if known.
        pixel_size: if known.
        files: files that it was read from.
    """

    name: str
    observed: LazyArray = attrs.field(eq=False, repr=False)
    clean: LazyArray | None = attrs.field(default=None, eq=False, repr=False)
    pixel_size: PixelSize | None = None
    files: tuple[FieldFile, ...] = ()


def singles(channel: str, observed: Frames, clean: Frames | None = None) -> list[Single]:
    """The images of one file, each with its clean reference from another file.

    Raises:
        ImageError: the files differ in their number of positions or in size.
    """
    files = (observed.file("observed", channel), *(() if clean is None else (clean.file("clean", channel),)))
    references: Sequence[LazyArray | None] = [None] * len(observed.pixels)
    if clean is not None:
        alone = len(clean.pixels) == 1  # frames of one position that share a reference
        if len(clean.pixels) != len(observed.pixels) and not alone:
            raise ImageError(
                f"{clean.path}: expected {len(observed.pixels)} images as in {observed.path.name} "
                f"(got {len(clean.pixels)}). Check the file."
            )
        references = clean.pixels * (len(observed.pixels) if alone else 1)
    made = []
    for name, pixels, reference in zip(observed.names, observed.pixels, references, strict=True):
        if reference is not None and reference.shape != pixels.shape:
            raise ImageError(
                f"{files[-1].path}: expected the shape of {name}, {pixels.shape} (got {reference.shape}). "
                f"Crop or replace it."
            )
        single = Single(
            name=name, observed=pixels, clean=reference, pixel_size=observed.pixel_size, files=files
        )
        made.append(single)
    return made


def paired(
    channels: Sequence[Sequence[Single]], names: Sequence[str], *, pairing: Pairing, seed: int | None = None
) -> tuple[Field, ...]:
    """Pair images of all channels into fields; every image serves in one field at most.

    Args:
        channels: images of every channel, any number of each; the surplus is left out.
        names: names of the channels.
        pairing: see ``Pairing``.
        seed: seed of the choice of partners; None pairs images in their order.

    Raises:
        ImageError: a channel has no image, or the partners differ in size.
    """
    for name, images in zip(names, channels, strict=True):
        if not images:
            raise ImageError(f"channel {name!r}: it has no image (got 0). Correct path or pattern.")
    count = min(len(images) for images in channels)
    ordered = [
        images
        if seed is None or not number
        else [images[i] for i in np.random.default_rng((seed, number)).permutation(len(images))]
        for number, images in enumerate(channels)
    ]
    return tuple(
        joined(own, names, separate=pairing == "drawn")
        for own in zip(*(images[:count] for images in ordered), strict=True)
    )


def joined(own: Sequence[Single], names: Sequence[str], *, separate: bool, name: str = "") -> Field:
    """Join one image per channel into a field."""
    name = name or " + ".join(single.name for single in own)
    clean = [single.clean for single in own if single.clean is not None]
    sizes = [single.pixel_size for single in own if single.pixel_size is not None]
    return Field(
        name=name,
        observed=channels_of([single.observed for single in own], names, name),
        clean=channels_of(clean, names, name) if len(clean) == len(own) else None,
        pixel_size=sizes[0] if sizes else None,
        separate=separate and len(own) > 1,
        files=tuple(file for single in own for file in single.files),
    )


def matched(
    images: Sequence[Sequence[Single]],
    mixed: Frames | None,
    channels: Sequence[str],
    *,
    where: str,
    name: str = "",
) -> list[Field]:
    """Build the fields of single-channel files: one for every position along time and depth.

    Args:
        images: images of every channel, by position.
        mixed: the recorded mixed images, if any.
        channels: their names.
        where: place that messages name.
        name: name of the field, numbered where there are several; empty takes that of its first image.

    Raises:
        ImageError: the files differ in their number of positions or in size.
    """
    counts = [len(of) for of in images] + ([len(mixed.pixels)] if mixed else [])
    if len(set(counts)) > 1:
        raise ImageError(
            f"{where}: the files of this field differ in their number of positions along time and depth "
            f"(got {', '.join(map(str, counts))}). Check them."
        )
    made = []
    for position, own in enumerate(zip(*images, strict=True)):
        numbered = name if counts[0] == 1 else f"{name} {position}"
        field = joined(own, channels, separate=False, name=numbered if name else own[0].name)
        made.append(field if mixed is None else _with_mixed(field, mixed, position))
    return made


def _with_mixed(field: Field, recorded: Frames, position: int) -> Field:
    pixels = recorded.pixels[position]
    if pixels.shape != field.observed.shape[1:]:
        raise ImageError(
            f"{recorded.path}: expected the size of the channels, {field.observed.shape[1:]} (got "
            f"{pixels.shape}). Crop or replace it."
        )
    files = (*field.files, recorded.file("mixed"))
    return attrs.evolve(field, mixed=stacked([pixels]), files=files)


def leftovers(channels: Sequence[Sequence[Single]], names: Sequence[str]) -> tuple[str, ...]:
    """Report images without a partner, and channels that differ in pixel size, a sentence each."""
    counts = {name: len(images) for name, images in zip(names, channels, strict=True)}
    least = min(counts.values())
    said = []
    if max(counts.values()) > least:
        listed = ", ".join(f"{count} of {name}" for name, count in counts.items())
        said.append(f"Every field needs an image of each channel: of {listed}, {least} of each are used.")
    sizes = {single.pixel_size for images in channels for single in images if single.pixel_size is not None}
    if len(sizes) > 1:
        listed = ", ".join(sorted(map(str, sizes)))
        said.append(f"The channels differ in pixel size: {listed}. Rescale them to the same one.")
    return tuple(said)
