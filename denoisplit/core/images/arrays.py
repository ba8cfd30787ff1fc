"""Arrays of pixels, and what may stand for them."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]


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
