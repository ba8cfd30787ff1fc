"""Prediction of an image as layers, and images to try a run with."""

import shutil
from importlib.resources import files
from pathlib import Path

import attrs
import numpy as np
import pytest
from conftest import Pixels
from napari_denoisplit.example import example
from napari_denoisplit.frame import Frame
from napari_denoisplit.runs import channels_of, require_trained
from napari_denoisplit.sample_data import simulated
from napari_denoisplit.splitting_order import Order, split

import denoisplit
from denoisplit.core.errors import ImageError, RunError
from denoisplit.core.images.bases import Image, PixelSize
from denoisplit.core.images.mixing import mixed_image
from denoisplit.core.training.data.prepare import evaluation_fields

CHANNELS = ("filaments", "mitochondria")


def order(run: Path, pixels: Pixels, axes: str, *output: str) -> Order:
    size = PixelSize((0.2, 0.1, 0.1)[-sum(axis in "zyx" for axis in axes) :])
    frame = Frame.of_image(Image(data=pixels, axes=axes, pixel_size=size))
    return Order(run=run, pixels=pixels, frame=frame, source="cells", samples=3, output=output)


def test_layers_are_the_images_of_a_prediction(trained: Path, mixed: Pixels) -> None:
    told: list[tuple[int, int]] = []
    found = split(order(trained, mixed, "yx", "samples"), lambda *now: told.append(now))
    expected = denoisplit.load(trained).predict(mixed, samples=3, output=["mean", "samples"])
    layers = {said["name"]: pixels for pixels, said, _ in found.layers}
    for number, channel in enumerate(CHANNELS):
        assert expected.std is not None
        np.testing.assert_array_equal(layers[f"{channel} mean"], expected.mean[number])
        np.testing.assert_array_equal(layers[f"{channel} std"], expected.std[number])
        samples = np.stack([expected.images[f"sample {one}"][number] for one in range(3)])
        np.testing.assert_array_equal(layers[f"{channel} samples"], samples)
    assert f"{CHANNELS[0]} calibrated std" in layers
    assert told[-1] == (3, 3)
    assert all(
        said["scale"][-2:] == (0.1, 0.1) and said["units"][-2:] == ("µm", "µm") for _, said, _ in found.layers
    )


def test_axes_of_a_series_stay_in_their_order(trained: Path, mixed: Pixels) -> None:
    series = np.stack([mixed, mixed[::-1], mixed + 3], axis=1)
    found = split(order(trained, series, "ytx"), lambda *_: None)
    whole = denoisplit.load(trained).predict(series, axes="ytx", samples=3)
    layers = {said["name"]: pixels for pixels, said, _ in found.layers}
    mean = layers["mitochondria mean"]
    assert mean.shape == series.shape
    np.testing.assert_array_equal(mean, whole.mean[:, 1].transpose(1, 0, 2))


def test_a_channel_axis_of_one_is_taken_away_and_several_are_refused(trained: Path, mixed: Pixels) -> None:
    found = split(order(trained, mixed[None], "cyx"), lambda *_: None)
    assert all(pixels.shape == mixed.shape and len(said["scale"]) == 2 for pixels, said, _ in found.layers)
    with pytest.raises(denoisplit.DenoisplitError, match="expected 1 channel"):
        split(order(trained, np.stack([mixed, mixed]), "cyx"), lambda *_: None)
    with pytest.raises(ImageError, match="cells: axes have unknown letters"):
        split(attrs.evolve(order(trained, mixed, "yx"), frame=_named("yq", mixed)), lambda *_: None)


def _named(axes: str, pixels: Pixels) -> Frame:
    return attrs.evolve(Frame.of_image(Image(data=pixels, axes="yx")), axes=axes)


def test_another_pixel_size_is_told(trained: Path, mixed: Pixels) -> None:
    frame = Frame.of_image(Image(data=mixed, axes="yx", pixel_size=PixelSize((0.5, 0.5))))
    found = split(attrs.evolve(order(trained, mixed, "yx"), frame=frame), lambda *_: None)
    assert "pixel size: 0.5 x 0.5 µm" in found.says


def test_the_sample_is_a_test_image_of_the_demo() -> None:
    spec = denoisplit.load_spec(Path(str(files("denoisplit.cli") / "demo.yaml")))
    _, fields = evaluation_fields(spec)
    layers = simulated()
    np.testing.assert_allclose(
        layers[-1][0], np.asarray(mixed_image(fields[0], spec.data.mixing))[0], rtol=1e-6
    )
    assert [said["visible"] for _, said, _ in layers] == [False, False, True]
    assert (layers[-1][1]["scale"], layers[-1][1]["units"]) == ((0.1, 0.1), ("µm", "µm"))
    for number, (pixels, said, _) in enumerate(layers[:2]):
        assert said["name"] == f"{CHANNELS[number]} truth"
        assert fields[0].clean is not None
        np.testing.assert_array_equal(pixels, np.asarray(fields[0].clean)[number])


def test_the_example_of_a_run_is_a_held_out_image(trained: Path) -> None:
    *truth, (mixed, said, _) = example(trained)
    assert mixed.shape == (24, 24)  # that of the test images
    assert (said["name"], said["visible"]) == ("mixed (simulated 3-0)", True)
    assert [one[1]["name"] for one in truth] == [f"{channel} truth (simulated 3-0)" for channel in CHANNELS]


DENOISE = """
preset: hdn
model:
  encoder: {levels: 2, width: 4, blocks: 1}
  decoder: {latent_channels: 2, blocks: 1}
  noise_model: {fit_pairs: 1000, fit_steps: 3}
training: {steps: 2, batch: 1, patch: 16, validate_every: 1, precision: float32}
prediction: {samples: 2}
"""
SPLIT = """
preset: musplit
channels: [filaments, mitochondria]
data:
  train: {use: simulated, fields: 3, size: 32, seed: 1}
  validation_fraction: 0.4
  test: {use: simulated, fields: 1, size: 24, seed: 3}
model: {encoder: {levels: 2, width: 4}, decoder: {latent_channels: 2}}
training: {steps: 2, batch: 1, patch: 16, validate_every: 1, precision: float32}
prediction: {samples: 2}
"""


@pytest.mark.slow
def test_a_sequence_is_a_run_whose_example_is_as_noisy_as_the_camera_gave_it(tmp_path: Path) -> None:
    (tmp_path / "denoise.yaml").write_text(DENOISE, encoding="utf-8")
    (tmp_path / "split.yaml").write_text(SPLIT, encoding="utf-8")
    sequence = tmp_path / "run"
    denoisplit.train_sequence(tmp_path / "denoise.yaml", tmp_path / "split.yaml", sequence)
    assert channels_of(sequence) == CHANNELS
    (truth, _, _), (mixed, said, _) = example(sequence)
    assert said["name"] == "mixed (simulated 3-0)"
    assert np.std(mixed - truth) > 2  # counts: the noise
    found = split(order(sequence, mixed, "yx"), lambda *_: None)
    expected = denoisplit.load_sequence(sequence).predict(mixed, samples=3)
    means = {said["name"]: pixels for pixels, said, _ in found.layers}
    np.testing.assert_array_equal(means["mitochondria mean"], expected.mean[1])


def test_what_a_run_splits_into_is_known_without_its_network(trained: Path, tmp_path: Path) -> None:
    assert channels_of(trained) == CHANNELS
    sequence = tmp_path / "sequence"
    shutil.copytree(trained, sequence / "split")
    (sequence / "sequence.json").touch()
    assert channels_of(sequence) == CHANNELS
    (tmp_path / "model.json").touch()
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(RunError):
            require_trained(folder)
