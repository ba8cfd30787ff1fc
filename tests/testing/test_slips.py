"""Slips that an earlier exam did not notice are caught, each by the law that it breaks."""

import ast

import pytest

from denoisplit.core.registry.manager import BUILTIN
from denoisplit.testing import suite_for
from denoisplit.testing.examination import laws, verdict
from denoisplit.testing.network_laws.networks import _combined
from denoisplit.testing.noise_model_laws.noise_model_cases import _chosen, _exported, _ready
from tests.testing.slips import SLIPS, Slip
from tests.testing.slips_of_data_sets import SLIPS_OF_DATA_SETS
from tests.testing.slips_of_files import SLIPS_OF_FILES
from tests.testing.slips_of_numbers import SLIPS_OF_NUMBERS
from tools.mutants.live import install


@pytest.mark.parametrize("slip", [*SLIPS, *SLIPS_OF_FILES, *SLIPS_OF_DATA_SETS, *SLIPS_OF_NUMBERS], ids=str)
def test_a_slip_is_caught(slip: Slip) -> None:
    kind, _, name = slip.component.partition("/")
    suite = suite_for(kind, f"{BUILTIN}/{name}")
    suite().target()  # loads what the slip is made in
    examined = [law for law in laws(suite) if law.name == slip.law]
    assert examined, f"there is no law {slip.law}"
    path = slip.path()
    if kind == "noise_model":
        _forget()  # fits are kept, and must be those of the slip
    try:
        assert install(ast.parse(slip.source()), str(path)) > 0
        caught = any(verdict(law).outcome == "fails" for law in examined)
    finally:
        install(ast.parse(path.read_text(encoding="utf-8")), str(path))
        _forget()
        _combined.cache_clear()
    assert caught, f"{slip} survives"


def _forget() -> None:
    for kept in (_ready, _chosen, _exported):
        kept.cache_clear()
