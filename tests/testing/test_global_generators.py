"""Whoever changes a global generator is noticed, and whoever puts its state back is not."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch

from denoisplit.testing.global_generators import leaving_generators_alone

CHANGES: dict[str, Callable[[], object]] = {
    "random": random.random,
    "numpy.random": lambda: np.random.seed(0),  # noqa: NPY002 (what is noticed)
    "torch": lambda: torch.manual_seed(0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_noticed_also_where_the_state_was_the_same_before(name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        CHANGES[name]()
        with (
            pytest.raises(AssertionError, match=f"^it changes the state of the global generator of {name}: "),
            leaving_generators_alone("it"),
        ):
            CHANGES[name]()


def test_a_generator_of_its_own_and_a_state_that_is_put_back_are_allowed() -> None:
    with leaving_generators_alone("it"):
        np.random.default_rng(0).normal()
        torch.randn(2, generator=torch.Generator().manual_seed(0))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            torch.randn(2)


def test_the_states_are_those_of_before() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        expected = torch.rand(2)
        torch.manual_seed(3)
        with pytest.raises(ZeroDivisionError), leaving_generators_alone("it"):
            torch.rand(1 // 0)
        assert torch.equal(torch.rand(2), expected)
