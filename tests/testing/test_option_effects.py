"""The law that every option has an effect, on options that are lists."""

import attrs
import pytest
import torch

from denoisplit.testing.option_effects import Trace, assert_options_have_effects


@attrs.frozen
class Options:
    """One number per channel."""

    scales: tuple[float, ...]


DRAWN = [Options((1.0, 2.0)), Options((3.0, 4.0)), Options((5.0,))]


def all_items(options: Options) -> Trace:
    return tuple(("scale", torch.tensor(one)) for one in options.scales)


def test_lists_of_which_every_item_counts_pass() -> None:
    assert_options_have_effects(DRAWN, all_items)


@pytest.mark.parametrize("ignored", [0, 1])
def test_an_item_that_is_ignored_is_told(ignored: int) -> None:
    def trace(options: Options) -> Trace:
        seen = all_items(options)
        return (*seen[:ignored], *seen[ignored + 1 :]) if len(seen) > 1 else seen

    with pytest.raises(AssertionError, match=f"^item {ignored} of the option scales has no effect"):
        assert_options_have_effects(DRAWN, trace)
