"""An image that shows what an exported network does: its test, and its cover."""

import io
from typing import Final

import attrs
import numpy as np
import torch
from matplotlib.figure import Figure
from scipy import ndimage
from torch import Tensor

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.panels import bare, middle_plane, window
from denoisplit.core.errors import ExportError
from denoisplit.core.exporting.exported_graph import ExportedGraph
from denoisplit.core.exporting.ports import Ports

_AIM: Final = (8, 64, 64)
"""Sides of the image along z, y and x, pixels, where the network asks for no more."""

_FINEST: Final = 0.25
"""Steps of the test's noise: it compresses to an eighth, and its moments hardly change."""

_INCHES: Final = (8.0, 4.0)
_DPI: Final = 100


@attrs.frozen(kw_only=True)
class Demonstration:
    """Inputs and outputs of the network.

    Attributes:
        inputs: image [1 1 (z) y x], counts, and noise, in the order of the ports.
        outputs: what the network makes of them.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def demonstration(
    graph: ExportedGraph, ports: Ports, least: tuple[int, ...], image: AnyArray | None
) -> Demonstration:
    """Apply the network to an image.

    Args:
        graph: the network.
        ports: its inputs and outputs.
        least: smallest sides of the image, pixels.
        image: image [(z) y x] whose centre is taken, counts; None for blurred noise with the mean and the
            spread of the training images.

    Raises:
        ExportError: the image has other axes than the network, or is too small.
    """
    wanted = zip(least, _AIM[-len(least) :], ports.step, strict=True)
    sides = tuple(max(low, -(-aim // step) * step) for low, aim, step in wanted)
    mixed, *noise = ports.drawn(1, sides, seed=1)
    pixels = _simulated(mixed[0, 0].numpy(), ports) if image is None else _centre(image, sides)
    given = torch.as_tensor(np.ascontiguousarray(pixels), dtype=torch.float32)[None, None]
    inputs = (given, *((one / _FINEST).round() * _FINEST for one in noise))
    with torch.inference_mode():
        return Demonstration(inputs=inputs, outputs=graph(*inputs))


def cover(shown: Demonstration, ports: Ports) -> bytes:
    """The mixed image beside its channels, as a PNG twice as wide as high."""
    signal = shown.outputs[0][0].numpy()
    panels = [("mixed", shown.inputs[0][0, 0].numpy()), *zip(ports.channels, signal, strict=True)]
    figure = Figure(figsize=_INCHES, layout="constrained")
    for number, (title, image) in enumerate(panels, start=1):
        panel, plane = figure.add_subplot(1, len(panels), number), middle_plane(image)
        panel.imshow(plane, cmap="gray", norm=window(plane))
        panel.set_title(title)
        bare(panel)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI)
    return content.getvalue()


def _simulated(noise: AnyArray, ports: Ports) -> AnyArray:
    """Blobs of two sizes under a little noise."""
    normal = (noise - ports.statistics.mixed_mean) / ports.statistics.mixed_std
    coarse, fine = (ndimage.gaussian_filter(normal, sigma) for sigma in (4.0, 1.5))
    image = coarse / coarse.std() + fine / fine.std() + 0.3 * normal
    image = (image - image.mean()) / image.std()
    found: AnyArray = image * ports.statistics.mixed_std + ports.statistics.mixed_mean
    return found


def _centre(image: AnyArray, sides: tuple[int, ...]) -> AnyArray:
    if image.ndim != len(sides) or any(have < want for have, want in zip(image.shape, sides, strict=True)):
        raise ExportError(
            f"export: the image has other axes than the network, or is too small (got {list(image.shape)} "
            f"pixels). Give one mixed image of at least {list(sides)} pixels, or none."
        )
    starts = ((have - want) // 2 for have, want in zip(image.shape, sides, strict=True))
    return image[tuple(slice(start, start + want) for start, want in zip(starts, sides, strict=True))]
