"""Float64 numbers as pairs of float32: exact enough for a table or a camera, on devices without float64."""

import torch
from torch import Tensor


def split(numbers: Tensor) -> Tensor:
    """Float64 [...] as [... 2]: the nearest float32 and what its rounding left."""
    nearest = numbers.float()
    return torch.stack([nearest, (numbers - nearest.double()).float()], dim=-1)


def join(parts: Tensor, dtype: torch.dtype) -> Tensor:
    """Inverse of ``split``, in ``dtype``; as good as that dtype is."""
    return parts.to(dtype).sum(-1)
