"""Small changes to the built-in components are caught by the suites, each by the law that it breaks."""

import re
from collections import Counter

import pytest

from denoisplit.core.registry import load_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.testing import suite_for
from denoisplit.testing.examination import laws, verdict
from denoisplit.testing.noise_model_laws.noise_model_cases import kept_densities
from tests.testing.mutants import Mutant
from tests.testing.mutants_of_calibrators import CALIBRATOR_MUTANTS
from tests.testing.mutants_of_datasets import DATASET_MUTANTS
from tests.testing.mutants_of_image_formats import FORMAT_MUTANTS
from tests.testing.mutants_of_networks import DECODER_MUTANTS, ENCODER_MUTANTS
from tests.testing.mutants_of_noise_models import NOISE_MUTANTS
from tests.testing.mutants_of_the_rest import KL_MUTANTS, OTHER_MUTANTS
from tests.testing.mutants_of_training import LOGGER_MUTANTS, TRAINING_MUTANTS

MUTANTS = (
    *ENCODER_MUTANTS,
    *DECODER_MUTANTS,
    *NOISE_MUTANTS,
    *KL_MUTANTS,
    *OTHER_MUTANTS,
    *FORMAT_MUTANTS,
    *CALIBRATOR_MUTANTS,
    *DATASET_MUTANTS,
    *TRAINING_MUTANTS,
    *LOGGER_MUTANTS,
)
AT_LEAST = 3
SPOILED = ("metric", "augmentation", "objective", "executor")
"""Kinds whose components are a few lines each: ``test_broken`` tries their suites with spoiled ones."""
ELSEWHERE = {"logger/wandb", "logger/mlflow"}
"""Components whose packages are not there: ``plugins/test_loggers.py`` tries them with stand-ins."""
RAISED = re.compile(r"\w+(Error|Exception): ")


def test_every_component_has_mutants() -> None:
    counted = Counter(mutant.component for mutant in MUTANTS)
    rows = {
        f"{row.kind}/{row.name}"
        for row in load_registry().components()
        if row.package == BUILTIN and row.kind not in SPOILED
    } - ELSEWHERE
    assert set(counted) <= rows
    assert {name: counted[name] for name in rows if counted[name] < AT_LEAST} == {}


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_mutant_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name = mutant.place()
    kind, _, component = mutant.component.partition("/")
    broken = [law for law in laws(suite_for(kind, f"{BUILTIN}/{component}")) if law.name == mutant.law]
    if kind == "noise_model":
        # Fits are kept for all tests: they must not be those of a mutant.
        assert all(verdict(law).outcome != "fails" for law in broken)
        kept_densities.cache_clear()
    monkeypatch.setattr(owner, name, mutant.change(getattr(owner, name)))
    found = []
    for law in broken:
        found.append(verdict(law))
        if found[-1].outcome == "fails":
            assert not RAISED.match(found[-1].reason), f"it does not even run: {found[-1]}"
            return
    pytest.fail(f"{mutant} survives: {found}")
