"""Opening of a spec's data sets, and their fields."""

import numpy as np

from denoisplit.core.images.bases import Dataset, Field
from denoisplit.core.images.file_dataset import FileDataset
from denoisplit.core.images.image_checks import check_numbers
from denoisplit.core.registry.blame import blaming, broken
from denoisplit.core.spec.records import Chosen
from denoisplit.core.storage.image_files import installed_formats


def open_dataset(chosen: Chosen, channels: tuple[str, ...]) -> Dataset:
    """Build a data set of these channels; one that reads files gets the installed image formats.

    Raises:
        ChannelCountError: its options name another number of channels.
        PluginError: it cannot be imported or built.
    """
    known = {"formats": installed_formats()} if issubclass(chosen.component.load(), FileDataset) else {}
    dataset: Dataset = chosen.build(channels=channels, **known)
    return dataset


def fields_of(dataset: Dataset, chosen: Chosen, channels: tuple[str, ...]) -> tuple[Field, ...]:
    """Return the fields of a data set, which are what ``Field`` says but for their pixels.

    Args:
        dataset: the data set.
        chosen: the component that it was made of.
        channels: names of its channels.

    Raises:
        ImageError, ChannelCountError: see ``Dataset.fields``.
        BrokenPluginError: it fails, or gives something else.
    """
    row = chosen.component
    with blaming((row,), "gives no fields"):
        fields = tuple(dataset.fields())
    for field in fields:
        if not isinstance(field, Field):
            raise broken(row, f"its fields are no Field (got {type(field).__name__})")
        if fault := _fault(field, channels):
            raise broken(row, f"field {field.name}: {fault}")
    return fields


def _fault(field: Field, channels: tuple[str, ...]) -> str:
    """What is wrong with the images of a field, or nothing."""
    given = {kind: getattr(field, kind) for kind in ("observed", "clean", "mixed", "repeats")}
    images = {kind: image for kind, image in given.items() if image is not None}
    for kind, image in images.items():
        if not isinstance(getattr(image, "dtype", None), np.dtype):
            return f"its {kind} image is no array of NumPy or like one (got {type(image).__name__})"
        check_numbers(image.dtype, f"field {field.name}, {kind} image")
    shapes = {kind: tuple(image.shape) for kind, image in images.items()}
    shape = shapes["observed"]
    if len(shape) not in (3, 4):
        return f"its observed image has the shape {shape}, and not the axes c, (z), y, x"
    if shape[0] != len(channels):
        return f"its observed image has {shape[0]} channels (got the names {', '.join(channels)})"
    shapes["repeats"] = shapes.get("repeats", (0, *shape))[1:]
    for kind, expected in (("clean", shape), ("mixed", (1, *shape[1:])), ("repeats", shape)):
        if (found := shapes.get(kind, expected)) != expected:
            return f"its {kind} image has the shape {found}, and not {expected}"
    return ""
