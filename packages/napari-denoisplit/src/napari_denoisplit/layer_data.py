"""Layers of the images of a prediction: names, colours, contrast and order."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs
import numpy as np

from napari_denoisplit.frame import Frame

LayerData = tuple[Any, dict[str, Any], str]
"""Pixels, arguments and type of a layer, as napari takes them."""

KEY: Final = "napari-denoisplit"
"""Where the metadata of a layer says what it shows: a mapping with ``channel``, ``kind`` and ``colour``."""

COLOURS: Final = ("green", "magenta", "cyan", "yellow", "red", "blue", "gray")
"""Colour maps of the channels, in the order of denoisplit's OME-Zarr."""

MEAN: Final = "mean"
SAMPLES: Final = "samples"
SPREADS: Final = ("calibrated std", "std", "total std")
"""Kinds of images that show how sure the answer is, the most meaningful first."""

PLAIN: Final = ""
"""Kind of a channel that is no part of a prediction."""

_SPREAD_MAP: Final = "inferno"
_BOUND_MAP: Final = "viridis"
_MOST: Final = 2**20
"""Number of pixels that contrast limits are estimated from."""

_NAME: Final = re.compile(
    r"(?P<channel>.+?) (?P<kind>mean|(calibrated |total )?std|chi-square|sample \d+|quantile [\d.]+"
    r"|(calibrated )?interval [\d.]+ (low|high))"
)


@attrs.frozen(kw_only=True)
class Part:
    """One image of one channel.

    Attributes:
        channel: name of the structure; ``mixed`` for an image of the mixed image.
        kind: such as ``mean``, ``std`` or ``sample 3``; empty for a channel that is no prediction.
        pixels: array or dask array, counts.
    """

    channel: str
    kind: str
    pixels: Any = attrs.field(eq=False)

    @classmethod
    def named(cls, name: str, pixels: Any) -> "Part":
        """A part by the name that denoisplit gives to the channel of a file, such as ``actin mean``."""
        found = _NAME.fullmatch(name)
        if found is None:
            return cls(channel=name, kind=PLAIN, pixels=pixels)
        return cls(channel=found["channel"], kind=found["kind"], pixels=pixels)


def layers(parts: Iterable[Part], frame: Frame) -> list[LayerData]:
    """Layers of all parts, those that are seen first at the end, on top of the others.

    Args:
        parts: images with the axes of the frame; the samples of a channel become one layer.
        frame: their place in the world.
    """
    whole = _gathered(parts)
    channels = list(dict.fromkeys(part.channel for part in whole))
    single = len(channels) == 1
    ceiling = {part.channel: limits(part) for part in whole if part.kind == MEAN}
    found = []
    for part in sorted(whole, key=lambda one: _rank(one.kind), reverse=True):
        colour = "gray" if single else COLOURS[channels.index(part.channel) % len(COLOURS)]
        place = frame.with_samples() if part.kind == SAMPLES else frame
        said = {
            **place.arguments(),
            "name": f"{part.channel} {part.kind}".strip(),
            "blending": "additive",
            "visible": part.kind in (MEAN, PLAIN),
            "metadata": {KEY: {"channel": part.channel, "kind": part.kind, "colour": colour}},
            **_look(part, colour),
        }
        contrast = limits(part) if _is_spread(part.kind) else ceiling.get(part.channel) or limits(part)
        if contrast is not None:
            said["contrast_limits"] = contrast
        found.append((part.pixels, said, "image"))
    return found


def limits(part: Part) -> tuple[float, float] | None:
    """Contrast limits that few pixels exceed; None for pixels that are not in memory."""
    if not isinstance(part.pixels, np.ndarray):
        return None
    flat = part.pixels.reshape(-1)
    seen = flat[:: max(1, flat.size // _MOST)]
    low, high = (float(value) for value in np.quantile(seen, (0.001, 0.999)))
    if _is_spread(part.kind):
        low = 0.0
    return (low, high) if high > low else (low, low + 1.0)


def _gathered(parts: Iterable[Part]) -> list[Part]:
    """The parts with the samples of every channel stacked along a new first axis."""
    rest, samples = [], dict[str, list[Any]]()
    for part in parts:
        if part.kind.startswith("sample "):
            samples.setdefault(part.channel, []).append(part.pixels)
        else:
            rest.append(part)
    stacked = [
        Part(channel=channel, kind=SAMPLES, pixels=_stack(pixels)) for channel, pixels in samples.items()
    ]
    return rest + stacked


def _stack(pixels: Sequence[Any]) -> Any:
    if all(isinstance(one, np.ndarray) for one in pixels):
        return np.stack(pixels)
    from dask import array

    return array.stack(pixels)


def _is_spread(kind: str) -> bool:
    return kind in SPREADS or kind == "chi-square"


def _look(part: Part, colour: str) -> dict[str, Any]:
    if _is_spread(part.kind):
        return {"colormap": _SPREAD_MAP}
    bound = part.kind.startswith(("interval", "calibrated interval", "quantile"))
    return {"colormap": _BOUND_MAP if bound else colour}


def _rank(kind: str) -> int:
    """Place from the top of the list of layers."""
    order = (MEAN, PLAIN, *SPREADS, SAMPLES)
    return order.index(kind) if kind in order else len(order)
