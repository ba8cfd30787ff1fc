"""Layers that torch does not see, since they are held in a plain list or dictionary."""

from torch import nn


def hidden_layers(module: nn.Module) -> str:
    """The fault of a module that holds such layers or parameters, or nothing.

    They would be neither trained nor stored, and would stay on the processor. Parts of the module that a list
    holds once more, for example in another order, are none of them.
    """
    parts = {id(part) for part in (*module.modules(), *module.parameters())}
    of_torch = vars(nn.Module())
    for place, part in module.named_modules():
        for name, held in vars(part).items():
            if name in of_torch or not isinstance(held, list | tuple | set | dict):
                continue
            values = held.values() if isinstance(held, dict) else held
            if any(isinstance(one, nn.Module | nn.Parameter) and id(one) not in parts for one in values):
                kind, use = type(held).__name__, "Dict" if isinstance(held, dict) else "List"
                where = f"{place}.{name}" if place else name
                return (
                    f"{where} is a plain {kind} of layers, which torch neither trains nor stores: make it an "
                    f"nn.Module{use}, or an nn.Parameter{use}"
                )
    return ""
