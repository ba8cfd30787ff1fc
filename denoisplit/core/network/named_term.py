"""Terms of an objective with the names that a training gives them."""

import attrs
from torch import Tensor

from denoisplit.core.devices import is_of_the_machine
from denoisplit.core.network.objective_terms import ObjectiveTerm
from denoisplit.core.registry.blame import Blamed, blaming


@attrs.frozen
class NamedTerm:
    """A term and its name in messages and the training curve.

    Attributes:
        name: name of the component, with a number if several share it.
        term: the component.
        row: its row of the registry, which errors name.
    """

    name: str
    term: ObjectiveTerm
    row: Blamed

    def value(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        """The term of a batch, without its weight.

        Raises:
            BrokenPluginError: the term fails.
        """
        doing = f"fails on signals of {'x'.join(map(str, signal.shape))} in a step of the training"
        with blaming([self.row], doing, unless=is_of_the_machine):
            value: Tensor = self.term(signal, targets, mixed)
        return value
