"""How target channels are superimposed into the one mixed image that is to be split."""

from typing import Any, Literal, TypeVar

import attrs
import numpy as np
import numpy.typing as npt
from attrs.validators import in_

Floating = TypeVar("Floating", bound=np.floating[Any])


@attrs.frozen(kw_only=True)
class Mixing:
    """How the mixed image is made from the target channels.

    Attributes:
        mode: ``mean`` (the reference) or ``sum`` of the channels.
        offset: camera offset in counts that every channel carries; a sum keeps it once.
    """

    mode: Literal["mean", "sum"] = attrs.field(default="mean", validator=in_(("mean", "sum")))
    offset: float = 0.0


def mix(channels: npt.NDArray[Floating], mixing: Mixing, *, axis: int) -> npt.NDArray[Floating]:
    """Superimpose channels; the channel axis stays, with length 1.

    Args:
        channels: [c (z) y x] with ``axis=0`` or [b c (z) y x] with ``axis=1``, counts.
        mixing: mean, or sum with the camera offset kept once.
        axis: the channel axis.

    Returns:
        [1 (z) y x] or [b 1 (z) y x], counts, in the dtype of ``channels``.
    Source: Ashesh & Jug, ECCV 2024, section 3; method section 5.6 with equal weights.
    """
    mixed: npt.NDArray[Floating] = channels.sum(axis=axis, keepdims=True, dtype=channels.dtype)
    if mixing.mode == "mean":
        mixed /= channels.shape[axis]
    else:
        mixed -= (channels.shape[axis] - 1) * mixing.offset
    return mixed
