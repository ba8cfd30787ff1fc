"""Nothing that is read, was trained or was made by others is ever replaced, whatever it is called."""

import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import zarr

import denoisplit
from denoisplit.core.errors import DenoisplitError
from denoisplit.core.images.bases import Image
from denoisplit.core.storage.image_files import ImageInputs, save_image
from denoisplit.core.storage.write_guards import require_apart, require_figure
from denoisplit.plugins.image_formats._hdf5_beside import add_beside
from tests.cli.refusals import refused, run
from tests.e2e.experiment import Experiment

PIXELS = np.arange(63, dtype=np.float32).reshape(7, 9)


def _image(path: Path) -> Path:
    save_image(path, Image(data=PIXELS, axes="yx"))
    return path


def _h5(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["raw"], file["group/notes"] = PIXELS, [1, 2, 3]
    return path


def _content(path: Path) -> bytes:
    if path.is_file():
        return path.read_bytes()
    return b"".join(file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file())


NAMES = {
    "itself": "a.tif",
    "by a link": "link.tif",
    "by a second name": "hard.tif",
    "by another way": "sub/../a.tif",
    "by a linked folder": "here/a.tif",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_an_input_is_never_replaced(tmp_path: Path, name: str) -> None:
    image = _image(tmp_path / "a.tif")
    (tmp_path / "link.tif").symlink_to(image)
    (tmp_path / "hard.tif").hardlink_to(image)
    (tmp_path / "here").symlink_to(tmp_path)
    (tmp_path / "sub").mkdir()
    said = r"is an input itself .*\. Choose another name\.$"
    with pytest.raises(DenoisplitError, match=said):
        ImageInputs([image]).require_writable(tmp_path / name, overwrite=True)
    with pytest.raises(DenoisplitError, match=said):
        ImageInputs([image]).require_other(tmp_path / name)
    ImageInputs([image]).require_writable(tmp_path / "b.tif", overwrite=True)


def test_a_check_costs_the_same_however_many_inputs_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    images = [_image(tmp_path / f"{number}.tif") for number in range(20)]
    few, many = ImageInputs(images[:1]), ImageInputs(images)
    real = os.path.realpath

    def counted(path: Path | str) -> str:
        asked.append(path)
        return real(path)

    monkeypatch.setattr(os.path, "realpath", counted)
    counts = []
    for inputs in (few, many):
        inputs.require_other(tmp_path / "b.tif")
        counts.append(len(asked))
        asked.clear()
    assert counts[0] == counts[1] > 0


def test_nothing_is_written_around_or_into_an_input(tmp_path: Path) -> None:
    folder = _image(tmp_path / "a.zarr")
    with pytest.raises(DenoisplitError, match="lies in an input"):
        ImageInputs([folder]).require_writable(folder / "b.tif", overwrite=True)
    labels = _image(tmp_path / "b.zarr" / "labels.tif")
    with pytest.raises(DenoisplitError, match="contains an input"):
        ImageInputs([folder, labels]).require_writable(tmp_path / "b.zarr", overwrite=True)


@pytest.mark.parametrize("mark", ["model.json", "checkpoints/resume.ckpt", "sequence.json"])
def test_nothing_is_written_into_a_run(tmp_path: Path, mark: str) -> None:
    (tmp_path / "run" / mark).parent.mkdir(parents=True)
    (tmp_path / "run" / mark).touch()
    (tmp_path / "elsewhere").symlink_to(tmp_path / "run")
    for name in ("run/out.tif", "run/sub/out.zarr", "elsewhere/out.tif"):
        with pytest.raises(DenoisplitError, match="lies in the folder of a run"):
            ImageInputs([]).require_writable(tmp_path / name, overwrite=True)
    require_apart(tmp_path / "run")


def test_a_data_set_is_written_beside_the_others_of_its_file(tmp_path: Path) -> None:
    file = _h5(tmp_path / "cells.h5")
    raw = file / "raw"
    before = file.stat().st_ino
    for overwrite in (False, True):
        ImageInputs([raw]).require_writable(file / "pred" / "1", overwrite=overwrite)
        _image(file / "pred" / "1")
        assert file.stat().st_ino != before, "the file was written to in its place"
        with h5py.File(file) as opened:
            assert np.array_equal(opened["raw"][...], PIXELS)
            assert list(opened["group/notes"]) == [1, 2, 3]
            assert np.array_equal(opened["pred/1"][...], PIXELS)
    with pytest.raises(DenoisplitError, match=r"cells\.h5/pred/1: exists already\. .* add --overwrite\."):
        ImageInputs([raw]).require_writable(file / "pred" / "1", overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["cells.h5"]


@pytest.mark.parametrize("name", [".h5", ".h5/raw", ".h5::raw", ".h5/raw/x", ".h5/group"])
def test_data_sets_of_others_stay(tmp_path: Path, name: str) -> None:
    file = _h5(tmp_path / "cells.h5")
    out, before = Path(f"{file.with_suffix('')}{name}"), file.read_bytes()
    for overwrite in (False, True):
        with pytest.raises(DenoisplitError, match=r"(is an input itself|never replaced)") as caught:
            ImageInputs([file / "raw"]).require_writable(out, overwrite=overwrite)
        assert "--overwrite" not in str(caught.value), "the advice destroys"
    if name in (".h5", ".h5/group"):
        with pytest.raises(DenoisplitError, match="something else has this name"):
            _image(out)
    assert file.read_bytes() == before


def test_a_file_that_was_changed_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, made = _h5(tmp_path / "cells.h5"), _image(tmp_path / "made.h5")
    copy = shutil.copyfile

    def slow(source: Any, target: Any) -> None:
        copy(source, target)
        os.utime(source, (1, 1))

    monkeypatch.setattr(shutil, "copyfile", slow)
    with pytest.raises(DenoisplitError, match="was changed meanwhile"):
        add_beside(made, file, name="data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells.h5", "made.h5"]


@pytest.mark.parametrize("name", ["notes.txt", "labels/zarr.json", "0/c/thesis.doc", "A/1/0/zarr.json"])
@pytest.mark.parametrize("ending", [".zarr", ".ome.zarr"])
def test_a_zarr_folder_with_other_things_is_never_replaced(tmp_path: Path, name: str, ending: str) -> None:
    folder = _image(tmp_path / f"a{ending}")
    ImageInputs([]).require_writable(folder, overwrite=True)
    _image(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("years of work")
    before = _content(folder)
    with pytest.raises(DenoisplitError, match="never replaced"):
        ImageInputs([]).require_writable(folder, overwrite=True)
    with pytest.raises(DenoisplitError, match="something else has this name"):
        _image(folder)
    assert _content(folder) == before


def test_a_zarr_group_with_two_arrays_is_never_replaced(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    for name in ("raw", "other"):
        group.create_array(name, data=PIXELS)
    with pytest.raises(DenoisplitError, match="never replaced"):
        ImageInputs([]).require_writable(tmp_path / "a.zarr", overwrite=True)


def test_a_linked_zarr_folder_is_replaced_where_it_is(tmp_path: Path) -> None:
    _image(tmp_path / "real" / "a.ome.zarr")
    link = tmp_path / "l.ome.zarr"
    link.symlink_to("real/a.ome.zarr")
    _image(link)
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.rglob("*.zarr")) == ["a.ome.zarr", "l.ome.zarr"]
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["a.ome.zarr"]


def test_figures_replace_figures_alone(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    ours, photo = tmp_path / "ours.png", tmp_path / "photo.png"
    Figure().savefig(ours)
    tifffile.imwrite(photo, PIXELS)
    require_figure(ours)
    with pytest.raises(DenoisplitError, match=r"photo\.png: a file that is not a figure of denoisplit"):
        require_figure(photo)
    with pytest.raises(DenoisplitError, match="lies in an input"):
        require_figure(ours, tmp_path)


COMMANDS = {
    "schema": ("schema", "--out", "kept/thesis.txt"),
    "new": ("new", "kept/thesis.txt", "--data", "data", "--overwrite"),
    "demo": ("demo", "--out", "kept"),
    "a demo in a run": ("demo", "--out", "run"),
    "a run in a run": ("train", "spec.yaml", "--out", "run/second"),
    "a sequence in a run": ("train-sequence", "spec.yaml", "spec.yaml", "--out", "run/second"),
    "an imported run in a run": ("import-checkpoint", "a.ckpt", "--config", "c.yaml", "--out", "run/second"),
    "a sheet over a picture": ("data", "check", "spec.yaml", "--sheet", "kept/photo.png"),
    "a spec in a run": ("new", "run/spec.yaml", "--data", "data", "--overwrite"),
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_commands_replace_what_they_made_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = {"kept/thesis.txt", "kept/photo.png", "kept/run/my_notes.txt", "run/model.json", "run/spec.yaml"}
    for name in kept:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(f"years of work: {name}", encoding="utf-8")
    Path("spec.yaml").write_text(
        "spec_version: 1\npreset: denoisplit\ndata: {train: {use: simulated}}\n", encoding="utf-8"
    )
    refused(run(*words), "Choose another")
    assert {path.as_posix() for path in Path().rglob("*") if path.is_file()} == kept | {"spec.yaml"}
    assert all(Path(name).read_text(encoding="utf-8") == f"years of work: {name}" for name in kept)


def test_a_demo_takes_the_place_of_a_demo(tmp_path: Path) -> None:
    from denoisplit.cli.demo import _begin

    _begin(tmp_path / "demo")
    run_folder = tmp_path / "demo" / "run"
    run_folder.mkdir()
    (run_folder / "model.json").touch()
    _begin(tmp_path / "demo")
    (run_folder / "my_notes.txt").touch()
    with pytest.raises(DenoisplitError, match=r"did not make, .*my_notes\.txt"):
        _begin(tmp_path / "demo")


def test_a_prediction_in_memory_replaces_no_input(experiment: Experiment, tmp_path: Path) -> None:
    image = _image(tmp_path / "a.tif")
    run = denoisplit.load(experiment.run)
    prediction = run.predict(image, samples=2)
    before = image.read_bytes()
    with pytest.raises(DenoisplitError, match=r"is an input itself \(got .*a\.tif"):
        prediction.save(image)
    with pytest.raises(DenoisplitError, match=r"lies in an input"):
        prediction.save(experiment.run / "p.ome.tif")
    assert image.read_bytes() == before
    for _ in range(2):
        prediction.save(tmp_path / "b.ome.tif")
