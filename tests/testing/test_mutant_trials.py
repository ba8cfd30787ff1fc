"""Mutants of what a component calls are found, and none takes the memory of other programs."""

from tools.mutants.__main__ import imported
from tools.mutants.trial import MEMORY, forked


def test_functions_in_a_table_belong_to_a_component() -> None:
    home = "denoisplit.plugins.datasets"
    assert f"{home}.simulation.structures" in imported(f"{home}.simulated")


def test_a_trial_has_some_memory_and_no_more() -> None:
    assert forked(lambda: str(len(bytearray(MEMORY // 64))), limit=60.0) == str(MEMORY // 64)
    assert forked(lambda: str(len(bytearray(MEMORY))), limit=60.0) == ""
