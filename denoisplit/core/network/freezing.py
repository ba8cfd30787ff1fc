"""Parts of a network that stay fixed while the rest is trained."""

from collections.abc import Sequence

from torch import nn

from denoisplit.core.errors import SpecError


def freeze(network: nn.Module, parts: Sequence[str]) -> None:
    """Fix parts of a network: their weights, and the statistics of their batch norms.

    Args:
        network: the network, in training mode.
        parts: names of modules, such as ``encoder`` or ``decoder.levels.2``, which include all their parts;
            or of weights.

    Raises:
        SpecError: there is no part of this name, or nothing is left to learn.
    """
    weights, modules = dict(network.named_parameters()), dict(network.named_modules())
    del modules[""]  # the whole network, which is no part of itself
    for part in parts:
        if part not in modules and part not in weights:
            within, _, _ = part.rpartition(".")
            known = modules.get(within, network)
            names = ", ".join(f"{within}.{name}".lstrip(".") for name, _ in known.named_children())
            what = f"training.freeze: the network has no such part (got {part!r})"
            raise SpecError(f"{what}. Use one of {names}.")
        if part in modules:
            modules[part].eval()
        for name, weight in weights.items():
            if f"{name}.".startswith(f"{part}."):
                weight.requires_grad = False
    if parts and not any(weight.requires_grad for weight in weights.values()):
        what = f"training.freeze: nothing is left to learn (got {', '.join(parts)})"
        raise SpecError(f"{what}. Name fewer parts.")
