"""Means over blocks of images, by which fields are compared: noise and pixels that moved hardly count."""

from collections.abc import Sequence

import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array


def coarse_means(images: Sequence[AnyArray], block: int) -> Float64Array:
    """Return the block means of every image, with mean 0 and norm 1, so that products are correlations.

    Args:
        images: images of one size [y x], at least a block a side.
        block: side of a block, pixels; what is left of an image beside whole blocks does not count.

    Returns:
        [image, block]; zeros for an image without any structure.
    """
    rows, columns = (side // block for side in images[0].shape)
    stack = np.stack([image[: rows * block, : columns * block] for image in images]).astype(np.float64)
    means = stack.reshape(len(images), rows, block, columns, block).mean((2, 4)).reshape(len(images), -1)
    centred = means - means.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))
