"""What mixes every patch anew is refused with recorded mixed images before anything is trained."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from denoisplit.cli import main

SPEC = """
spec_version: 1
preset: denoisplit
channels: [actin, tubulin]
data:
  train: {use: folder, path: images, observed: "*_noisy.tif", mixed: "*_mixed.tif"}
  validation_fraction: 0.4
model:
  encoder: {levels: 2, width: 4}
  decoder: {latent_channels: 2}
training: {batch: 1, patch: 16}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        noisy = rng.poisson(100, (2, 32, 32)).astype(np.uint16)
        tifffile.imwrite(images / f"{number}_noisy.tif", noisy, imagej=True, metadata={"axes": "CYX"})
        tifffile.imwrite(images / f"{number}_mixed.tif", noisy.sum(0, dtype=np.uint16), imagej=True)
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


CHANGES = [
    ("mixing.shuffle", "{shuffle: 0.2}", "0.2"),
    ("mixing.alpha", "{alpha: [[0.5, 0.5], [0.3, 0.7]]}", "((0.5, 0.5), (0.3, 0.7))"),
    ("degradation.fresh", "{gaussian: 3, fresh: true}", "True"),
]


@pytest.mark.parametrize(("key", "value", "got"), CHANGES, ids=[key for key, _, _ in CHANGES])
def test_both_checks_name_the_setting(spec: Path, key: str, value: str, got: str) -> None:
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text.replace("  valid", f"  {key.partition('.')[0]}: {value}\n  valid"), encoding="utf-8")
    checked = CliRunner().invoke(main, ["check", str(spec)])
    assert checked.exit_code == 2
    (line,) = checked.stderr.splitlines()
    assert line.startswith(f"{spec}:7:")
    assert f"$.data.{key}: it makes a new mixed image for every patch, but data.train.mixed names" in line
    assert line.endswith(f"(got {got}). Remove one of them")
    looked = CliRunner().invoke(main, ["data", "check", str(spec)])
    assert looked.exit_code != 0
    assert f"$.data.{key}: it makes a new mixed image for every patch" in looked.output


def test_recorded_mixed_images_alone_are_fine(spec: Path) -> None:
    assert CliRunner().invoke(main, ["check", str(spec)]).exit_code == 0
    assert "Errors" not in CliRunner().invoke(main, ["data", "check", str(spec)]).output
