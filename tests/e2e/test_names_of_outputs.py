"""A name that a file can have is one that a prediction can have; others are refused before the work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import denoisplit
from denoisplit.core.errors import DenoisplitError
from tests.cli.refusals import noise, refused
from tests.cli.refusals import run as command
from tests.e2e.experiment import Experiment

ENDING = ".ome.tif"


@pytest.mark.parametrize("letter", ["a", "µ"])
@pytest.mark.parametrize("length", [235, 249, 255])
def test_the_longest_names_are_written(run: denoisplit.Run, tmp_path: Path, letter: str, length: int) -> None:
    stem = letter * ((length - len(ENDING)) // len(letter.encode()))
    out = tmp_path / f"{stem}{ENDING}"
    found = run.predict_file(noise(20, 20), out, samples=2, tile=8)
    assert np.array_equal(found.mean, run.predict(noise(20, 20), samples=2, tile=8).mean)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def told_at_once(run: denoisplit.Run, out: Path) -> str:
    """What is said of an output before anything is predicted."""

    def work(_done: int, _total: int) -> None:
        raise AssertionError("something was predicted")

    with pytest.raises(DenoisplitError) as caught:
        run.predict_file(noise(20, 20), out, samples=2, progress=work)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", [f"{'a' * 248}{ENDING}", f"{'µ' * 124}{ENDING}", f"a\0b{ENDING}"])
def test_a_name_that_no_file_can_have(
    run: denoisplit.Run, experiment: Experiment, tmp_path: Path, name: str
) -> None:
    said = "no file can have this name"
    assert said in told_at_once(run, tmp_path / name)
    if "\0" not in name:
        refused(
            command("predict", experiment.run, tmp_path / "a.tif", "--out", tmp_path / name), "name too long"
        )
    assert list(tmp_path.iterdir()) == []


def _hdf5(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["raw"] = noise(20, 20)
        file["group/notes"] = [1, 2, 3]
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


TAKEN: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "through a data set": (
        _hdf5,
        "/raw/pred",
        "cells.h5/raw/pred: the path leads through an image (got the data set raw). Choose",
    ),
    "deeper": (_hdf5, "/group/notes/a/b", "leads through an image (got the data set group/notes)"),
    "a group": (_hdf5, "/group", "something else has this name, which is never replaced"),
    "a file of several": (_hdf5, "", "something else has this name, which is never replaced"),
    "a folder": (_folder, "", "something else has this name, which is never replaced (got a folder)"),
}


@pytest.mark.parametrize(("make", "inside", "said"), TAKEN.values(), ids=TAKEN)
def test_a_name_that_is_not_to_be_had(
    run: denoisplit.Run, experiment: Experiment, tmp_path: Path, make: Any, inside: str, said: str
) -> None:
    made = make(tmp_path / "cells.h5")
    before = made.read_bytes() if made.is_file() else b""
    image, out = tmp_path / "a.npy", Path(f"{made}{inside}")
    np.save(image, noise(20, 20))
    assert said in told_at_once(run, out)
    for flags in ((), ("--overwrite",)):
        refused(command("predict", experiment.run, image, "--out", out, *flags), said)
    assert (made.read_bytes() if made.is_file() else b"") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "cells.h5"]
