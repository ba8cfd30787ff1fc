"""Calibrations of runs again: they read what they need, and notice other pixels."""

import shutil
from collections.abc import Callable

import attrs
import numpy as np
import pytest
import tifffile

import denoisplit
from denoisplit.core.errors import ImageError, RunError
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import parse_spec, resolve
from denoisplit.core.storage.bundle import Bundle, save_description
from tests.e2e.experiment import SPEC, Experiment

HELD_OUT = "data.validation={use: folder, path: held, observed: '*_noisy.ome.tif', clean: '*_clean.ome.tif'}"


def learning(bundle: Bundle) -> Bundle:
    """The run with a calibrator that learns from training fields."""
    other = resolve(parse_spec(SPEC, ["calibrator={use: by_field}"]), installed_registry())
    return attrs.evolve(bundle, spec=attrs.evolve(bundle.spec, calibrator=other.calibrator))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """A run with held-out images in a folder of their own."""
    one = Experiment(tmp_path_factory.mktemp("held out"))
    one.write()
    (one.folder / "held").mkdir()
    for file in one.images.glob("2_*"):
        file.rename(one.folder / "held" / file.name)
    denoisplit.train(one.spec, one.run, overrides=[HELD_OUT])
    return one


@pytest.fixture
def without_images(trained: Experiment) -> denoisplit.Run:
    """Its run after the training images were moved."""
    if trained.images.is_dir():
        trained.images.rename(trained.folder / "moved")
    return denoisplit.load(trained.run)


def test_training_images_are_not_needed(trained: Experiment, without_images: denoisplit.Run) -> None:
    before = without_images.folder.bundle.read_bytes()
    again = without_images.calibrate()
    assert again.bundle.calibration is not None
    assert without_images.folder.bundle.read_bytes() == before
    assert not trained.images.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda bundle: attrs.evolve(bundle, reference=None),
        lambda bundle: attrs.evolve(bundle, served=None),
        lambda bundle: attrs.evolve(bundle, fitted_range=None),
        lambda bundle: attrs.evolve(bundle, calibration_due=True),
        learning,
    ],
    ids=["reference", "served", "range", "interrupted", "by_field"],
)
def test_they_are_where_the_run_does_not_hold_what_is_needed_of_them(
    without_images: denoisplit.Run, change: Callable[[Bundle], Bundle]
) -> None:
    bundle = without_images.bundle
    save_description(without_images.folder, change(bundle))
    try:
        with pytest.raises(ImageError, match="images: there is no such folder"):
            without_images.calibrate()
    finally:
        save_description(without_images.folder, bundle)


def test_other_held_out_pixels_are_refused(trained: Experiment, without_images: denoisplit.Run) -> None:
    (file,) = (trained.folder / "held").glob("*_noisy*")
    kept = file.read_bytes()
    pixels = tifffile.imread(file)
    pixels[0, 0, 0] += np.asarray(1, pixels.dtype)
    tifffile.imwrite(file, pixels, metadata={"axes": "CYX"}, ome=True)
    try:
        with pytest.raises(RunError, match=r"not those that it was trained with"):
            without_images.calibrate()
    finally:
        file.write_bytes(kept)


def test_fields_that_are_gone_are_named(trained: Experiment, without_images: denoisplit.Run) -> None:
    bundle = without_images.bundle
    kept = trained.folder / "moved"
    shutil.copytree(kept, trained.images)
    for file in trained.images.glob("0_*"):
        file.unlink()
    save_description(without_images.folder, attrs.evolve(bundle, calibration_due=True))
    try:
        with pytest.raises(RunError, match=r"trained with \(got gone: 0_noisy.ome.tif\)\. Restore"):
            without_images.calibrate()
    finally:
        shutil.rmtree(trained.images)
        save_description(without_images.folder, bundle)
