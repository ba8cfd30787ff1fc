"""Mutants of what a component calls are found, and none takes the memory of other programs."""

import ast
import runpy
from pathlib import Path

import pytest

from denoisplit.testing.examination import Law
from tools.mutants.__main__ import imported
from tools.mutants.operators import mutations
from tools.mutants.trial import MEMORY, SURVIVED, Timed, forked, tried


def test_functions_in_a_table_belong_to_a_component() -> None:
    home = "denoisplit.plugins.datasets"
    assert f"{home}.simulation.structures" in imported(f"{home}.simulated")


def test_a_trial_has_some_memory_and_no_more() -> None:
    assert forked(lambda: str(len(bytearray(MEMORY // 64))), limit=60.0) == str(MEMORY // 64)
    assert forked(lambda: str(len(bytearray(MEMORY))), limit=60.0) == ""


@pytest.mark.parametrize(
    ("before", "killer"),
    [((), "first"), (("second",), "second"), (("second", "first"), "first"), (("deaf", SURVIVED), "first")],
)
def test_what_killed_the_last_mutant_of_a_file_is_tried_first(
    before: tuple[str, ...], killer: str, tmp_path: Path
) -> None:
    path = tmp_path / "sums.py"
    path.write_text("def total(a, b):\n    return a + b\n", encoding="utf-8")
    total = runpy.run_path(str(path))["total"]

    def adds() -> None:
        assert total(1, 2) == 3

    laws = tuple(
        Law(name=name, case="", run=run, file="")
        for name, run in (("deaf", lambda: None), ("first", adds), ("second", adds))
    )
    suite = Timed(laws=laws, seconds=1.0, calls=frozenset())
    mutation = next(iter(mutations(ast.parse(path.read_text(encoding="utf-8")))))
    assert tried([suite], path, mutation, before) == killer
