"""Geometry of a decoder: which features the middle of an image is made of, and its end."""

from collections.abc import Iterator
from typing import Any

import torch

from denoisplit.testing.network_laws.decoding import DecoderCase, LevelNoise, decoder_case
from denoisplit.testing.network_laws.geometry import centre_of_mass
from denoisplit.testing.strategies import random

_BORDER = 0.02
"""Largest share of a border in what a pixel is made of, for which the middle of that says where it is."""


def features_used(case: DecoderCase) -> Iterator[tuple[int, tuple[float, ...], tuple[float, ...]]]:
    """Yield levels, with the place of their features that a pixel is made of, and where it has to be.

    Both in sides of the features, per axis. Features cover the image ``extent`` times, centred on it. Levels
    are left out where what a pixel is made of reaches the border.
    """
    features = tuple(one.detach().requires_grad_() for one in case.features)
    output = case.decoder(features, LevelNoise(1)).output
    at = [n * (3 + 2 * (axis % 2)) // 8 for axis, n in enumerate(output.shape[2:])]
    weights = random(9, output.shape[1])
    slopes = torch.autograd.grad((output[(0, slice(None), *at)] * weights).sum(), features)
    away = [(a + 0.5) / n - 0.5 for a, n in zip(at, output.shape[2:], strict=True)]
    for level, (slope, shape) in enumerate(zip(slopes, case.shapes, strict=True)):
        used, axes = slope[0].abs(), len(shape.extent)
        inner: Any = (slice(1, -1),) * axes
        if float(used[..., *inner].sum()) > (1 - _BORDER) * float(used.sum()):
            expected = tuple(0.5 + u / e for u, e in zip(away, shape.extent, strict=True))
            yield level, centre_of_mass(used, axes), expected


def reach_around(small: DecoderCase, axis: int, strides: int) -> float:
    """Return the change of the last pixels along an axis with the first features along it, of every level."""
    patches = tuple(strides if place == axis else 1 for place in range(len(small.image)))
    case = decoder_case(small.new, small.shapes, patches=patches)
    changed = tuple(one.clone() for one in case.features)
    for one, shape in zip(changed, case.shapes, strict=True):
        first = one.movedim(2 + axis, 0)[: case.shapes[-1].stride[axis] // shape.stride[axis]]
        first += random(6, *first.shape)
    before, after = (case.decode(LevelNoise(1), features).output for features in (case.features, changed))
    return float((before - after).select(2 + axis, -1).abs().max())
