"""The eight orientations of a patch in (y, x)."""

from typing import Final

import numpy as np

from denoisplit.core.arrays import Float32Array

TURNS: Final = 8


def turned(crop: Float32Array, turn: int) -> Float32Array:
    """Turn a patch [k (z) y x] by quarter turns in (y, x), and mirror it along x for odd numbers.

    A patch that is not square gets half turns only.
    """
    quarters, mirrored = divmod(turn, 2)
    if crop.shape[-1] != crop.shape[-2]:
        quarters -= quarters % 2
    # A compact copy first: turning a window of a large image in place jumps through memory.
    result = np.rot90(crop.copy(), quarters, axes=(-2, -1))
    return result[..., ::-1] if mirrored else result
