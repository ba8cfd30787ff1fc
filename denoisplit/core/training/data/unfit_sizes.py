"""Fields whose axes or sides do not fit the network or its patches."""

from collections.abc import Sequence

from denoisplit.core.images.bases import Field
from denoisplit.core.network.composer import patch_sides
from denoisplit.core.spec.records import ResolvedSpec


def misshapen(spec: ResolvedSpec, fields: Sequence[Field]) -> list[str]:
    """Return a sentence on fields whose number of axes is not that of the network, if there are any."""
    count = spec.model.dimensions
    other = [field for field in fields if field.observed.ndim - 1 != count]
    if not other:
        return []
    got = other[0].observed.shape[1:]
    told = f"{_first_of(other)}: a {count}D model needs {count} spatial axes (got shape {got})."
    return [f"{told} Set model.dimensions, or dimensions of the data set."]


def too_small(spec: ResolvedSpec, fields: Sequence[Field]) -> list[str]:
    """Return a sentence on fields that are smaller than a patch, if there are any."""
    patch = patch_sides(spec.training.patch, spec.model.dimensions)
    small = [
        field
        for field in fields
        if field.observed.ndim - 1 == len(patch)
        and any(s < p for s, p in zip(field.observed.shape[1:], patch, strict=True))
    ]
    if not small:
        return []
    least = _largest_patch(patch, [field.observed.shape[1:] for field in small])
    got = small[0].observed.shape[1:]
    told = f"{_first_of(small)}: smaller than a patch of {patch} pixels (got {got})."
    return [f"{told} Lower training.patch to {least} or less, or leave such fields out."]


def _largest_patch(patch: tuple[int, ...], shapes: Sequence[tuple[int, ...]]) -> int | list[int]:
    """Return the largest patch of all of these images: one side, or several for flat stacks."""
    plane = min(*patch[-2:], *(side for shape in shapes for side in shape[-2:]))
    stack = [min(sides) for sides in zip(patch[:-2], *(shape[:-2] for shape in shapes), strict=True)]
    return plane if all(side == plane for side in stack) else [*stack, plane, plane]


def _first_of(fields: Sequence[Field]) -> str:
    others = len(fields) - 1
    return f"field {fields[0].name!r}" + (f" and {others} more" if others else "")
