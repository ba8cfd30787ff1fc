"""denoisplit on a system that lacks and refuses what Windows does, played on Linux.

It does not show that Windows works: paths, consoles and libraries are those of Linux.
"""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

import denoisplit
from tests.training.test_fit import SPEC

ROOT = Path(denoisplit.__file__).parents[1]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is played on Linux")

PLAYED = """
import json, sys
from tests.systems.windows import play
play()
from denoisplit.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as end:
        if end.code:
            sys.exit(f"{words} ends with {end.code}")
"""


def played(tmp_path: Path, *commands: str) -> str:
    """Run commands one after the other in one process."""
    words = json.dumps([command.split() for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}){PLAYED}", words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_experiment_from_training_to_evaluation(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    image = np.random.default_rng(0).normal(100, 10, (24, 24)).astype(np.float32)
    tifffile.imwrite(tmp_path / "image.tif", image)
    with h5py.File(tmp_path / "image.h5", "w") as file:
        file["image"] = image
    written = ("split.tif", "split.ome.tif", "split.ome.zarr", "split.h5", "split.npz", "split.mrc")
    played(
        tmp_path,
        "info",
        "check spec.yaml",
        "train spec.yaml --out run",
        *(f"predict run image.tif --out {name} --tile 16" for name in written),
        *(f"predict run image.tif --out {name} --overwrite" for name in written),
        "predict run image.h5 --out again.tif",
        "evaluate run",
    )
    for name in written:
        assert (tmp_path / name).exists()
    assert not list(tmp_path.glob(".*")), "something is left"
