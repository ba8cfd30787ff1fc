"""Mutants of the data sets that read folders."""

from typing import Any

import attrs
import numpy as np
import torch

from denoisplit.core.images.bases import Field
from denoisplit.core.images.lazy import is_lazy
from tests.testing.mutants import Mutant, after, around

SPLITS = "no_field_is_in_two_splits"
AGAIN = "reading_twice_gives_the_same_fields"
CHANNELS = "fields_have_the_named_channels"
FORMATS = "images_may_be_in_a_format_of_another_package"
PIECES = "fields_read_piece_by_piece_are_those_in_memory"
CLEAN = "clean_references_are_what_the_noise_was_added_to"


def changed(change: Any) -> Any:
    return after(lambda fields: tuple(change(field) for field in fields))


def twice(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    return (*fields, attrs.evolve(fields[0], name="again"))


def by_chance(field: Field) -> Field:
    return attrs.evolve(field, observed=field.observed[...] * np.float32(torch.rand(()).item()))


def one_channel(field: Field) -> Field:
    return attrs.evolve(field, observed=field.observed[:1])


def other_counts(field: Field) -> Field:
    return attrs.evolve(field, clean=None if field.clean is None else 1.2 * field.clean[...])


def exchanged(field: Field) -> Field:
    return attrs.evolve(field, clean=None if field.clean is None else field.clean[::-1])


def first_formats(old: Any) -> Any:
    def only(self: Any, *args: Any, formats: Any, **kwargs: Any) -> None:
        old(self, *args, formats=formats[:-1], **kwargs)

    return only


def dataset_mutants(name: str, cls: str, *, clean: bool) -> tuple[Mutant, ...]:
    """Changes that fit every data set; ``clean`` where its layout has clean references."""
    fields, component = f"datasets.{cls}.fields", f"dataset/{name}"
    common = (
        Mutant(component, "a field twice", fields, after(twice), SPLITS),
        Mutant(component, "scale by chance", fields, changed(by_chance), AGAIN),
        Mutant(component, "dropped channel", fields, changed(one_channel), CHANNELS),
        Mutant(component, "dropped format", f"datasets.{cls}.__init__", first_formats, FORMATS),
    )
    references = (
        Mutant(component, "scale of the reference", fields, changed(other_counts), CLEAN),
        Mutant(component, "order of references", fields, changed(exchanged), CLEAN),
    )
    return (*common, *(references if clean else ()))


def last_first(old: Any, images: Any, *rest: Any) -> Any:
    """Reverses what is not in memory."""
    return old(images[::-1] if is_lazy(images[0]) else images, *rest)


def first_alone(old: Any, images: Any) -> Any:
    return images[0] if is_lazy(images[0]) else old(images)


def read_at_once(old: Any, self: Any, planes: Any) -> Any:
    return (np.array(array) for array in old(self, planes))


DATASET_MUTANTS = (
    *(
        Mutant(
            f"dataset/{name}",
            "read at once",
            "datasets.reading:ImageFiles.arrays",
            around(read_at_once),
            PIECES,
        )
        for name in ("folder", "channel_files", "separate_channels", "manifest", "biosr", "hagen", "w2s")
    ),
    Mutant(
        "dataset/channel_files",
        "order of channels",
        "datasets.pairing:channels_of",
        around(last_first),
        PIECES,
    ),
    Mutant("dataset/w2s", "dropped exposures", "datasets.w2s:mean_image", around(first_alone), PIECES),
    Mutant("dataset/folder", "dropped format", "datasets.folder:Folder.__init__", first_formats, FORMATS),
    *dataset_mutants("channel_files", "single_channels:ChannelFiles", clean=False),
    *dataset_mutants("separate_channels", "single_channels:SeparateChannels", clean=False),
    *dataset_mutants("manifest", "manifest:Manifest", clean=True),
    *dataset_mutants("biosr", "biosr:BioSR", clean=False),
    *dataset_mutants("hagen", "hagen:Hagen", clean=True),
    *dataset_mutants("w2s", "w2s:W2S", clean=True),
)
