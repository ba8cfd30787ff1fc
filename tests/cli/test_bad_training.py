"""Bad input gives one clear line on stderr, exit code 2, nothing written, never a traceback: training."""

import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest
import tifffile

from tests.cli.refusals import Stack, noise, refused, run
from tests.e2e.experiment import SPEC, Experiment


@attrs.frozen
class Training:
    """A spec beside the images of the experiment, and the run folder that must not appear."""

    spec: Path
    out: Path

    def refused(self, *parts: str, text: str | None = None, options: tuple[str, ...] = ()) -> None:
        if text is not None:
            self.spec.write_text(text, encoding="utf-8")
        refused(run("train", self.spec, "--out", self.out, *options), *parts)
        assert not self.out.exists()


@pytest.fixture
def training(experiment: Experiment, tmp_path: Path) -> Training:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("path: images", f"path: {experiment.images}"), encoding="utf-8")
    return Training(spec, tmp_path / "out")


def test_a_missing_spec(training: Training) -> None:
    training.spec.unlink()
    training.refused(f"{training.spec}: cannot be read (No such file or directory). Give the path")


def test_an_empty_spec(training: Training) -> None:
    training.refused(
        f"{training.spec}: the spec is empty. Write channels, data and model", text="# nothing\n"
    )


def test_an_unknown_key(training: Training) -> None:
    lines = len(SPEC.splitlines())
    training.refused(
        f"{training.spec}:{lines + 1}:1 $.stuff: unknown key (allowed: channels,", text=SPEC + "stuff: 1"
    )


def test_an_unknown_component(training: Training) -> None:
    training.refused(
        "--set model.encoder.use=laddr: encoder laddr: not installed.",
        "Did you mean ladder?",
        options=("--set", "model.encoder.use=laddr"),
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.stesp=3", "training.stesp=3: unknown key"),
        ("trainin.steps=3", "$.trainin: unknown key"),
        ("training.steps", "not of the form a.b=c"),
        ("training.steps=many", "training.steps=many: expected a whole number (got 'many')"),
        ("training.steps=0", "training.steps=0: must be >= 1 (got 0)"),
        ("training.steps=99999999999999999999999999", "must be <= 1000000000 (got 9999"),
        ("training.seed=-1", "training.seed=-1: must be >= 0 (got -1)"),
        (
            "training.seed=9223372036854775808",
            "seed=9223372036854775808: must be < 9223372036854775808",
        ),
    ],
)
def test_an_override_with_a_typo(training: Training, override: str, message: str) -> None:
    training.refused(f"--set {override}", message, options=("--set", override))


def test_an_environment_variable_that_is_not_set(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DENOISPLIT_DATA", raising=False)
    text = SPEC.replace("path: images", 'path: "${DENOISPLIT_DATA}/images"')
    training.refused("$.data.train.path: environment variable DENOISPLIT_DATA is not set. Set it", text=text)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "training.patch=18",
            "training.patch=18: must be a multiple of 4 and at least 8 for 2 levels (got 18). Use 16",
        ),
        ("training.patch=4", "must be a multiple of 4 and at least 8 for 2 levels (got 4). Use 8"),
        ("training.patch=64", "smaller than a patch of (64, 64) pixels (got (32, 32)). Lower training.patch"),
        (
            "model.dimensions=3",
            "a 3D model needs 3 spatial axes (got shape (32, 32)). Set model.dimensions to 2",
        ),
        ("channels=[a, b, c]", "expected 3 channels (got 2). Name only channels that the file has"),
        ("channels=[a]", "expected 1 channel (got 2). Choose with channel_index"),
        (
            "data.noise_pairs=repeats",
            "$.data.noise_pairs: no training field has repeats (got 'repeats'). Use",
        ),
        ("model.decoder.latent_channels=[1, 2, 3]", "latent_channels=[1, 2, 3]: one number or one per level"),
    ],
)
def test_a_spec_that_does_not_fit_its_images(training: Training, override: str, message: str) -> None:
    training.refused(message, options=("--set", override))


def test_an_out_folder_that_is_taken(training: Training, experiment: Experiment) -> None:
    before = experiment.run.stat().st_mtime_ns
    refused(
        run("train", training.spec, "--out", experiment.run),
        f"{experiment.run}: is not an empty folder. Choose another --out, or continue the run with --resume.",
    )
    assert experiment.run.stat().st_mtime_ns == before


def test_resuming_with_another_spec(experiment: Experiment) -> None:
    refused(
        run("train", experiment.spec, "--out", experiment.run, "--resume", "--set", "training.steps=9"),
        f"{experiment.run / 'spec.yaml'}: differs from the spec given with --resume "
        "(in training.steps: 4, not 9). Continue with the same",
    )


# Training: the images


def _with_nan(pixels: Stack) -> None:
    pixels[1, 3, 4] = np.nan


def _constant(pixels: Stack) -> None:
    pixels[1] = 7


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_with_nan, "1 of 1024 pixels are NaN or infinite (got nan at (3, 4)). Replace or crop them."),
        (_constant, "all pixels are equal (got 7.0). Remove this image"),
    ],
)
def test_a_bad_training_image(
    training: Training, experiment: Experiment, spoil: Callable[[Stack], None], message: str
) -> None:
    images = training.spec.parent / "images"
    shutil.copytree(experiment.images, images)
    bad = images / "1_noisy.ome.tif"
    pixels = tifffile.imread(bad)
    spoil(pixels)
    tifffile.imwrite(bad, pixels, metadata={"axes": "CYX"})
    training.refused(f"{bad}, channel 'mitochondria': {message}", text=SPEC)


def test_a_training_image_of_another_size_or_truncated(training: Training, experiment: Experiment) -> None:
    images = training.spec.parent / "images"
    shutil.copytree(experiment.images, images)
    bad = images / "1_clean.ome.tif"
    tifffile.imwrite(bad, noise(2, 16, 32), metadata={"axes": "CYX"})
    training.refused(
        f"{bad}: expected the shape of 1_noisy.ome.tif, (2, 32, 32) (got (2, 16, 32))", text=SPEC
    )
    bad.write_bytes((images / "0_clean.ome.tif").read_bytes()[:3000])
    training.refused(f"{bad}: the file is truncated (got 3000 bytes", "Copy it again", text=SPEC)
    bad.unlink()
    training.refused("1_noisy.ome.tif: it has no clean partner (expected '1_clean.ome.tif'", text=SPEC)


def test_no_images(training: Training) -> None:
    training.refused("images: there is no such folder. Check the path, or put the images", text=SPEC)
    for command in (("train", training.spec, "--out", training.out), ("data", "check", training.spec)):
        said = " ".join(run(*command).output.split())
        assert "put the images or a link to them there." in said
        assert "evaluate" not in said
    (training.spec.parent / "images").write_bytes(b"")
    training.refused("images: is a file, but a folder is needed. Give the folder that it lies in.", text=SPEC)
    (training.spec.parent / "images").unlink()
    (training.spec.parent / "images").mkdir()
    training.refused(
        "images: no file matches (got observed='*_noisy.ome.tif'). Correct path or pattern.", text=SPEC
    )
