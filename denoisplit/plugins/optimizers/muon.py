"""Optimiser: Muon."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs
import torch
from attrs.validators import ge, lt
from torch import Tensor, nn, optim
from torch.optim.adamw import adamw

from denoisplit.core.training.optimizer import Optimizer, trainable

_ITERATION: Final = (3.4445, -4.7750, 2.0315)
"""Coefficients of the polynomial of degree 5 that brings singular values near 1 (Jordan et al.)."""

_ITERATIONS: Final = 5
_LIKE_ADAM: Final = 0.2
"""Root of the mean square of an update per learning rate, about that of Adam's (Liu et al., section 2.2)."""

_TINY: Final = 1e-7
_LAYERS: Final = (nn.Linear, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_MATRICES: Final = "matrices"
"""Key of a group of weights: whether they are matrices."""


class Muon(Optimizer):
    """Momentum whose steps are made orthogonal: every direction of a kernel changes at the same rate.

    The kernel of a layer is taken as a matrix with a row for every entry of its first axis. Its momentum is
    replaced by a matrix with the same singular vectors and singular values of about 1, found by matrix
    products alone. All other weights (biases, norms, noise models, kernels of one row) are updated by AdamW.

    Source: Jordan et al., Muon, 2024; Liu et al., 2025, section 2.2 (the scale).
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the optimiser.

        Attributes:
            momentum: fraction of the running mean of the gradient that a step keeps.
            memory: fraction of the running mean of the squared gradient that a step keeps, for AdamW.
            weight_decay: fraction of a weight that a step removes, per unit of the learning rate.
        """

        momentum: float = attrs.field(default=0.9, validator=[ge(0), lt(1)])
        memory: float = attrs.field(default=0.99, validator=[ge(0), lt(1)])
        weight_decay: float = attrs.field(default=0.0, validator=ge(0))

    options: Options

    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> optim.Optimizer:
        """Return an optimiser of these weights, where all that can be a matrix is one."""
        given = list(weights)
        return self._of(given, {id(weight) for weight in given if _is_matrix(weight)}, learning_rate)

    def over_network(self, network: nn.Module, learning_rate: float) -> optim.Optimizer:
        """Return an optimiser of a network, where the kernels of encoder and decoder are matrices.

        Those of noise models and KL schemes are none, whatever their shape: they have units, and the numbers
        of a channel have nothing to do with those of another.
        """
        parts = (network.get_submodule("encoder"), network.get_submodule("decoder"))
        layers = [one for part in parts for one in part.modules() if isinstance(one, _LAYERS)]
        own = [dict(layer.named_parameters(recurse=False)).get("weight") for layer in layers]
        kernels = {id(weight) for weight in own if weight is not None and _is_matrix(weight)}
        return self._of(trainable(network), kernels, learning_rate)

    def _of(
        self, weights: Iterable[nn.Parameter], matrices: set[int], learning_rate: float
    ) -> optim.Optimizer:
        groups: list[dict[str, Any]] = [{"params": [], _MATRICES: one} for one in (True, False)]
        for weight in weights:
            groups[id(weight) not in matrices]["params"].append(weight)
        return _Orthogonal(groups, {"lr": learning_rate, _MATRICES: False, **attrs.asdict(self.options)})


class _Orthogonal(optim.Optimizer):
    """Steps of Muon for matrices, of AdamW for all other weights."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update all weights that have a gradient."""
        if closure is not None:
            raise ValueError("steps of Muon take no closure. Compute the gradients before the step")
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not group[_MATRICES]:
                self._adam(weights, group)
                continue
            # Kernels of one shape go through the products together: there are dozens, and small ones.
            for shape, alike in itertools.groupby(sorted(weights, key=_shape), key=_shape):
                self._orthogonal(list(alike), shape, group)

    def _orthogonal(self, weights: list[Any], shape: tuple[int, int], group: dict[str, Any]) -> None:
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["mean"] = torch.zeros_like(weight)
        gradients = torch.stack([weight.grad.reshape(shape) for weight in weights])
        means = torch.stack([self.state[weight]["mean"].reshape(shape) for weight in weights])
        means.lerp_(gradients, 1 - group["momentum"])
        updates = orthogonal(gradients.lerp(means, group["momentum"]))
        length = group["lr"] * _LIKE_ADAM * max(shape) ** 0.5
        for weight, mean, update in zip(weights, means, updates, strict=True):
            self.state[weight]["mean"].copy_(mean.reshape(weight.shape))
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.sub_(update.reshape(weight.shape), alpha=length)

    def _adam(self, weights: list[Any], group: dict[str, Any]) -> None:
        for weight in weights:
            if not self.state[weight]:
                mean, square = torch.zeros_like(weight), torch.zeros_like(weight)
                self.state[weight].update(step=torch.zeros(()), mean=mean, square=square)
        states = [self.state[weight] for weight in weights]
        adamw(
            weights,
            [weight.grad for weight in weights],
            [state["mean"] for state in states],
            [state["square"] for state in states],
            [],
            [state["step"] for state in states],
            foreach=True,
            amsgrad=False,
            beta1=group["momentum"],
            beta2=group["memory"],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )


def _shape(weight: Tensor) -> tuple[int, int]:
    """Rows and columns of a weight as a matrix."""
    rows = weight.shape[0] if weight.ndim else 1
    return rows, weight.numel() // max(rows, 1)


def _is_matrix(weight: Tensor) -> bool:
    return min(_shape(weight)) > 1


def orthogonal(matrices: Tensor) -> Tensor:
    """Bring the singular values of matrices near 1 and keep their singular vectors.

    Those of at least 0.003 of the Frobenius norm end between 0.68 and 1.21; smaller ones end below, and
    zero stays zero.

    Args:
        matrices: (number, rows, columns).
    """
    upright = matrices.size(-2) > matrices.size(-1)
    found = matrices.mH if upright else matrices
    found = found / (torch.linalg.matrix_norm(found, keepdim=True) + _TINY)
    first, third, fifth = _ITERATION
    for _ in range(_ITERATIONS):
        squares = found @ found.mH
        found = torch.baddbmm(
            found, torch.baddbmm(squares, squares, squares, beta=third, alpha=fifth), found, beta=first
        )
    return found.mH if upright else found
