"""Arrays of pixels, and what may stand for them."""

from typing import Any, Protocol, TypeVar, cast

import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError


class LazyArray(Protocol):
    """Pixels that are read where they are asked for. Numpy arrays and memory maps are lazy arrays, too."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Positions along every axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""

    @property
    def ndim(self) -> int:
        """Number of axes."""

    def __getitem__(self, key: Any, /) -> Any:
        """The pixels at whole numbers, slices and ``...``, as a numpy array of their own."""

    def __array__(self) -> AnyArray:
        """All pixels."""


Given = TypeVar("Given")


def without_mask(given: Given, name: str, fill: str = "numpy.ma.median({})") -> Given:
    """Pixels none of which is masked, as a plain array; what is no masked array stays as it is.

    Args:
        given: pixels, or anything else.
        name: of the argument.
        fill: what masked pixels might become, with the name of the argument as ``{}``.

    Raises:
        ImageError: some are masked. What lies under a mask means nothing, and nothing here looks at masks.
    """
    if not isinstance(given, np.ma.MaskedArray):
        return given
    if count := int(np.count_nonzero(np.ma.getmaskarray(given))):
        raise ImageError(
            f"{name}: {count} of {given.size} pixels are masked, and what is under a mask would be used. "
            f"Crop them, or fill them: {name}.filled({fill.format(name)})."
        )
    return cast(Given, np.asarray(given))
