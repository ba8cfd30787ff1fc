"""A package of a lab, with a camera of its own, a calibrator that sees the mean and a KL scheme with state.

It is built, installed and used from wheels, and nothing of denoisplit knows it.
"""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from safetensors.numpy import load_file

from tests.packaging.environment import Environment, build_wheel

pytestmark = pytest.mark.slow

LAB = Path(__file__).parent / "lab"
PACKAGE = "lab-camera"
COMPONENTS = {"uneven_pixels", "thermostat", "bands"}
SIDES = (40, 48)
OFFSET, GAIN = 100.0, 2.0
SPEC = """
spec_version: 1
preset: denoisplit
channels: [one, two]
data:
  train: {use: folder, path: train, observed: "*_noisy.tif", clean: "*_clean.tif"}
  validation: {use: folder, path: validation, observed: "*_noisy.tif", clean: "*_clean.tif"}
  test: {use: folder, path: test, observed: "*_noisy.tif", clean: "*_clean.tif"}
model:
  encoder: {levels: 2, width: 4}
  decoder: {latent_channels: 2}
  noise_model: {use: uneven_pixels, offset: maps/offset.tif, read_noise: maps/read_noise.tif}
  kl_scheme: {use: thermostat, target: 1}
calibrator: {use: bands, bands: 2}
training: {steps: 4, batch: 2, patch: 16, validate_every: 2, checkpoint_every: 2, precision: float32}
prediction: {samples: 3}
"""

COMMANDS = """
import json, sys
from denoisplit.cli import main
for words in json.loads(sys.argv[1]):
    if main(words, standalone_mode=False):
        sys.exit(f"{words} fails")
"""
"""Commands one after the other in one process, which saves most of the time: that of the imports."""


def write_lab(folder: Path) -> None:
    """Maps of a camera, images that it took, and a spec."""
    rng = np.random.default_rng(5)
    maps = {"offset": rng.normal(OFFSET, 4, SIDES), "read_noise": 1 + rng.lognormal(0.5, 1, SIDES)}
    for part in ("maps", "train", "validation", "test"):
        (folder / part).mkdir()
    for name, image in maps.items():
        tifffile.imwrite(folder / "maps" / f"{name}.tif", image.astype(np.float32))
    y, x = np.indices(SIDES)
    for part, count in (("train", 2), ("validation", 2), ("test", 1)):
        for number in range(count):
            phase = rng.uniform(0, 6, (2, 1, 1))
            photons = 30 + 25 * np.sin(x / 4 + phase) * np.cos(y / 5 + phase[::-1])
            noisy = maps["offset"] + GAIN * rng.poisson(photons)
            noisy = noisy + maps["read_noise"] * rng.normal(size=noisy.shape)
            for what, counts in (("noisy", noisy), ("clean", OFFSET + GAIN * photons)):
                path = folder / part / f"{number}_{what}.tif"
                tifffile.imwrite(path, counts.astype(np.float32), metadata={"axes": "CYX"})
            if part == "test":
                tifffile.imwrite(folder / "mixed.tif", noisy.mean(0).astype(np.float32))
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")


def images(path: Path) -> npt.NDArray[np.float32]:
    return np.asarray(tifffile.imread(path), dtype=np.float32)


def test_a_lab_uses_its_own_camera_calibrator_and_scheme(environment: Environment, tmp_path: Path) -> None:
    environment.pip_install(str(build_wheel(LAB, tmp_path)), cwd=tmp_path)

    def commands(*lines: str) -> str:
        words = json.dumps([line.split() for line in lines])
        return environment.run("python", "-c", COMMANDS, words, cwd=tmp_path).stdout

    listing = json.loads(commands("plugins list --json"))
    assert listing["broken"] == []
    assert {row["name"] for row in listing["components"] if row["package"] == PACKAGE} == COMPONENTS

    write_lab(tmp_path)
    checks = (f"plugins check {name} --strict" for name in COMPONENTS)
    assert commands(*checks, "train spec.yaml --out run").count(" 0 fail, ") == len(COMPONENTS)
    weights = load_file(tmp_path / "run" / "model.safetensors")
    (moved,) = (value for name, value in weights.items() if name.endswith("log_multiplier"))
    assert moved < 0  # the distortion was above its target
    stored = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf-8"))
    assert stored["calibration"]["component"] == f"{PACKAGE}/bands"

    # The run has the maps inside.
    for file in (tmp_path / "maps").iterdir():
        file.unlink()
    outputs = "--output mean,std,total_std,calibrated_std,calibrated_interval=0.9"
    commands(
        f"predict run mixed.tif --out whole.ome.tif {outputs}",
        f"predict run mixed.tif --out tiles.ome.tif --tile 24 {outputs}",
        "calibrate run",
        "evaluate run --json scores.json",
    )
    whole, tiles = (images(tmp_path / f"{name}.ome.tif") for name in ("whole", "tiles"))
    assert whole.shape == (12, *SIDES)
    np.testing.assert_allclose(tiles, whole, rtol=1e-4, atol=1e-3)

    for channel, ratio in enumerate(whole[6:8] / whole[2:4]):
        factors = np.array(stored["calibration"]["parameters"][f"factor_{channel}"])
        assert np.abs(ratio - factors[:, None, None]).min(0).max() < 1e-3 * factors.max()

    again = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf-8"))
    assert again["calibration"] == stored["calibration"]
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert all(channel["after"]["coverage"] for channel in scores["uncertainty"])

    known = environment.run("python", "-c", "import denoisplit; print(denoisplit.__path__[0])", cwd=tmp_path)
    for source in Path(known.stdout.strip()).rglob("*.py"):
        text = source.read_text(encoding="utf-8").lower()
        assert not any(word in text for word in (*COMPONENTS - {"bands"}, "lab_camera", "lab-camera"))
    environment.run("python", "-m", "pip", "uninstall", "--yes", PACKAGE, cwd=tmp_path)
