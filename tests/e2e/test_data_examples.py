"""The examples of published tasks read the layouts that they name, on small files."""

from pathlib import Path

import numpy as np
import pytest

import denoisplit
from denoisplit.core.spec import load_spec
from denoisplit.core.training.data.prepare import prepare
from denoisplit.testing.dataset_laws import layouts

EXAMPLES = Path(denoisplit.__file__).parents[1] / "examples"
BIOSR = sorted((EXAMPLES / "biosr").glob("*.yaml"))
SMALL = ("training.patch=16", "data.split.test_fraction=0.2", "data.validation_fraction=0.2")


@pytest.mark.parametrize("spec", BIOSR, ids=lambda path: path.stem)
def test_biosr_tasks_split_by_the_order_of_the_cells_and_add_the_published_noise(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIOSR_DATA", str(tmp_path))
    layouts.biosr(tmp_path, ("ER", "CCPs", "Microtubules"), 2)
    resolved = load_spec(spec, SMALL)
    data = prepare(resolved)
    names = [[field.name[-3:] for field in part] for part in (data.test, data.validation, data.train)]
    assert names == [["t=0"], ["t=1"], ["t=2", "t=3", "t=4", "t=5"]]
    noise = np.concatenate(
        [np.subtract(f.observed, f.clean).ravel() for f in data.train if f.clean is not None]
    )
    assert noise.std() == pytest.approx(resolved.data.degradation.gaussian, rel=0.05)


def test_hagen_learns_from_short_exposures_and_knows_the_long_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAGEN_DATA", str(tmp_path))
    layouts.hagen(tmp_path, ("actin", "mito"), 2)
    data = prepare(load_spec(EXAMPLES / "hagen" / "split.yaml", SMALL))
    assert (len(data.test), len(data.validation), len(data.train)) == (1, 1, 4)
    for field in data.train:
        assert field.clean is not None
        # The layout adds noise of 15 counts.
        assert float((field.observed[...] - field.clean[...]).std()) == pytest.approx(15, rel=0.15)
