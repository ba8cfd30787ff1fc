"""Objectives of a training, from its spec; each is tried once before the training."""

import torch
from torch import Tensor

from denoisplit.core.errors import BrokenPluginError, DenoisplitError
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.network.composer import patch_sides
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.objective_terms import NamedTerm, ObjectiveTerm
from denoisplit.core.spec.records import Chosen, ResolvedSpec


def objectives_of(spec: ResolvedSpec, statistics: IntensityStats) -> tuple[NamedTerm, ...]:
    """Build the terms beside distortion and rate; the second one of a name is called ``NAME_2``.

    Raises:
        BrokenPluginError: an objective fails, or breaks the contract of its kind.
        SpecError: an objective does not go with this experiment.
    """
    patch = patch_sides(spec.training.patch, spec.model.dimensions)
    found: dict[str, NamedTerm] = {}
    for chosen in spec.training.objectives:
        name = chosen.name_among(found)
        found[name] = NamedTerm(name, _tried(chosen, statistics, spec.data.mixing, patch))
    return tuple(found.values())


def _tried(
    chosen: Chosen, statistics: IntensityStats, mixing: Mixing, patch: tuple[int, ...]
) -> ObjectiveTerm:
    """Build a component and try its term on two images of noise."""
    where = f"{chosen.component.kind} {chosen.component.qualified}"
    generator = torch.Generator().manual_seed(0)
    shape = (2, statistics.channels, *patch)

    def noise() -> Tensor:
        return statistics.to_counts(torch.randn(shape, generator=generator))

    mixed = statistics.mixed_mean + statistics.mixed_std * torch.randn((2, 1, *patch), generator=generator)
    signal = noise().requires_grad_()
    try:
        term: ObjectiveTerm = chosen.build(statistics=statistics, mixing=mixing)
        value = term(signal, noise(), mixed)
        weight = float(term.weight)
        fault = _fault(term, value, weight)
        if not fault:
            value.backward()
    except DenoisplitError:
        raise
    except Exception as error:
        raise BrokenPluginError(
            f"{where}: fails on patches of {'x'.join(map(str, patch))} ({type(error).__name__}: "
            f"{' '.join(str(error).split())}). Repair it, or leave it out."
        ) from error
    if fault:
        raise BrokenPluginError(f"{where}: {fault}. Repair it, or leave it out.")
    return term


def _fault(term: ObjectiveTerm, value: object, weight: float) -> str:
    """How a term breaks its contract; empty if it does not."""
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
    return ""
