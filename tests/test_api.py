"""The Python API: train, load, build, predict, evaluate."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch

import denoisplit
from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ArgumentError, ChannelCountError, ImageError, SpecError
from denoisplit.core.images.bases import Image, MixedSource, PixelSize
from denoisplit.core.network.noise_source import ZeroNoise
from denoisplit.plugins.datasets.simulated import Simulated
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from denoisplit.plugins.image_formats.tiff import Tiff
from tests.e2e.experiment import CHANNELS, Experiment
from tests.network.small import statistics


def mixed(*shape: int) -> AnyArray:
    return np.random.default_rng(0).normal(200, 50, shape).astype(np.float32)


# Sizes and axes


@pytest.mark.parametrize("shape", [(5, 7), (1, 2), (3, 40), (16, 16), (33, 18)])
def test_any_size_comes_back(run: denoisplit.Run, shape: tuple[int, int]) -> None:
    """Smaller than a patch (16), than a position of the coarsest level (4), and no multiples of it."""
    prediction = run.predict(mixed(*shape))
    for array in (prediction.mean, prediction.std, prediction.calibrated_std):
        assert array is not None
        assert array.shape == (2, *shape)
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    assert (prediction.axes, prediction.channel_names, prediction.samples) == ("cyx", CHANNELS, 2)


@pytest.mark.parametrize(
    ("shape", "axes", "out_axes", "out_shape"),
    [
        ((3, 1, 2, 9, 6), "tczyx", "tczyx", (3, 2, 2, 9, 6)),
        ((1, 9, 6), "cyx", "cyx", (2, 9, 6)),
        ((2, 9, 6), "zyx", "czyx", (2, 2, 9, 6)),
        ((9, 6, 3), "YXT", "tcyx", (3, 2, 9, 6)),
    ],
)
def test_the_axes_of_a_stack_stay(
    run: denoisplit.Run, shape: tuple[int, ...], axes: str, out_axes: str, out_shape: tuple[int, ...]
) -> None:
    image = mixed(*shape)
    prediction = run.predict(image, axes=axes)
    assert prediction.axes == out_axes
    assert prediction.mean.shape == out_shape
    # Every plane is predicted as if it were alone.
    rest = {letter: 1 for letter in axes.lower() if letter not in "yx"} | {"c": 0}
    given = image[tuple(rest.get(letter, slice(None)) for letter in axes.lower())]
    found = prediction.mean[tuple(slice(None) if letter in "cyx" else rest[letter] for letter in out_axes)]
    np.testing.assert_array_equal(found, run.predict(given).mean)


def test_three_axes_without_a_name_are_a_stack(run: denoisplit.Run) -> None:
    assert run.predict(mixed(2, 6, 5)).axes == "czyx"


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [
        (
            (2, 2, 6, 5),
            None,
            r"array: an array does not say what its axes are \(got shape \(2, 2, 6, 5\): could be .*axes='",
        ),
        ((6, 5, 3), None, r"array: an array does not say what its axes are .*could be yxc, .*axes='yxc'"),
        ((7,), None, r"array: an image has 2 to 6 axes \(got shape \(7,\)\)"),
        ((6, 5), "tyx", r"array: axes 'tyx' do not fit the image \(got shape \(6, 5\)\)"),
        ((6, 5), "qx", r"array: axes have unknown letters 'q'"),
    ],
)
def test_arrays_whose_axes_are_not_clear_are_refused(
    run: denoisplit.Run, shape: tuple[int, ...], axes: str | None, message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        run.predict(mixed(*shape), axes=axes)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([1, 2, 3], r"image: must be a NumPy array or the path of a file \(got list\)"),
        (None, r"got NoneType"),
        (3, r"got int"),
        (np.array([["a", "b"]]), r"array: pixels must be real numbers \(got dtype <U1\)"),
        (np.zeros((4, 4), complex), r"got dtype complex128"),
        (np.zeros((4, 4), object), r"got dtype object"),
    ],
)
def test_what_is_no_image_is_told_in_one_line(run: denoisplit.Run, image: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        run.predict(image)
    assert "\n" not in str(caught.value)


def test_all_planes_are_checked_before_the_first_is_predicted(run: denoisplit.Run) -> None:
    stack = mixed(3, 6, 5)
    stack[2, 1, 4] = np.nan
    told: list[int] = []
    with pytest.raises(
        ImageError, match=r"array z=2: 1 of 30 pixels are NaN or infinite \(got nan at \(1, 4\)\)"
    ):
        run.predict(stack, progress=lambda done, total: told.append(done))
    assert told == []
    with pytest.raises(
        ChannelCountError, match=r"array: expected 1 channel \(got 2\)\. Give the mixed image"
    ):
        run.predict(mixed(2, 6, 5), axes="cyx")


# What the numbers are


def test_the_answer_is_a_function_of_image_seed_and_samples(run: denoisplit.Run) -> None:
    image = mixed(21, 18)
    first = run.predict(image, seed=3, samples=4)
    for again in (
        run.predict(image, seed=3, samples=4),
        run.predict(image.astype(">f8"), seed=3, samples=4),
        run.predict(np.asfortranarray(image), seed=3, samples=4),
    ):
        assert np.array_equal(first.mean, again.mean)
        assert np.array_equal(np.asarray(first.std), np.asarray(again.std))
    assert not np.array_equal(first.mean, run.predict(image, seed=4, samples=4).mean)
    assert first.samples == 4


def test_counts_of_any_type_are_the_same_counts(run: denoisplit.Run) -> None:
    image = mixed(9, 8).round()
    expected = run.predict(image).mean
    for kind in (np.uint16, np.int32, np.float64):
        assert np.array_equal(run.predict(image.astype(kind)).mean, expected)


def test_tiles_do_not_show(run: denoisplit.Run) -> None:
    image = mixed(150, 60)
    whole, tiled = run.predict(image, samples=2), run.predict(image, samples=2, tile=16)
    np.testing.assert_allclose(tiled.mean, whole.mean, rtol=1e-5)


def test_one_sample_has_no_spread(run: denoisplit.Run) -> None:
    prediction = run.predict(mixed(6, 5), samples=1)
    assert prediction.std is None
    assert prediction.calibrated_std is None
    assert prediction.to_image().channel_names == tuple(f"{name} mean" for name in CHANNELS)
    with pytest.raises(
        SpecError, match=r"prediction\.samples: must be a whole number >= 1 and <= 100000 \(got 0\)"
    ):
        run.predict(mixed(6, 5), samples=0)


def test_the_calibrated_std_is_the_std_times_the_stored_factor(run: denoisplit.Run) -> None:
    prediction = run.predict(mixed(3, 6, 5), axes="tyx")
    assert run.bundle.calibration is not None
    factor = np.asarray(run.bundle.calibration.parameters["factor"], dtype=np.float32)
    expected = np.asarray(prediction.std) * factor[:, None, None]
    np.testing.assert_allclose(np.asarray(prediction.calibrated_std), expected, rtol=1e-6)


def test_progress_goes_from_nothing_to_all_once(run: denoisplit.Run) -> None:
    told: list[tuple[int, int]] = []
    run.predict(mixed(3, 6, 5), samples=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]


class EnoughError(Exception):
    """What a caller raises who does not want to wait for the rest."""


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_of_progress_stops_between_two_samples(run: denoisplit.Run, workers: int) -> None:
    told: list[int] = []

    def stop(done: int, total: int) -> None:
        assert total == 256
        told.append(done)
        if done >= 5:
            raise EnoughError

    with pytest.raises(EnoughError):
        run.predict(mixed(4, 64, 64), samples=4, tile=16, workers=workers, progress=stop)
    assert 5 <= len(told) <= 5 + 2 * workers
    assert run.predict(mixed(6, 5), samples=2).mean.shape == (2, 6, 5)


# Files


def test_a_file_opens_with_its_metadata_and_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "stack.ome.tif"
    size = PixelSize((0.3, 0.08, 0.1))
    pixels = mixed(3, 9, 6)
    OmeTiff(OmeTiff.Options()).write(path, Image(data=pixels, axes="zyx", pixel_size=size))
    opened = denoisplit.read_image(path)
    assert (opened.axes, opened.pixel_size) == ("zyx", size)
    np.testing.assert_array_equal(opened.pixels, pixels)
    assert denoisplit.read_image(str(path), axes="tyx").axes == "tyx"
    code = f"import sys, denoisplit; denoisplit.read_image({str(path)!r}); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(ArgumentError, match="path: must be the path"):
        denoisplit.read_image(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", [".ome.tif", ".tif"])
def test_files_keep_axes_pixel_size_and_channel_names(
    run: denoisplit.Run, tmp_path: Path, ending: str
) -> None:
    given = Image(
        data=mixed(2, 1, 3, 9, 6),
        axes="tczyx",
        channel_names=("camera",),
        pixel_size=PixelSize((0.3, 0.08, 0.1)),
    )
    path, out = tmp_path / f"in{ending}", tmp_path / "new folder" / f"out{ending}"
    chosen = OmeTiff(OmeTiff.Options()) if ending == ".ome.tif" else Tiff(Tiff.Options())
    chosen.write(path, given)
    prediction = run.predict(path)
    np.testing.assert_array_equal(prediction.mean, run.predict(given.pixels, axes="tczyx").mean)
    prediction.save(out)
    written = chosen.open(out)
    assert written.axes.replace("zc", "cz") == "tczyx"
    data = written.pixels if written.axes == "tczyx" else written.pixels.swapaxes(1, 2)
    expected = [prediction.mean, np.asarray(prediction.std), np.asarray(prediction.calibrated_std)]
    np.testing.assert_array_equal(data, np.concatenate(expected, axis=1))
    assert written.channel_names == tuple(
        f"{name} {kind}" for kind in ("mean", "std", "calibrated std") for name in CHANNELS
    )
    assert written.pixel_size is not None
    assert written.pixel_size.size == pytest.approx((0.3, 0.08, 0.1))
    assert written.pixel_size.unit == "µm"


# Training, loading, building


TINY = (
    "data.train={use: simulated, fields: 2, size: 20, seed: 1}",
    "data.validation={use: simulated, fields: 1, size: 20, seed: 2}",
    "model.encoder.levels=2",
    "model.encoder.width=4",
    "model.decoder.latent_channels=2",
    "training.steps=2",
    "training.batch=1",
    "training.patch=16",
    "training.validate_every=1",
    "prediction.samples=2",
)
SMALL_FIT = ("model.noise_model.fit_steps=3", "model.noise_model.fit_pairs=1000")
COMPOSITE = ("model.noise_model.mixture.fit_steps=3", "model.noise_model.mixture.fit_pairs=1000")
SURROUND = "model.encoder.input_scales=3"
HDN = (*SMALL_FIT, "model.encoder.blocks=2", "model.decoder.blocks=2")


@pytest.mark.parametrize(
    ("preset", "extra", "channels"),
    [
        ("hdn", HDN, 1),
        ("denoisplit", SMALL_FIT, 2),
        ("altered-musplit", (), 2),
        ("musplit", (), 2),
        ("microsplit", COMPOSITE, 2),
        ("musplit-regular", (SURROUND,), 2),
        ("musplit-lean", (SURROUND,), 2),
        ("musplit-deep", (SURROUND, "model.encoder.levels=3"), 2),
        ("denoisplit-regular", (SURROUND, *SMALL_FIT), 2),
        ("microsplit-regular", (SURROUND, *COMPOSITE), 2),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_every_preset_trains_and_predicts(
    tmp_path: Path, preset: str, extra: tuple[str, ...], channels: int, precision: str
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"preset: {preset}\n", encoding="utf-8")
    run = denoisplit.train(
        spec, tmp_path / "run", overrides=[*TINY, *extra, f"training.precision={precision}"]
    )
    assert len(run.spec.channels) == channels
    assert run.bundle.best_loss is not None
    assert np.isfinite(run.bundle.best_loss)
    assert run.vse.network_dtype == (torch.bfloat16 if precision == "bf16" else None)
    assert {weight.dtype for weight in run.vse.parameters()} == {torch.float32}
    prediction = run.predict(mixed(13, 10))
    assert prediction.mean.shape == (channels, 13, 10)
    assert np.isfinite(prediction.mean).all()


def test_a_run_can_be_trained_from_a_resolved_spec_and_its_paths_are_text_or_paths(
    experiment: Experiment, tmp_path: Path
) -> None:
    from denoisplit.core.spec import load_spec

    resolved = load_spec(experiment.spec, ["training.steps=1"])
    run = denoisplit.train(resolved, str(tmp_path / "run"))
    assert run.path == tmp_path / "run"
    assert run.spec == resolved == denoisplit.load(str(run.path)).spec


def test_build_composes_the_network_of_a_spec(experiment: Experiment) -> None:
    vse = denoisplit.build(
        experiment.spec,
        stats=statistics(2),
        overrides=["model.encoder.levels=3", "model.noise_model={use: gaussian}"],
    )
    assert vse.level_strides == ((2, 2), (4, 4), (8, 8))
    output = vse.eval().decode(torch.zeros(1, 1, 16, 16), ZeroNoise()).output
    assert output.shape == (1, 4, 16, 16)
    with pytest.raises(ChannelCountError, match="the statistics have 1 channels, the spec names 2"):
        denoisplit.build(experiment.spec, stats=statistics(1))
    with pytest.raises(SpecError, match=r"\$\.training\.patch: must be a multiple of 4"):
        denoisplit.build(experiment.spec, stats=statistics(2), overrides=["training.patch=17"])


def test_evaluation_splits_the_mixed_image_that_a_field_has(run: denoisplit.Run) -> None:
    field, other = Simulated(Simulated.Options(fields=2, size=24, seed=9), channels=CHANNELS).fields()
    source = MixedSource(noiseless=other.observed, noise=np.ones_like(other.observed[:1]))
    _, (evaluated,) = run.evaluate([attrs.evolve(field, mixed_source=source)], samples=2)
    np.testing.assert_allclose(evaluated.mixed, other.observed[...].mean(0, keepdims=True) + 1, rtol=1e-6)


def test_evaluation_compares_with_the_truth(run: denoisplit.Run) -> None:
    fields = Simulated(Simulated.Options(fields=2, size=24, seed=9), channels=CHANNELS).fields()
    scores, evaluated = run.evaluate(fields, samples=2)
    assert [field.name for field in evaluated] == [field.name for field in fields]
    for given, field in zip(fields, evaluated, strict=True):
        assert given.clean is not None
        np.testing.assert_array_equal(field.truth, given.clean)
        np.testing.assert_allclose(field.mixed, given.observed[...].mean(0, keepdims=True), rtol=1e-6)
        np.testing.assert_array_equal(field.mean, run.predict(field.mixed[0], samples=2).mean)
    psnr = []
    for field in evaluated:
        error = np.mean(np.square(field.truth[1].astype(np.float64) - field.mean[1]))
        psnr.append(20 * np.log10(np.ptp(field.truth[1]) / np.sqrt(error)))
    assert scores.of("mitochondria", "psnr").mean == pytest.approx(np.mean(psnr), rel=1e-6)
