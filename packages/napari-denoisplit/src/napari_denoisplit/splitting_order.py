"""One prediction: what to split, how, and the layers of the result."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from napari_denoisplit.frame import Frame
from napari_denoisplit.layer_data import LayerData, Part, layers
from napari_denoisplit.runs import load_run

if TYPE_CHECKING:
    from denoisplit import Prediction
    from denoisplit.core.prediction.progress import Progress


@attrs.frozen(kw_only=True)
class Order:
    """A prediction to make.

    Attributes:
        run: folder of the trained run.
        pixels: array of the image, any type that NumPy takes, counts.
        frame: axes, sizes and place of the image.
        source: name of the image.
        samples: number of posterior samples.
        output: words of further images, such as ``samples``; mean and std are always there.
        device: where to compute: ``auto``, ``cpu``, ``cuda``, ``mps``.
    """

    run: Path
    pixels: Any = attrs.field(eq=False, repr=False)
    frame: Frame
    source: str
    samples: int
    output: tuple[str, ...] = ()
    device: str = "auto"


@attrs.frozen(kw_only=True)
class Split:
    """What a prediction gave.

    Attributes:
        layers: its layers.
        says: verdict on the image, one sentence.
    """

    layers: list[LayerData] = attrs.field(repr=False)
    says: str


def split(order: Order, progress: "Progress") -> Split:
    """Make a prediction.

    Args:
        order: what to predict.
        progress: called with (done, total) after every sample of every tile; what it raises stops the work.

    Raises:
        DenoisplitError: the run or the image cannot be used; the message says why.
    """
    from denoisplit.core.images.axes import parse_axes
    from denoisplit.core.images.bases import Image

    axes = parse_axes(order.frame.axes, tuple(order.pixels.shape), order.source)
    run = load_run(order.run, order.device)
    image = Image(
        data=np.asarray(order.pixels), axes=axes, pixel_size=order.frame.pixel_size(), source=order.source
    )
    found = run.predict(image, samples=order.samples, output=("mean", *order.output), progress=progress)
    return Split(layers=prediction_layers(found, order.frame), says=str(found.verdict))


def prediction_layers(prediction: "Prediction", frame: Frame) -> list[LayerData]:
    """Layers of a prediction, with the order of axes and the place of the image that it was made from."""
    place = prediction.axes.index("c")
    left = prediction.axes.replace("c", "")
    wanted = frame.without("c")
    order = [left.index(axis) for axis in wanted.axes]
    parts = []
    for kind, pixels in {**prediction.usual, **prediction.images}.items():
        for number, channel in enumerate(prediction.channel_names):
            one = np.take(pixels, number, axis=place).transpose(order)
            parts.append(Part(channel=channel, kind=kind, pixels=one))
    return layers(parts, wanted)
