"""Other processes know the components of the plugin files that this one has imported."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

import denoisplit
from tests.cli.refusals import noise
from tests.e2e.specs import TINY

MODULE = '''
import denoisplit
from denoisplit.plugins.noise_models.gaussian import Gaussian

@denoisplit.register("noise_model", "of_a_file")
class OfAFile(Gaussian):
    """One noise for all pixels."""
'''


@pytest.mark.usefixtures("own_components")
def test_they_train_and_predict_with_a_noise_model_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)  # and forgets the path, which an import adds
    (tmp_path / "of_a_file.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "spec.yaml").write_text(TINY + "plugins: [of_a_file.py]\n", encoding="utf-8")
    run = denoisplit.train(
        tmp_path / "spec.yaml",
        tmp_path / "run",
        overrides=["model.noise_model={use: of_a_file}", "training.devices=2", "training.steps=2"],
        device="cpu",
    )
    assert run.bundle.spec.plugins == (str(tmp_path / "of_a_file.py"),)
    tifffile.imwrite(tmp_path / "mixed.tif", noise(40, 24))
    found = run.predict_file(
        tmp_path / "mixed.tif", tmp_path / "split.npz", samples=2, tile=16, executor="processes"
    )
    here = run.predict(tmp_path / "mixed.tif", samples=2, tile=16)
    np.testing.assert_array_equal(found.mean, here.mean)
