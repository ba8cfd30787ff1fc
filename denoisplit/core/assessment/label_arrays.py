"""Arrays with a number of a region for every pixel: what values they may have, and sums over them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError


def refuse_labels(labels: AnyArray, where: str) -> None:
    """Refuse values that are no labels.

    Raises:
        ImageError: says which.
    """
    whole = labels.dtype.kind in "iub" or (labels.dtype.kind == "f" and (labels == np.floor(labels)).all())
    if not whole or labels.min() < 0:
        raise ImageError(
            f"{where}: labels must be whole numbers from 0 (got {labels.dtype}, smallest {labels.min()}). "
            f"Give a label image: 0 for no region, 1, 2, ... for the regions."
        )


def sums_over(
    index: npt.NDArray[np.signedinteger[Any]], channels: AnyArray, count: int
) -> npt.NDArray[np.float64]:
    """Sums [c regions] of an image [c (z) y x]; pixels with the number -1 are in no region."""
    flat = (index + 1).ravel()  # the pixels in no region go first, and are left out
    return np.stack(
        [
            np.bincount(flat, weights=channel.astype(np.float64).ravel(), minlength=count + 1)[1:]
            for channel in channels
        ]
    )
