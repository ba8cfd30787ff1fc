"""The optimiser of the page "Extending", as it is registered in a notebook."""

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

import denoisplit
from denoisplit.core.registry import installed_registry
from denoisplit.testing import examine, suite_for
from denoisplit.testing.device_law import examined_on
from denoisplit.testing.simulated_device import NAME
from tests.docs.test_decoder_of_the_page import BLOCKS
from tests.training.test_fit import SPEC


@pytest.fixture
def _registered(tmp_path: Path) -> Iterator[None]:
    """Its code has run; what it registered is gone after the test."""
    (block,) = [part for part in BLOCKS if "class RmsProp" in part]
    file = tmp_path / "notebook.py"
    file.write_text(block.removeprefix("python\n"), encoding="utf-8")
    runpy.run_path(str(file), run_name="notebook")
    yield
    installed_registry.cache_clear()


@pytest.mark.usefixtures("_registered")
def test_the_laws_hold_here_and_on_a_device() -> None:
    found = list(examine(examined_on(NAME, suite_for("optimizer", "rmsprop"))))
    assert {one.outcome for one in found} == {"holds"}, found


@pytest.mark.usefixtures("_registered")
def test_a_network_is_trained_with_it(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    named = ["training.optimizer={use: rmsprop, memory: 0.9}", "training.steps=2"]
    run = denoisplit.train(tmp_path / "spec.yaml", tmp_path / "run", overrides=named)
    assert "use: notebook/rmsprop\n    memory: 0.9" in run.folder.spec.read_text(encoding="utf-8")
