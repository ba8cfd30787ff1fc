"""The condition that torch sees all layers of a component."""

from typing import TypeVar

from torch import nn

from denoisplit.core.network.hidden_layers import hidden_layers

_Module = TypeVar("_Module", bound=nn.Module)


def whole(module: _Module) -> _Module:
    """Return a module all of whose layers torch sees."""
    fault = hidden_layers(module)
    assert not fault, fault
    return module
