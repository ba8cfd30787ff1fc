"""What is refused at the door, one clear line each."""

from collections.abc import Sequence

import numpy as np

from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.interfaces import AnyArray, Field


def check_pixels(data: AnyArray, where: str) -> None:
    """Refuse pixels that no model can use.

    Args:
        data: any shape.
        where: what the message is about, usually a file name and channel.

    Raises:
        ImageError: complex or non-numeric pixels, fewer than two pixels, NaN or infinite values, or a
            constant image.
    """
    if data.dtype.kind not in "uif":
        raise ImageError(
            f"{where}: pixels must be real numbers (got {data.dtype}). "
            f"Save intensities as integers or floats."
        )
    if data.size < 2:
        raise ImageError(
            f"{where}: an image needs more than one pixel (got shape {data.shape}). Check the file."
        )
    check_finite(data, where)
    if data.min() == data.max():
        raise ImageError(
            f"{where}: all pixels are equal (got {data.flat[0]}). Remove this image, it holds no structure."
        )


def check_finite(data: AnyArray, where: str) -> None:
    """Refuse NaN and infinite values.

    Raises:
        ImageError: says how many there are and where the first one is.
    """
    if data.dtype.kind != "f":
        return
    bad = ~np.isfinite(data)
    if count := int(np.count_nonzero(bad)):
        first = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))
        raise ImageError(
            f"{where}: {count} of {data.size} pixels are NaN or infinite (got {data[first]} at {first}). "
            f"Replace or crop them."
        )


def check_fields(fields: Sequence[Field]) -> None:
    """Refuse NaN and infinite values in any image of a field, whatever data set it comes from.

    Raises:
        ImageError: says which field and image, how many there are and where the first one is.
    """
    for field in fields:
        for kind in ("observed", "clean", "mixed", "repeats"):
            image: AnyArray | None = getattr(field, kind)
            if image is not None:
                check_finite(image, f"field {field.name}, {kind} image")


def check_channels(found: int, expected: int, where: str, advice: str) -> None:
    """Refuse another number of channels than expected.

    Raises:
        ChannelCountError: ``found`` is not ``expected``; the message ends with ``advice``.
    """
    if found != expected:
        raise ChannelCountError(
            f"{where}: expected {expected} channel{'s' * (expected != 1)} (got {found}). {advice}"
        )
