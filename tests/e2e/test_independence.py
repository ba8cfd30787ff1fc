"""Nobody is judged by crops of training images without being told."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from denoisplit.cli import main
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image
from denoisplit.core.spec import load_spec
from denoisplit.core.training.data.prepare import prepare
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from tests.e2e.experiment import Experiment

TIFF = OmeTiff(OmeTiff.Options())


def crops(experiment: Experiment, folder: Path) -> str:
    """A data set of crops of the three fields of an experiment, and one of an image that nobody knows."""
    folder.mkdir()
    for number in range(3):
        for kind in ("noisy", "clean"):
            image = TIFF.open(experiment.images / f"{number}_{kind}.ome.tif")
            part = image.pixels[:, 3:31, 2:32]
            TIFF.write(folder / f"{number}_{kind}.ome.tif", Image(data=part, axes="cyx"))
            new = np.random.default_rng(5).gamma(3, 60, part.shape).astype(np.float32)
            TIFF.write(folder / f"new_{kind}.ome.tif", Image(data=new, axes="cyx"))
    return f"{{use: folder, path: {folder}, observed: '*_noisy.ome.tif', clean: '*_clean.ome.tif'}}"


def evaluated(run: Path, test: str, numbers: Path) -> Result:
    arguments = ["evaluate", run, "--samples", 2, "--set", f"data.test={test}", "--json", numbers]
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


def test_training_refuses_test_data_that_overlap_with_its_own(experiment: Experiment, tmp_path: Path) -> None:
    test = crops(experiment, tmp_path / "crops")
    words = r"field '\d_noisy.ome.tif' show the same pixels \(got a shift of -3 rows and -2 columns\)"
    with pytest.raises(ImageError, match=rf"(train|validation) field .* and test {words}"):
        prepare(load_spec(experiment.spec, [f"data.test={test}"]))
    for file in (tmp_path / "crops").glob("?_*"):
        file.unlink()
    prepare(load_spec(experiment.spec, [f"data.test={test}"]))


def test_evaluation_names_crops_of_training_images(experiment: Experiment, tmp_path: Path) -> None:
    test, numbers = crops(experiment, tmp_path / "crops"), tmp_path / "scores.json"
    said = " ".join(evaluated(experiment.run, test, numbers).stdout.split())
    seen = json.loads(numbers.read_text())["seen_by_the_model"]
    held = [name for name, use in seen.items() if use == "overlaps held out"]
    assert sorted(seen.values()) == ["", "overlaps held out", "overlaps training", "overlaps training"]
    assert seen["new_noisy.ome.tif"] == ""
    assert "WARNING: 2 of these 4 fields (" in said
    assert "overlap with images that served in training, so these scores are too good." in said
    assert f"1 of these 4 fields ({held[0]}) overlap with images that served for early stopping" in said


def test_evaluation_says_when_it_cannot_compare(experiment: Experiment, tmp_path: Path) -> None:
    test, numbers = crops(experiment, tmp_path / "crops"), tmp_path / "scores.json"
    copy = Experiment(tmp_path / "copy")
    copy.write()
    shutil.copytree(experiment.run, copy.run)
    model = copy.run / "model.json"
    # Without its digest, like a run of an early version, for it is not the file that was written.
    kept = [line for line in model.read_text().splitlines() if '"sha256"' not in line]
    model.write_text("\n".join(kept).replace(str(experiment.images), str(copy.images)))
    spec = (copy.run / "spec.yaml").read_text()
    (copy.run / "spec.yaml").write_text(spec.replace(str(experiment.images), str(copy.images)))
    (copy.images / "0_noisy.ome.tif").unlink()
    (copy.images / "0_clean.ome.tif").unlink()
    said = " ".join(evaluated(copy.run, test, numbers).stdout.split())
    assert "not crops of them: the training images cannot be compared (they have changed)." in said
    shutil.rmtree(copy.images)
    said = " ".join(evaluated(copy.run, test, numbers).stdout.split())
    assert "not crops of them: the training images cannot be compared (" in said
    assert "there is no such folder" in said
