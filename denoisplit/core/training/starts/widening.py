"""Weights of a narrower network for a wider one, which then gives the same images."""

from collections.abc import Mapping
from typing import Final

import attrs
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

_LAYERS: Final = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED: Final = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def widened(theirs: Mapping[str, Tensor], network: nn.Module, *, fixed_rows: str) -> dict[str, Tensor]:
    """Put every feature of a narrower network several times into a wider one, where the numbers allow it.

    A layer that reads copies of a feature divides its weight among them, so that their sum stays. Their
    shares differ by what was drawn for the wider network, or copies would never learn anything of their own.

    Args:
        theirs: weights of the narrower network, by name.
        network: the wider one, with the weights that were drawn for it.
        fixed_rows: beginning of the names of weights whose outputs are no features; their number stays.

    Returns:
        ``theirs``, in which all that can be widened has the shapes of the wider network.
    Source: Chen et al., ICLR 2016.
    """
    plans = _plans(theirs, network, fixed_rows)
    # Features of several widths that are joined grow by another number, and would be cut in the wrong places.
    known = {1} | {plan.rows for plan in plans.values() if plan.inputs is not None}
    fitting = {name: plan for name, plan in plans.items() if {plan.rows, plan.columns} <= known}
    return {name: fitting[name].of(one) if name in fitting else one for name, one in theirs.items()}


@attrs.frozen(kw_only=True)
class _Plan:
    """How a weight becomes wider.

    Attributes:
        drawn: the weight that was drawn for the wider network.
        rows: copies of every output.
        columns: copies of every input.
        inputs: axis of the inputs, of which a layer takes the sum; None if it does not.
    """

    drawn: Tensor
    rows: int
    columns: int
    inputs: int | None

    def of(self, theirs: Tensor) -> Tensor:
        """Return a narrower weight in the shape of the wider one."""
        for axis, (more, less) in enumerate(zip(self.drawn.shape, theirs.shape, strict=True)):
            theirs = theirs.repeat_interleave(more // less, dim=axis)
        if self.inputs is None or self.columns == 1:
            return theirs
        drawn = self.drawn.detach().transpose(0, self.inputs)
        apart = drawn.reshape(-1, self.columns, *drawn.shape[1:])
        apart = (apart - apart.mean(1, keepdim=True)).reshape(drawn.shape).transpose(0, self.inputs)
        return theirs.to(apart) / self.columns + apart


def _plans(theirs: Mapping[str, Tensor], network: nn.Module, fixed_rows: str) -> dict[str, _Plan]:
    found = {}
    for prefix, layer in network.named_modules(remove_duplicate=False):
        own = {**dict(layer.named_parameters(recurse=False)), **dict(layer.named_buffers(recurse=False))}
        for key, drawn in own.items():
            name = f"{prefix}.{key}"
            if name in theirs and theirs[name].shape != drawn.shape:
                plan = _plan(theirs[name], drawn, layer, key)
                if plan is not None and (plan.rows == 1 or not name.startswith(fixed_rows)):
                    found[name] = plan
    return found


def _plan(theirs: Tensor, drawn: Tensor, layer: nn.Module, key: str) -> _Plan | None:
    """Tell how a weight becomes wider; None if it cannot."""
    copies = _copies(theirs.shape, drawn.shape)
    if copies is None or max(copies[2:], default=1) > 1 or getattr(layer, "groups", 1) > 1:
        return None
    if key != "weight" or not isinstance(layer, _LAYERS + _TRANSPOSED):
        known = isinstance(layer, (*_LAYERS, *_TRANSPOSED, _NormBase)) or _is_map(drawn)
        return _Plan(drawn=drawn, rows=max(copies), columns=1, inputs=None) if known else None
    inputs = 0 if isinstance(layer, _TRANSPOSED) else 1
    return _Plan(drawn=drawn, rows=copies[1 - inputs], columns=copies[inputs], inputs=inputs)


def _is_map(weight: Tensor) -> bool:
    """Whether a weight is features at places, [1 c (z) y x], as a learnt prior."""
    return weight.ndim > 2 and weight.shape[0] == 1


def _copies(theirs: torch.Size, ours: torch.Size) -> tuple[int, ...] | None:
    """Return how often each axis goes into a wider one; None if it does not. A single image is no feature."""
    if len(theirs) != len(ours):
        return None
    pairs = tuple(zip(theirs, ours, strict=True))
    if any(less != more and (less < 2 or more % less) for less, more in pairs):
        return None
    return tuple(more // max(less, 1) for less, more in pairs)
