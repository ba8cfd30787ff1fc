"""Geometry of the features of an encoder: how they move with the image, and which places they see."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from denoisplit.core.network.interfaces import Encoder
from denoisplit.core.network.vse import side_multiple
from denoisplit.testing.network_laws.geometry import centre_of_mass
from denoisplit.testing.strategies import random

_PLANES = 3
"""Length of an axis that the features do not have."""

_STRIDES = {2: 16, 3: 8}
"""Strides along a side of the image in which the origin of features is measured, by number of axes."""


def sides_of(encoder: Encoder, rank: int, factors: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sides of an image; axes that the features do not have get a few planes."""
    multiple = side_multiple(encoder.feature_shapes)
    spatial = tuple(f * m for f, m in zip(factors[-len(multiple) :], multiple, strict=True))
    return (_PLANES,) * (rank - len(multiple)) + spatial


def apart_when_moved(encoder: Encoder, rank: int, strides: int) -> float:
    """Return the difference of an image's central features from those of a copy moved by the total stride."""
    shapes = encoder.feature_shapes
    step = shapes[-1].stride
    sides = tuple(strides * s for s in step)
    kept = (_PLANES,) * (rank - len(step))
    here: list[Tensor] = []
    there: list[Tensor] = []
    for scale in range(encoder.input_scales):
        pitch = (1,) * len(step) if scale == 0 else shapes[scale - 1].stride
        moves = [s // p for s, p in zip(step, pitch, strict=True)]
        scene = random(scale, 1, 1, *kept, *(side + move for side, move in zip(sides, moves, strict=True)))
        for shift, crops in ((0, here), (1, there)):
            crop: Any = (slice(shift * m, shift * m + n) for n, m in zip(sides, moves, strict=True))
            crops.append(scene[..., *crop])
    with torch.no_grad():
        still, moved = encoder(torch.cat(here, dim=1)), encoder(torch.cat(there, dim=1))
    differences = []
    for one, two, shape in zip(still, moved, shapes, strict=True):
        centre = [n // 2 for n in one.shape[2:]]
        back = [c - s // t for c, s, t in zip(centre, step, shape.stride, strict=True)]
        first, second = one[(0, slice(None), *centre)], two[(0, slice(None), *back)]
        differences.append(float((first - second).abs().max()))
    return max(differences)


def reach_around(encoder: Encoder, rank: int, axis: int, strides: int) -> float:
    """Return the change of the last features along an axis with the first pixels along it, at every scale."""
    step = encoder.feature_shapes[-1].stride
    factors = tuple(strides if place == axis else 2 for place in range(len(step)))
    sides = sides_of(encoder, rank, (2,) * (rank - len(step)) + factors)
    image = random(5, 1, encoder.input_scales, *sides)
    changed = image.clone()
    first = changed.movedim(2 + rank - len(step) + axis, 0)[: step[axis]]
    first += random(6, *first.shape)
    with torch.no_grad():
        pairs = zip(encoder(image), encoder(changed), strict=True)
        return max(float((one - two).select(2 + axis, -1).abs().max()) for one, two in pairs)


def places_seen(
    encoder: Encoder, rank: int, level: int
) -> Iterator[tuple[int, tuple[float, ...], tuple[float, ...]]]:
    """Yield the place that a position of a level sees, in every scale that contains it.

    Yields:
        The scale, the centre of what the features depend on, and where it has to be: both in sides of the
        image, per axis of the features.
    """
    shapes = encoder.feature_shapes
    shape, axes = shapes[level], len(shapes[level].stride)
    sides = sides_of(encoder, rank, (_STRIDES[axes],) * rank)
    image = random(8, 1, encoder.input_scales, *sides).requires_grad_()
    feature = encoder(image)[level]
    at = [n * (3 + 2 * (axis % 2)) // 8 for axis, n in enumerate(feature.shape[2:])]
    weights = random(9, feature.shape[1])
    (slope,) = torch.autograd.grad((feature[(0, slice(None), *at)] * weights).sum(), image)
    extent = tuple(e / s for e, s in zip(shape.extent, (1,) * axes, strict=True))
    away = [(a + 0.5) / n - 0.5 for a, n in zip(at, feature.shape[2:], strict=True)]
    for scale in range(encoder.input_scales):
        pitch = (1,) * axes if scale == 0 else shapes[scale - 1].stride
        expected = tuple(0.5 + u * e / p for u, e, p in zip(away, extent, pitch, strict=True))
        seen = slope[0, scale].abs()
        if float(seen.max()) > 0 and all(0.1 < place < 0.9 for place in expected):
            yield scale, centre_of_mass(seen, axes), expected
