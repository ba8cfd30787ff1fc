"""Geometry of a decoder: which features the middle of an image is made of."""

from collections.abc import Iterator
from typing import Any

import torch

from denoisplit.testing.decoding import DecoderCase, LevelNoise
from denoisplit.testing.geometry import centre_of_mass
from denoisplit.testing.strategies import random

_BORDER = 0.02
"""Largest share of a border in what a pixel is made of, for which the middle of that says where it is."""


def features_used(case: DecoderCase, level: int) -> Iterator[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Yield the place of the features of a level that a pixel is made of, and where it has to be.

    Both in sides of the features, per axis. Features cover the image ``extent`` times, centred on it. Nothing
    is yielded where what a pixel is made of reaches the border.
    """
    features = tuple(one.detach().requires_grad_() for one in case.features)
    output = case.decoder(features, LevelNoise(1)).output
    at = [n * (3 + 2 * (axis % 2)) // 8 for axis, n in enumerate(output.shape[2:])]
    weights = random(9, output.shape[1])
    (slope,) = torch.autograd.grad((output[(0, slice(None), *at)] * weights).sum(), features[level])
    used = slope[0].abs()
    away = [(a + 0.5) / n - 0.5 for a, n in zip(at, output.shape[2:], strict=True)]
    extent = case.shapes[level].extent
    inner: Any = (slice(1, -1),) * len(extent)
    if float(used[..., *inner].sum()) > (1 - _BORDER) * float(used.sum()):
        yield centre_of_mass(used, len(extent)), tuple(0.5 + u / e for u, e in zip(away, extent, strict=True))
