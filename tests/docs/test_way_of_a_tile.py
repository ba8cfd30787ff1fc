"""The decision on prediction lists the files that a tile passes, from the command to its pixels."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import denoisplit
from denoisplit.core.images.writing import RegionWriter
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.canvas import Canvas
from denoisplit.core.prediction.plan import Plan
from tests.cli.refusals import noise
from tests.cli.refusals import run as command
from tests.docs.test_pages import DOCS
from tests.e2e.experiment import Experiment

PACKAGE = Path(denoisplit.__file__).parent


def test_the_files_from_the_command_to_the_pixels(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: dict[str, None] = {}

    def watched(owner: type, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def see(*args: Any, **how: Any) -> Any:
            frame, above = sys._getframe(), []
            while frame.f_back is not None:
                frame = frame.f_back
                above.append(Path(frame.f_code.co_filename))
            if not any(path.name == "evidence.py" for path in above):  # the verdict's look at the tile
                inside = [path for path in reversed(above) if path.is_relative_to(PACKAGE)]
                passed.update(dict.fromkeys(str(path.relative_to(PACKAGE)) for path in inside))
            return real(*args, **how)

        monkeypatch.setattr(owner, name, see)

    for owner, name in ((Plan, "jobs"), (Canvas, "cut"), (VSE, "sample_maps"), (RegionWriter, "write")):
        watched(owner, name)
    tifffile.imwrite(tmp_path / "mixed.tif", noise(64, 64))
    out = tmp_path / "split.ome.tif"
    result = command("predict", experiment.run, tmp_path / "mixed.tif", "--out", out, "--tile", 32)
    assert result.exit_code == 0, result.output
    assert np.isfinite(tifffile.imread(out)).all()
    text = (DOCS / "decisions" / "0022-one-engine-of-jobs.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^A tile passes (.*?)\.\n", text, re.DOTALL | re.MULTILINE)
    assert len(passed) <= 20
    assert re.findall(r"`(.*?)`", listed) == list(passed)
