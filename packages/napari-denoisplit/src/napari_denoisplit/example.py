"""Held-out images: what a run was not trained on, to try it with."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from napari_denoisplit.frame import Frame
from napari_denoisplit.layer_data import PLAIN, LayerData, Part, layers
from napari_denoisplit.runs import load_run

if TYPE_CHECKING:
    from denoisplit.core.images.bases import Field
    from denoisplit.core.spec.records import ResolvedSpec


def example(folder: Path) -> list[LayerData]:
    """Layers of the first held-out image of a run: mixed, and its true channels as far as they are known.

    Raises:
        DenoisplitError: no trained run, or its images are not where they were.
    """
    from denoisplit import Run
    from denoisplit.core.training.data.prepare import evaluation_fields

    opened = load_run(folder, "cpu")
    # What comes before the splitter of a sequence sees the image first.
    spec = (opened if isinstance(opened, Run) else opened.denoiser).spec
    # As the camera gave it: a prediction takes the background off by itself.
    data = attrs.evolve(spec.data, background=type(spec.data.background)(), clip=type(spec.data.clip)())
    _, fields = evaluation_fields(attrs.evolve(spec, data=data))
    return field_layers(fields[0], spec)


def field_layers(field: "Field", spec: "ResolvedSpec") -> list[LayerData]:
    """Layers of a field of a data set: hidden channels, and the mixed image on top."""
    from denoisplit.core.images.bases import Image
    from denoisplit.core.images.mixing import mixed_image

    mixed: Any = np.asarray(mixed_image(field, spec.data.mixing))[0]
    frame = Frame.of_image(Image(data=mixed, axes="zyx"[-mixed.ndim :], pixel_size=field.pixel_size))
    known = np.asarray(field.observed if field.clean is None else field.clean)
    what = "noisy" if field.clean is None else "truth"
    names = [f"{channel} {what} ({field.name})" for channel in spec.channels]
    channels = dict(zip(names, known, strict=True))
    return mixed_and_channels(mixed, channels, frame, name=f"mixed ({field.name})")


def mixed_and_channels(mixed: Any, channels: dict[str, Any], frame: Frame, *, name: str) -> list[LayerData]:
    """Layers of a mixed image, in gray, and of what it is made of, hidden below it."""
    below = layers([Part(channel=one, kind=PLAIN, pixels=channels[one]) for one in channels], frame)
    for _, said, _ in below:
        said["visible"] = False
    return [*below, *layers([Part(channel=name, kind=PLAIN, pixels=mixed)], frame)]
