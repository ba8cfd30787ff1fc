"""Objectives of a training, from its spec; each is tried once before the training."""

from typing import Final, cast

import torch
from torch import Tensor

from denoisplit.core.errors import BrokenPluginError, DenoisplitError, in_one_line
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.network.composer import patch_sides
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.named_term import NamedTerm
from denoisplit.core.network.objective_terms import ObjectiveTerm
from denoisplit.core.spec.records import Chosen, ResolvedSpec

_IMAGES: Final = 2
"""Number of images of a trial."""


def objectives_of(spec: ResolvedSpec, statistics: IntensityStats) -> tuple[NamedTerm, ...]:
    """Build the terms beside distortion and rate; the second one of a name is called ``NAME_2``.

    Raises:
        BrokenPluginError: an objective fails, or breaks the contract of its kind.
        SpecError: an objective does not go with this experiment.
    """
    training = spec.training
    patch = patch_sides(training.patch, spec.model.dimensions)
    fewest = training.batch // (training.devices * training.nodes) // training.accumulate
    found: dict[str, NamedTerm] = {}
    for chosen in training.objectives:
        name = chosen.name_among(found)
        term = _tried(chosen, statistics, spec.data.mixing, patch, single=fewest < _IMAGES)
        found[name] = NamedTerm(name, term, chosen.component)
    return tuple(found.values())


def _tried(
    chosen: Chosen, statistics: IntensityStats, mixing: Mixing, patch: tuple[int, ...], *, single: bool
) -> ObjectiveTerm:
    """Build a component and try its term on two images of noise, and on one if parts of a step have one."""
    where = f"{chosen.component.kind} {chosen.component.qualified}"
    term: ObjectiveTerm = chosen.build(statistics=statistics, mixing=mixing)
    for images in (_IMAGES, 1) if single else (_IMAGES,):
        what = f"{'patches' if images > 1 else 'a single patch'} of {'x'.join(map(str, patch))}"
        try:
            fault = _fault(term, _noise(statistics, images, patch))
        except DenoisplitError:
            raise
        except Exception as error:
            raise BrokenPluginError(
                f"{where}: fails on {what} ({type(error).__name__}: {in_one_line(error)}). Repair it, or "
                f"leave it out."
            ) from error
        if fault:
            raise BrokenPluginError(f"{where}: {fault} on {what}. Repair it, or leave it out.")
    return term


def _noise(statistics: IntensityStats, images: int, patch: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Signal, targets and mixed images of noise, counts."""
    generator = torch.Generator().manual_seed(0)

    def drawn(channels: int) -> Tensor:
        return torch.randn((images, channels, *patch), generator=generator)

    mixed = statistics.mixed_mean + statistics.mixed_std * drawn(1)
    signal, targets = (statistics.to_counts(drawn(statistics.channels)) for _ in range(2))
    return signal.requires_grad_(), targets, mixed


def _fault(term: ObjectiveTerm, batch: tuple[Tensor, Tensor, Tensor]) -> str:
    """How a term breaks its contract for a batch; empty if it does not."""
    value, weight = cast(object, term(*batch)), float(term.weight)
    if not isinstance(value, Tensor) or value.dim():
        got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        return f"has to give a scalar tensor (got {got})"
    if not value.requires_grad:
        return "has to have a gradient to the signal (got none)"
    if not torch.isfinite(value.detach()):
        return f"has to be finite for noise (got {float(value.detach())})"
    if not 0 <= weight < float("inf"):
        return f"has to have a weight of 0 or more (got {weight})"
    trainable = [name for name, parameter in term.named_parameters() if parameter.requires_grad]
    if trainable:
        return f"must have no trainable parameters (got {', '.join(trainable)})"
    torch.autograd.backward(value)  # as a training does: some terms allow nothing else
    gradient = batch[0].grad
    if gradient is None:
        return "has to depend on the signal (got no gradient)"
    if not bool(torch.isfinite(gradient).all()):
        return "has to have a finite gradient for noise (got NaN or infinity)"
    return ""
