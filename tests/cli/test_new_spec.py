"""``denoisplit new``: what it makes of folders as people have them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import Result

import denoisplit
from denoisplit.core.spec import ResolvedSpec, load_spec
from denoisplit.core.training.data.pairs import best_source
from denoisplit.core.training.data.prepare import prepare
from tests.cli.refusals import refused, run
from tests.survey.pictures import GAIN, OFFSET, exposure, field, light, write

TINY = (
    "model.encoder={levels: 2, width: 4, binning: 1}",
    "model.decoder={latent_channels: 2}",
    "model.noise_model={components: 1, fit_pairs: 1000, fit_steps: 2}",
    "training={start_from: null, steps: 5, batch: 1, patch: 16}",
    "prediction.samples=4",
)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return tmp_path / "my-split.yaml"


def new(spec: Path, *arguments: object) -> Result:
    return run("new", spec, "--data", spec.parent / "images", "--quick", *arguments)


def proposed(spec: Path, *arguments: object) -> ResolvedSpec:
    """What is proposed; the spec passes the check."""
    result = new(spec, *arguments)
    assert result.exit_code == 0, result.output
    assert run("check", spec).exit_code == 0
    return load_spec(spec)


def write_pairs(folder: Path, count: int, *, side: int = 64, channels: int = 2, seed: int = 0) -> None:
    for number in range(count):
        noisy, clean = field(side, seed=seed + number, channels=channels)
        axes = "cyx" if channels > 1 else "yx"
        for kind, image in (("noisy", noisy), ("clean", clean)):
            write(folder / f"f{number}_{kind}.tif", image if channels > 1 else image[0], axes)


def options(chosen: Any) -> dict[str, Any]:
    return {name: getattr(chosen.options, name) for name in ("path", "observed", "clean", "channel_index")}


def test_noisy_and_clean_files_in_one_folder_and_the_run_they_train(spec: Path) -> None:
    write_pairs(spec.parent / "images", 3)
    found = proposed(spec, "--channels", "nuclei,actin", "--mixing", "sum")
    assert found.channels == ("nuclei", "actin")
    assert found.data.mixing.mode == "sum"
    assert abs(found.data.mixing.offset - OFFSET) < 10
    assert found.data.noise_pairs == "clean"
    assert "path: images\n" in spec.read_text(encoding="utf-8")
    trained = denoisplit.train(spec, spec.parent / "run", overrides=TINY)
    assert trained.predict(field(32, seed=5)[0][0]).channel_names == ("nuclei", "actin")


def test_the_fields_are_those_of_the_files(spec: Path) -> None:
    write_pairs(spec.parent / "images" / "train", 3)
    write_pairs(spec.parent / "images" / "test", 2, seed=10)
    noisy, _ = field(64, seed=0)
    data = prepare(load_spec(spec)) if new(spec, "--channels", "-,b").exit_code == 0 else None
    assert data is not None
    (first,) = [one for one in (*data.train, *data.validation) if one.name == "f0_noisy.tif"]
    np.testing.assert_array_equal(first.observed, noisy[1:])


def test_two_folders_are_for_training_and_validation(spec: Path) -> None:
    write_pairs(spec.parent / "images" / "train", 3)
    write_pairs(spec.parent / "images" / "val", 2)
    data = proposed(spec).data
    assert data.validation is not None
    assert data.validation.options.path == spec.parent / "images" / "val"
    assert data.test is None


def test_names_are_asked_for_where_the_files_have_none(spec: Path) -> None:
    write_pairs(spec.parent / "images", 2)
    result = new(spec)
    assert load_spec(spec).channels == ("structure_1", "structure_2")
    asked = [line for line in result.stdout.splitlines() if line.startswith("Decide:")]
    assert "--channels a,b" in asked[0]
    assert "--mixing sum" in asked[1]
    assert "# EDIT: names of the structures" in spec.read_text(encoding="utf-8")


def test_names_in_the_files_are_taken(spec: Path) -> None:
    folder = spec.parent / "images"
    folder.mkdir()
    for number in range(2):
        tifffile.imwrite(
            folder / f"{number}.ome.tif",
            field(64, seed=number)[0],
            ome=True,
            metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "FITC"]}, "PhysicalSizeX": 0.1},
        )
    found = proposed(spec)
    assert found.channels == ("DAPI", "FITC")
    assert found.data.noise_pairs == "bootstrap"
    assert found.data.train.options.observed == "*.ome.tif"


def test_names_in_the_files_that_no_spec_may_have_are_asked_for(spec: Path) -> None:
    folder = spec.parent / "images"
    folder.mkdir()
    for number in range(2):
        named = {"axes": "CYX", "Channel": {"Name": ["488/525", "561/600"]}}
        tifffile.imwrite(folder / f"{number}.ome.tif", field(64, seed=number)[0], ome=True, metadata=named)
    assert proposed(spec).channels == ("structure_1", "structure_2")


def test_one_channel_is_denoised(spec: Path) -> None:
    write_pairs(spec.parent / "images", 3, channels=1)
    found = proposed(spec, "--channels", "actin")
    assert found.channels == ("actin",)
    assert "preset: hdn" in spec.read_text(encoding="utf-8")


def test_brackets_in_names_mean_what_they_say(spec: Path) -> None:
    folder = spec.parent / "images"
    write_pairs(folder, 3)
    for path in list(folder.iterdir()):
        path.rename(folder / f"{path.stem} [x].tif")
    found = proposed(spec)
    assert found.data.train.options.observed == "*_noisy [[]x].tif"
    data = prepare(found)
    assert {one.clean is not None for one in (*data.train, *data.validation)} == {True}


def test_endings_of_several_kinds_leave_other_files_out(spec: Path) -> None:
    folder = spec.parent / "images"
    write_pairs(folder, 3)
    for number, ending in enumerate((".TIF", ".tiff")):
        for kind in ("noisy", "clean"):
            path = folder / f"f{number}_{kind}.tif"
            path.rename(path.with_suffix(ending))
    (folder / "seen_noisy.txt").write_text("notes")
    data = prepare(proposed(spec))
    assert {one.clean is not None for one in (*data.train, *data.validation)} == {True}


def test_movies_are_learnt_from_plane_by_plane(spec: Path) -> None:
    for number in range(2):
        stack = np.stack([field(64, seed=10 * number + t, channels=1)[0][0] for t in range(3)])
        write(spec.parent / "images" / f"{number}.tif", stack, "zyx")
    found = proposed(spec)
    assert found.data.train.options.dimensions == 2
    data = prepare(found)
    assert len(data.train) + len(data.validation) == 6


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_recorded_mixed_images_tell_how_they_were_mixed(spec: Path, mode: str) -> None:
    for number in range(3):
        noisy, _ = field(64, seed=number)
        light = (noisy - OFFSET).sum(0) / (2 if mode == "mean" else 1)
        write(spec.parent / "images" / f"{number}_targets.tif", noisy, "cyx")
        write(spec.parent / "images" / f"{number}_mixed.tif", (OFFSET + light).astype(np.uint16), "yx")
    result = new(spec, "--channels", "a,b")
    assert "Decide" not in result.stdout
    found = load_spec(spec)
    assert found.data.mixing.mode == mode
    assert found.data.train.options.mixed == "*_mixed.tif"
    assert found.data.train.options.observed == "*_targets.tif"
    assert all(one.mixed is not None for one in prepare(found).train)


def test_a_bad_file_among_good_ones_is_named(spec: Path) -> None:
    folder = spec.parent / "images"
    write_pairs(folder, 3)
    (folder / "f9_noisy.tif").write_bytes(b"II*\0nothing")
    (folder / "preview.tif").write_bytes(b"")
    result = new(spec)
    assert result.exit_code == 0
    notes = [line for line in result.stdout.splitlines() if line.startswith("Note:")]
    assert any("f9_noisy.tif is left out" in line for line in notes)
    assert any("preview.tif is left out" in line for line in notes)
    assert any("Move f9_noisy.tif away" in line for line in notes)


def test_images_of_different_sizes_get_a_patch_that_fits_all(spec: Path) -> None:
    write_pairs(spec.parent / "images", 2, side=96)
    noisy, clean = field(40, seed=9)
    write(spec.parent / "images" / "f9_noisy.tif", noisy, "cyx")
    write(spec.parent / "images" / "f9_clean.tif", clean, "cyx")
    patch = proposed(spec).training.patch
    assert isinstance(patch, int)
    assert patch <= 40
    assert "40 x 40 to 96 x 96 pixels" in spec.read_text(encoding="utf-8")


def test_saturated_images_are_remarked(spec: Path) -> None:
    for number in range(2):
        noisy, _ = field(64, seed=number)
        write(spec.parent / "images" / f"{number}.tif", np.minimum(noisy, 400).astype(np.uint16), "cyx")
    result = new(spec)
    assert result.exit_code == 0
    assert "too much light for the camera" in result.stdout


def test_the_brightest_pixel_of_a_small_image_is_not_saturated(spec: Path) -> None:
    for number in range(6):
        write(spec.parent / "images" / f"{number}.tif", field(24, seed=number)[0], "cyx")
    assert "too much light" not in new(spec).stdout


def test_a_file_is_replaced_only_when_asked(spec: Path) -> None:
    write_pairs(spec.parent / "images", 2)
    spec.write_text("mine", encoding="utf-8")
    refused(new(spec), "exists already", "--overwrite")
    assert spec.read_text(encoding="utf-8") == "mine"
    assert new(spec, "--overwrite").exit_code == 0
    assert "preset: denoisplit" in spec.read_text(encoding="utf-8")


def test_the_time_is_measured_unless_it_should_be_quick(spec: Path) -> None:
    write_pairs(spec.parent / "images", 2, side=32)
    result = run("new", spec, "--data", spec.parent / "images")
    assert result.exit_code == 0
    assert "training takes about" in spec.read_text(encoding="utf-8")
    assert "an estimate" in result.stdout


def test_folders_without_usable_images_are_refused(spec: Path) -> None:
    folder = spec.parent / "images"
    refused(new(spec), "images", "no such folder")
    folder.write_bytes(b"")
    refused(new(spec), "images: is a file, but a folder is needed. Give --data the folder it lies in.")
    folder.unlink()
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "notes.txt").write_text("hello")
    refused(
        new(spec), "no image in it (got 1 .jpg, a JPEG picture, which keeps no exact pixels, 1 .txt;", ".tif"
    )
    tifffile.imwrite(folder / "a.tif", np.zeros((32, 32, 3), np.uint8), photometric="rgb")
    refused(new(spec), "none of its 1 images", "RGB picture", "--axes")
    assert not spec.exists()


def test_axes_that_the_files_do_not_tell_are_asked_for_and_taken(spec: Path) -> None:
    folder = spec.parent / "images"
    folder.mkdir()
    for number in range(2):
        tifffile.imwrite(folder / f"{number}.tif", field(64, seed=number)[0], photometric="minisblack")
    refused(new(spec), "does not say what its axes are", "--axes cyx")
    found = proposed(spec, "--axes", "cyx")
    assert found.data.train.options.axes == "cyx"
    assert len(prepare(found).train) == 1


def test_images_too_small_to_learn_from_are_refused(spec: Path) -> None:
    for number in range(2):
        write(spec.parent / "images" / f"{number}.tif", field(6, seed=number)[0], "cyx")
    refused(new(spec), "too small", "side of 6 pixels")


@pytest.mark.parametrize("names", ["a", "a,b,c", "a,a", "mixed,b", "a,é/x", "e\u0301,\u00e9", "a,x\u200bb"])
def test_names_that_do_not_fit_are_refused(spec: Path, names: str) -> None:
    write_pairs(spec.parent / "images", 2)
    refused(new(spec, "--channels", names), "--channels")


def test_real_images_give_the_data_of_the_example(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENOISPLIT_DATA", str(data_root.resolve()))
    example = load_spec(Path(denoisplit.__file__).parents[1] / "examples" / "w2s" / "split.yaml")
    spec = tmp_path / "w2s.yaml"
    folder = data_root.resolve() / "benchmark" / "w2s"
    result = run("new", spec, "--data", folder, "--quick", "--channels", "mitochondria,-,actin")
    assert result.exit_code == 0, result.output
    found = load_spec(spec)
    assert found.channels == example.channels
    assert found.data == example.data
    assert found.model == example.model
    assert found.training.patch == example.training.patch


@pytest.mark.parametrize("clean", ["{f}_{s}_highsnr", "{s}/highsnr/{f}"])
def test_high_and_low_signal_to_noise_are_clean_and_noisy(spec: Path, clean: str) -> None:
    folder = spec.parent / "images"
    for number in range(4):
        noisy, reference = field(32, seed=number)
        for channel, name in enumerate(("actin", "mito")):
            stem = clean.format(f=f"c{number}-60x", s=name)
            write(folder / f"{stem}.tif", reference[channel], "yx")
            write(folder / f"{stem.replace('highsnr', 'lowsnr')}.tif", noisy[channel], "yx")
    found = proposed(spec)
    assert found.channels == ("actin", "mito")
    assert found.data.noise_pairs == "clean"
    assert all("lowsnr" in pattern for pattern in found.data.train.options.observed)
    data = prepare(found)
    assert (len(data.train), len(data.validation)) == (2, 2)


def test_names_of_clean_images_that_show_other_cells_are_asked_about(spec: Path) -> None:
    for number in range(4):
        for level, seed in (("Low", number), ("High", 50 + number)):
            image = field(96, seed=seed)[0]
            write(spec.parent / "images" / f"{level}_density_well{number}.tif", image, "cyx")
    result = new(spec, "--channels", "a,b")
    assert "Decide:  Do High_density_well0.tif" in result.stdout
    found = load_spec(spec).data
    assert (found.train.options.observed, found.train.options.clean) == ("Low_*.tif", "")
    assert found.noise_pairs == "bootstrap"


@pytest.mark.parametrize("photons", [0.05, 1.0])
def test_clean_images_of_few_photons_stay_partners(spec: Path, photons: float) -> None:
    for number in range(4):
        cells = light(96, seed=number, mean=photons)
        write(spec.parent / "images" / f"{number}_low.tif", exposure(cells, seed=number), "yx")
        clean = np.round(OFFSET + 1000 * cells / cells.max()).astype(np.uint16)
        write(spec.parent / "images" / f"{number}_high.tif", clean, "yx")
    assert proposed(spec).data.noise_pairs == "clean"


def test_several_frames_with_one_clean_image_are_one_place(spec: Path) -> None:
    for number in range(4):
        _, clean = field(64, seed=number, channels=1)
        frames = [exposure((clean[0] - OFFSET) / GAIN, seed=10 * number + t) for t in range(3)]
        write(spec.parent / "images" / "raw" / f"{number}.tif", np.stack(frames), "tyx")
        write(spec.parent / "images" / "gt" / f"{number}.tif", clean[0], "yx")
    found = proposed(spec)
    assert (found.data.train.options.observed, found.data.train.options.clean) == ("raw/*.tif", "gt/*.tif")
    data = prepare(found)
    held = {one.name.split(" ")[0] for one in data.validation}
    assert len(held) == 2
    assert held.isdisjoint(one.name.split(" ")[0] for one in data.train)
    assert all(one.clean is not None for one in data.train)


def test_exposures_of_one_cell_are_learnt_from_as_repeats(spec: Path) -> None:
    for number in range(4):
        frames = [exposure(light(96, seed=c), seed=10 * number + c) for c in range(2)]
        write(spec.parent / "images" / f"cell1_rep{number}.tif", np.stack(frames), "cyx")
    result = new(spec, "--channels", "a,b")
    assert (
        "cell1_rep0.tif, cell1_rep1.tif, cell1_rep2.tif and 1 more are exposures of one place"
        in result.output
    )
    found = load_spec(spec)
    assert (found.data.noise_pairs, found.data.split.rule) == ("auto", "regions")
    assert best_source(prepare(found).train) == "repeats"
    assert run("data", "check", spec).exit_code == 0
    checked = run("data", "check", spec, "--set", "data.split={rule: random}")
    assert checked.exit_code == 2
    assert "so none can be held out" in checked.output


@pytest.mark.parametrize("cell", ["in the rows held out", "held out"])
def test_exposures_that_are_hardly_seen_in_training_can_be_learnt_from(spec: Path, cell: str) -> None:
    """The only cell that is seen several times is no part of what is learnt from."""
    folder = spec.parent / "images"
    if cell == "held out":
        write(folder / "1.tif", exposure(light(128, seed=1), seed=9), "yx")
        seen = light(128, seed=0)
    else:
        seen = np.concatenate([np.full((88, 128), 60.0), light(128, seed=0)[:40]])
    frames = [exposure(seen, seed=t) for t in range(2)]
    write(folder / "0.tif", np.stack(frames), "tyx")
    result = new(spec)
    assert "are exposures of one place" in result.output
    assert best_source(prepare(load_spec(spec)).train) == "bootstrap"
    assert run("data", "check", spec).exit_code == 0
    trained = run("train", spec, "--out", spec.parent / "run", *(f"--set={one}" for one in TINY))
    assert trained.exit_code == 0, trained.output


def test_copies_of_a_file_are_no_exposures(spec: Path) -> None:
    folder = spec.parent / "images"
    for number in range(4):
        write(folder / f"c{number}.tif", field(64, seed=number)[0], "cyx")
    (folder / "c0.tiff").write_bytes((folder / "c0.tif").read_bytes())
    (folder / "again.tif").symlink_to(folder / "c0.tif")
    result = new(spec)
    assert "again.tif, c0.tif, c0.tiff have the same pixels: copies of one image" in result.stdout
    assert "exposures" not in result.stdout
    assert load_spec(spec).data.noise_pairs == "bootstrap"
    assert run("data", "check", spec).exit_code == 0


def test_one_slow_movie_is_cut_into_regions(spec: Path) -> None:
    cells = light(160, seed=3)
    frames = [exposure(cells[:128, t : t + 128], seed=t) for t in range(12)]
    write(spec.parent / "images" / "movie.tif", np.stack(frames), "tyx")
    assert proposed(spec).data.split.rule == "regions"
    assert run("data", "check", spec).exit_code == 0
