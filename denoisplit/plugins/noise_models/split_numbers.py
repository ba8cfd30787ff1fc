"""Float64 numbers as pairs of float32, for devices without float64; exact enough for tables and cameras."""

import torch
from torch import Tensor


def split(numbers: Tensor) -> Tensor:
    """Split float64 [...] into [... 2]: the nearest float32 and the rounding error."""
    nearest = numbers.float()
    return torch.stack([nearest, (numbers - nearest.double()).float()], dim=-1)


def join(parts: Tensor, dtype: torch.dtype) -> Tensor:
    """Invert ``split``, to the precision of ``dtype``."""
    return parts.to(dtype).sum(-1)
