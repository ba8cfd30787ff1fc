"""The example of an extension package, as a user has it: built, installed, used, removed."""

import json
import shutil
from pathlib import Path

import pytest
import tifffile

import denoisplit
from denoisplit.plugins.datasets.simulated import Simulated
from tests.packaging.environment import Environment, build_wheel

pytestmark = pytest.mark.slow

EXAMPLE = Path(denoisplit.__file__).parents[1] / "examples" / "denoisplit-emccd"
PACKAGE = "denoisplit-emccd"
COMPONENTS = {("noise_model", "emccd"), ("kl_scheme", "geometric"), ("calibrator", "quantile")}
TINY = (
    "data.test=null",
    *(f"data.{part}.{key}" for part in ("train", "validation") for key in ("fields=3", "size=48")),
    "model.encoder={levels: 2, width: 4, dropout: 0}",
    "model.decoder={latent_channels: 4, dropout: 0}",
    "training={steps: 4, batch: 1, patch: 16, precision: float32}",
    "prediction={samples: 3}",
)


def test_it_is_built_installed_used_and_removed(environment: Environment, tmp_path: Path) -> None:
    environment.pip_install(str(build_wheel(EXAMPLE, tmp_path)), cwd=tmp_path)
    listing = json.loads(environment.run("denoisplit", "plugins", "list", "--json", cwd=tmp_path).stdout)
    assert listing["broken"] == []
    rows = [row for row in listing["components"] if row["package"] == PACKAGE]
    assert {(row["kind"], row["name"]) for row in rows} == COMPONENTS

    shutil.copy(EXAMPLE / "example.yaml", tmp_path / "spec.yaml")
    changes = [word for change in TINY for word in ("--set", change)]
    environment.run("denoisplit", "train", "spec.yaml", "--out", "run", *changes, cwd=tmp_path)
    stored = (tmp_path / "run" / "spec.yaml").read_text(encoding="utf-8")
    assert all(f"use: {PACKAGE}/{name}" in stored for _, name in COMPONENTS)

    options = Simulated.Options(fields=1, size=40, camera="em", gain=25, seed=5)
    (field,) = Simulated(options, channels=("filaments", "mitochondria")).fields()
    tifffile.imwrite(tmp_path / "mixed.tif", field.observed[...].mean(0))
    predict = ("predict", "run", "mixed.tif", "--out")
    environment.run("denoisplit", *predict, "split.ome.tif", cwd=tmp_path)
    with tifffile.TiffFile(tmp_path / "split.ome.tif") as written:
        assert written.series[0].shape == (6, 40, 40)  # mean, std and calibrated std of two channels
    cited = environment.run("denoisplit", "cite", "spec.yaml", cwd=tmp_path).stdout
    assert "A stochastic model for electron multiplication" in cited

    environment.run("python", "-m", "pip", "uninstall", "--yes", PACKAGE, cwd=tmp_path)
    done = environment.run("denoisplit", *predict, "again.ome.tif", cwd=tmp_path, code=2)
    assert done.stdout == ""
    for line in done.stderr.splitlines():
        assert f"the package {PACKAGE} is not installed" in line
        assert f"pip install {PACKAGE}==0.1.0" in line
    assert len(done.stderr.splitlines()) == 1
