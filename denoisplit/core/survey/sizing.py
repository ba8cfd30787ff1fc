"""Choice of patch, batch and network to suit the images and the machine."""

from typing import Final

import attrs

from denoisplit.core.errors import ImageError
from denoisplit.core.survey.findings import Facts, Machine

BINNINGS: Final = (4, 2, 1)
"""Binnings to try, from the coarsest to none."""

_BYTES_PER_POSITION: Final = 420
"""Memory of a training step per position of the network's finest maps and unit of width."""

_STEPS: Final = 5000
_STEPS_GPU: Final = 20000
_PATCH: Final = 64
_LEAST_LEVELS: Final = 2


@attrs.frozen(kw_only=True)
class Size:
    """Size of network and training.

    Attributes:
        binning: pixels per position of the finest maps.
        levels: levels of the network.
        width: feature channels of the encoder, and latent channels.
        patch: side of a patch, pixels.
        batch: patches per step.
        steps: training steps.
        finest: finest detail above the noise, cycles per pixel.
        memory: bytes that a step needs.
        shrunk: whether the images are too small for the usual patch.
    """

    binning: int
    levels: int
    width: int
    patch: int
    batch: int
    steps: int
    finest: float
    memory: int
    shrunk: bool


def choose_size(side: int, facts: Facts, machine: Machine) -> Size:
    """Choose sizes that worked on real images, reduced to fit image and memory.

    Args:
        side: shortest side of all training images, pixels.
        facts: measurements of the images.
        machine: machine to train on.

    Raises:
        ImageError: the images are too small for any network.
    """
    finest = max(channel.finest for channel in facts.channels)
    wanted = next((b for b in BINNINGS if 0.5 / b >= finest), 1)
    binning, levels = wanted, 4 if wanted > 1 else 3
    while 2 * _stride(binning, levels) > side:
        if levels > _LEAST_LEVELS:
            levels -= 1
        elif binning > 1:
            binning //= 2
        else:
            raise ImageError(
                f"images: too small to learn from (got a side of {side} pixels, {2 * _stride(1, levels)} are "
                f"needed). Give whole fields of view, not crops."
            )
    stride = _stride(binning, levels)
    patch = min(_PATCH * binning, side // stride * stride)
    width, batch = (64, 16) if machine.gpu else (32, 8)
    while batch > 1 and _memory(batch, patch, binning, width) > machine.memory:
        batch //= 2
    while width > 8 and _memory(batch, patch, binning, width) > machine.memory:
        width //= 2
    return Size(
        binning=binning,
        levels=levels,
        width=width,
        patch=patch,
        batch=batch,
        steps=_STEPS_GPU if machine.gpu else _STEPS,
        finest=finest,
        memory=_memory(batch, patch, binning, width),
        shrunk=patch < _PATCH * binning,
    )


def _stride(binning: int, levels: int) -> int:
    """Return the pixels per position of the coarsest maps."""
    return int(binning * 2**levels)


def _memory(batch: int, patch: int, binning: int, width: int) -> int:
    return batch * (patch // binning) ** 2 * width * _BYTES_PER_POSITION
