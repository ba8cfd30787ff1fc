"""Bad input gives one clear line on stderr, exit code 2, nothing written, never a traceback: prediction."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from denoisplit.core.storage.json_records import write_mapping
from tests.cli.refusals import Stack, noise, refused, run
from tests.e2e.experiment import Experiment

# Prediction: the image


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "prediction.ome.tif"


IMAGES: dict[str, tuple[Stack, dict[str, Any], str]] = {
    "two channels": (noise(2, 9, 9), {"axes": "CYX"}, "expected 1 channel (got 2). Give the mixed image"),
    "NaN": (
        np.where(np.arange(81).reshape(9, 9) == 12, np.nan, noise(9, 9)),
        {"axes": "YX"},
        "1 of 81 pixels are NaN or infinite (got nan at (1, 3)). Replace or crop them.",
    ),
    "NaN in a series": (
        np.where(np.arange(162).reshape(2, 9, 9) == 93, np.inf, noise(2, 9, 9)),
        {"axes": "TYX"},
        " t=1: 1 of 81 pixels are NaN or infinite (got inf at (1, 3)). Replace or crop them.",
    ),
    "constant": (np.full((9, 9), 3, np.float32), {"axes": "YX"}, "all pixels are equal (got 3.0). Remove"),
    "one pixel": (noise(1, 1), {"axes": "YX"}, "an image needs more than one pixel (got shape (1, 1))"),
    "no axes": (
        noise(3, 9, 9),
        {},
        "the file does not say what its axes are (got shape (3, 9, 9): could be zyx or tyx). Give axes='zyx'",
    ),
    "complex": (
        noise(9, 9).astype(np.complex64),
        {"axes": "YX"},
        "pixels must be real numbers (got complex64)",
    ),
}


@pytest.mark.parametrize(("pixels", "metadata", "message"), IMAGES.values(), ids=IMAGES)
def test_an_image_of_no_use(
    experiment: Experiment, tmp_path: Path, out: Path, pixels: Stack, metadata: dict[str, Any], message: str
) -> None:
    image = tmp_path / "image.tif"
    tifffile.imwrite(image, pixels, metadata=metadata or None, photometric="minisblack")
    refused(run("predict", experiment.run, image, "--out", out), str(image), message)
    assert not out.exists()


def test_a_file_that_is_no_image(experiment: Experiment, tmp_path: Path, out: Path) -> None:
    image = tmp_path / "image.tif"
    refused(
        run("predict", experiment.run, image, "--out", out),
        f"{image}: there is no such file. Check the path.",
    )
    tifffile.imwrite(image, noise(20, 20))
    image.write_bytes(image.read_bytes()[:900])
    refused(
        run("predict", experiment.run, image, "--out", out), f"{image}: the file is truncated (got 900 bytes"
    )
    for junk in (b"", b"hello"):
        image.write_bytes(junk)
        refused(
            run("predict", experiment.run, image, "--out", out),
            f"{image}: not a readable TIFF file (got: not",
        )
    refused(
        run("predict", experiment.run, tmp_path / "image.jpg", "--out", out),
        "image.jpg: no image format for this file name (known: .czi, .dv, .h5, .hdf5, .lif, .lsm, .mrc,",
    )


def test_axes_that_do_not_fit(experiment: Experiment, tmp_path: Path, out: Path) -> None:
    image = tmp_path / "image.tif"
    tifffile.imwrite(image, noise(9, 9))
    for axes, message in (
        ("TYX", "axes 'TYX' do not fit the image (got shape (9, 9)). Give one letter"),
        ("QX", "axes have unknown letters 'q' (got 'QX'). Give one letter of 'stczyx' per axis"),
        ("XX", "axes name the same axis twice (got 'XX')"),
    ):
        refused(run("predict", experiment.run, image, "--out", out, "--axes", axes), f"{image}: {message}")


# Prediction: the output


@pytest.fixture
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose files nobody can read, which shows where they are read."""
    folder = tmp_path_factory.mktemp("damaged")
    for name in ("model.json", "model.safetensors"):
        (folder / name).write_text("?")
    return folder


def test_an_output_that_cannot_be_written(experiment: Experiment, damaged: Path, tmp_path: Path) -> None:
    image = tmp_path / "image.tif"
    tifffile.imwrite(image, noise(9, 9))
    # Names are checked before anything else, so that nobody waits for a prediction that cannot be stored.
    for run_folder in (experiment.run, damaged):
        before = image.read_bytes()
        refused(
            run("predict", run_folder, image, "--out", image),
            f"{image}: is an input itself (got {image}). Choose another name.",
        )
        assert image.read_bytes() == before
        refused(
            run("predict", run_folder, image, "--out", tmp_path / "out.png"),
            "Choose a name that ends in .h5, .hdf5, .mrc, .mrcs, .npz, .ome.btf, .ome.tif, .ome.tiff,",
        )
        (tmp_path / "folder.tif").mkdir(exist_ok=True)
        refused(
            run("predict", run_folder, image, "--out", tmp_path / "folder.tif", "--overwrite"),
            "folder.tif: is a folder. Give the name of a file.",
        )
    refused(run("predict", experiment.run, image, "--out", image / "out.tif"), "out.tif: lies in an input")
    (tmp_path / "file").touch()
    for out in ("a.ome.tif", "a.ome.zarr"):
        for options in ((), ("--tile", "8"), ("--shard", "1/2")):
            refused(
                run("predict", experiment.run, image, "--out", tmp_path / "file" / out, *options),
                f"{out}: it cannot be written (got: ",
            )
    assert len(list(tmp_path.iterdir())) == 3


def test_with_an_output_that_exists_the_flaws_of_the_input_are_told(
    experiment: Experiment, tmp_path: Path, out: Path
) -> None:
    image, labels = tmp_path / "image.tif", tmp_path / "labels.tif"
    tifffile.imwrite(out, noise(9, 9))
    words = ("--out", out, "--output", "mean,sdt", "--labels", labels, "--axes", "TYX")
    told = run("predict", tmp_path / "not there", image, *words).stderr.splitlines()
    parts = (
        f"{out}: exists already. Choose another --out, or add --overwrite.",
        f"{tmp_path / 'not there'}: no such run folder.",
        f"{image}: there is no such file.",
        f"{labels}: there is no such file.",
        "prediction.output: no such image (got 'sdt').",
    )
    assert len(told) == len(parts)
    assert all(line.startswith(part) for line, part in zip(told, parts, strict=True))
    tifffile.imwrite(image, noise(9, 9))
    told = run("predict", experiment.run, image, "--out", out, "--labels", labels).stderr.splitlines()
    assert [line.partition(". ")[0] for line in told] == [
        f"{out}: exists already",
        f"{labels}: there is no such file",
    ]
    refused(run("predict", experiment.run, image, "--out", out), f"{out}: exists already")


def test_what_is_no_image_is_never_replaced(experiment: Experiment, damaged: Path, tmp_path: Path) -> None:
    image, kept = tmp_path / "image.tif", tmp_path / "results.zarr" / "thesis.txt"
    tifffile.imwrite(image, noise(9, 9))
    kept.parent.mkdir()
    kept.write_text("years of work")
    for run_folder in (experiment.run, damaged):
        refused(
            run("predict", run_folder, image, "--out", kept.parent, "--overwrite"),
            f"{kept.parent}: something else has this name, which is never replaced (got a folder). Choose",
        )
        assert kept.read_text() == "years of work"


def test_an_image_inside_its_own_input_is_not_written(experiment: Experiment, tmp_path: Path) -> None:
    image, out = tmp_path / "cells.h5", tmp_path / "cells.h5" / "data"
    with h5py.File(image, "w") as file:
        file["data"] = noise(9, 9)
    before = image.read_bytes()
    for name in (image, out, f"{image}::data"):
        refused(run("predict", experiment.run, image, "--out", name, "--overwrite"), "is an input itself")
        assert image.read_bytes() == before


# The run


def _remove(run_folder: Path) -> None:
    (run_folder / "model.safetensors").unlink()


def _corrupt(run_folder: Path) -> None:
    (run_folder / "model.json").write_text('{"format": 1')


def _truncate(run_folder: Path) -> None:
    weights = run_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _no_run(run_folder: Path) -> None:
    shutil.rmtree(run_folder)
    run_folder.mkdir()
    (run_folder / "cells.tif").touch()


def _other_component(run_folder: Path) -> None:
    description = run_folder / "model.json"
    plain = json.loads(description.read_text())
    plain["spec"]["model"]["encoder"]["use"] = "elsewhere/mine"
    write_mapping(description, plain)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_remove, "model.safetensors is missing. Finish the training with 'denoisplit train"),
        (_corrupt, "model.json: is not the description of a run (Expecting ',' delimiter"),
        (_truncate, "model.safetensors: the file is damaged (got other bytes than were written"),
        (_other_component, "$.model.encoder.use: encoder elsewhere/mine: not installed."),
        (
            _no_run,
            "run: is not a run folder (there is no model.json). Give the folder that 'denoisplit train",
        ),
        (shutil.rmtree, "run: no such run folder. Give the folder that 'denoisplit train --out' wrote."),
    ],
)
@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_damaged_run(
    experiment: Experiment,
    tmp_path: Path,
    out: Path,
    command: str,
    damage: Callable[[Path], None],
    message: str,
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(experiment.run, copy)
    damage(copy)
    image = tmp_path / "image.tif"
    tifffile.imwrite(image, noise(9, 9))
    arguments: tuple[object, ...] = (image, "--out", out) if command == "predict" else ()
    refused(run(command, copy, *arguments), str(copy), message)
    assert not out.exists()


# Evaluation


def test_evaluation_without_truth_or_with_a_typo(experiment: Experiment, tmp_path: Path) -> None:
    noisy = f"data.test={{use: folder, path: {experiment.images}, observed: '*_noisy*'}}"
    refused(
        run("evaluate", experiment.run, "--set", noisy),
        "none of the 3 fields has a clean reference. Name the",
    )
    typo = "data.test.sizes=30"
    refused(run("evaluate", experiment.run, "--set", typo), f"--set {typo}: unknown key")
    refused(
        run("evaluate", experiment.run, "--metrics", "psnr,psrn"), "metrics: no such score (got psrn). Use"
    )
    figure = tmp_path / "figure.txt"
    refused(
        run("evaluate", experiment.run, "--figure", figure),
        "figure.txt: figures are written as PNG. Choose a name",
    )


def test_files_that_the_system_refuses_are_a_message_too(experiment: Experiment, tmp_path: Path) -> None:
    refused(run("evaluate", experiment.run, "--json", tmp_path), f"{tmp_path}: is a folder. Give the name")
    (tmp_path / "file").touch()
    blocked = tmp_path / "file" / "run"
    refused(
        run("train", experiment.spec, "--out", blocked), "Not a directory. Check the path, permissions and"
    )


def test_a_demo_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "demo").touch()
    refused(run("demo", "--out", tmp_path / "demo"), "demo: is a file. Choose another --out.")


def test_a_prediction_says_what_can_be_chosen_instead_of_a_value_of_the_spec(experiment: Experiment) -> None:
    result = run("predict", experiment.run, "none.tif", "--out", "a.tif", "--set", "prediction.samples=3")
    assert result.exit_code == 2
    assert "stays as it was trained (got --set prediction.samples=3). Choose --samples" in result.stderr
