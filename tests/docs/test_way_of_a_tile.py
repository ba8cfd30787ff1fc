"""The decision on prediction lists the files that a tile passes, from the command to its pixels."""

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from denoisplit.core.images.writing import RegionWriter
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.tiles.canvas import Canvas
from denoisplit.core.prediction.tiles.plan import Plan
from tests.cli.refusals import noise
from tests.cli.refusals import run as command
from tests.docs.passing import passed_files
from tests.docs.test_pages import DOCS
from tests.e2e.experiment import Experiment


def test_the_files_from_the_command_to_the_pixels(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = ((Plan, "jobs"), (Canvas, "cut"), (VSE, "sample_maps"), (RegionWriter, "write"))
    passed = passed_files(monkeypatch, ends, aside="evidence.py")  # the verdict's look at the tile
    tifffile.imwrite(tmp_path / "mixed.tif", noise(64, 64))
    out = tmp_path / "split.ome.tif"
    result = command("predict", experiment.run, tmp_path / "mixed.tif", "--out", out, "--tile", 32)
    assert result.exit_code == 0, result.output
    assert np.isfinite(tifffile.imread(out)).all()
    text = (DOCS / "decisions" / "0022-one-engine-of-jobs.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^A tile passes (.*?)\.\n", text, re.DOTALL | re.MULTILINE)
    assert len(passed) <= 20
    assert re.findall(r"`(.*?)`", listed) == list(passed)
