"""The law that a component leaves the global generators of random numbers as they are."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch

_UNUSUAL: Final = 987_654_321
"""A seed that no component is likely to set: one that is set twice would leave no trace."""


@contextmanager
def leaving_generators_alone(what: str) -> Iterator[None]:
    """Check that nothing within changes a global generator; their states are put back in the end.

    Args:
        what: subject of the message, for example ``reading``.

    Raises:
        AssertionError: names the generator that was seeded or drawn from.
    """
    python, own = random.getstate(), torch.default_generator.get_state()
    legacy: Any = np.random.get_state()  # noqa: NPY002 (what a component may draw from)
    try:
        random.seed(_UNUSUAL)
        np.random.seed(_UNUSUAL)  # noqa: NPY002
        torch.default_generator.manual_seed(_UNUSUAL)
        before = _states()
        yield
        changed = [name for name, state in _states().items() if state != before[name]]
        assert not changed, (
            f"{what} changes the state of the global generator of {' and '.join(changed)}: draw from a "
            f"generator of its own, with a seed that it is given, or put the state back"
        )
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        torch.default_generator.set_state(own)


def _states() -> dict[str, object]:
    legacy: Any = np.random.get_state()  # noqa: NPY002
    return {
        "random": random.getstate(),
        "numpy.random": (legacy[1].tobytes(), legacy[2:]),
        "torch": torch.default_generator.get_state().numpy().tobytes(),
    }
