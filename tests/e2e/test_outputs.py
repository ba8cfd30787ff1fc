"""Which images a prediction gives, from the words to the file."""

import json
import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest
from scipy import stats

import denoisplit
from denoisplit.core.errors import SpecError
from denoisplit.core.images.bases import Image, PixelSize
from denoisplit.core.prediction.outputs.posterior import draw_samples
from denoisplit.core.prediction.samples.sample_count import LEAST
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.json_records import write_mapping
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from tests.cli.refusals import noise, refused
from tests.cli.refusals import run as command
from tests.e2e.experiment import CHANNELS, Experiment

FORMAT = OmeTiff(OmeTiff.Options())


def test_every_word_gives_its_images_in_the_order_of_the_words(run: denoisplit.Run) -> None:
    words = (
        "calibrated_interval=0.9,interval=0.5",
        "total-std",
        "samples,chi_square,quantile=0.25",
        "calibrated_std,mean,std",
    )
    found = run.predict(noise(9, 8), samples=3, output=words)
    assert list(found.images) == [
        "calibrated interval 0.9 low",
        "calibrated interval 0.9 high",
        "interval 0.5 low",
        "interval 0.5 high",
        "total std",
        "sample 0",
        "sample 1",
        "sample 2",
        "chi-square",
        "quantile 0.25",
        "calibrated std",
        "mean",
        "std",
    ]
    image = found.to_image()
    assert image.data.shape == (25, 9, 8)
    assert image.channel_names[:3] == (
        *(f"{name} calibrated interval 0.9 low" for name in CHANNELS),
        f"{CHANNELS[0]} calibrated interval 0.9 high",
    )
    assert {array.dtype for array in found.images.values()} == {np.dtype(np.float32)}
    assert np.isfinite(image.data).all()


@pytest.mark.parametrize(
    ("samples", "output", "told"),
    [
        (7, None, "with 7 samples, calibrated std and intervals are too narrow"),
        (7, "calibrated_interval=0.9", "as they were calibrated with 50. Take 8 samples or more"),
        (7, "mean,std", ""),
        (8, None, ""),
    ],
)
def test_few_samples_are_too_few_for_a_calibration(
    run: denoisplit.Run, caplog: pytest.LogCaptureFixture, samples: int, output: str | None, told: str
) -> None:
    spec = attrs.evolve(run.spec, prediction=attrs.evolve(run.spec.prediction, samples=50))
    of_fifty = attrs.evolve(run, bundle=attrs.evolve(run.bundle, spec=spec))
    of_fifty.predict(noise(9, 8), samples=samples, output=output)
    assert told in caplog.text if told else "too narrow" not in caplog.text


def test_the_numbers_are_those_of_the_samples(run: denoisplit.Run) -> None:
    mixed = noise(9, 8)
    drawn = draw_samples(run.vse, run.bundle.conditioned(mixed), PredictionSpec(samples=7, seed=0))
    images = run.predict(
        mixed, samples=7, seed=0, output="samples,interval=0.5,calibrated_interval=0.9"
    ).images
    for number, sample in enumerate(drawn):
        np.testing.assert_array_equal(images[f"sample {number}"], sample)
    ordered = np.sort(drawn, axis=0)
    # A quarter of seven samples is the second: 2 / 8.
    np.testing.assert_allclose(images["interval 0.5 low"], ordered[1], rtol=1e-6)
    np.testing.assert_allclose(images["interval 0.5 high"], ordered[5], rtol=1e-6)
    assert run.bundle.calibration is not None
    factor = np.asarray(run.bundle.calibration.parameters["factor"])[:, None, None]
    half = stats.norm.ppf(0.95) * factor * drawn.std(0, ddof=1, dtype=np.float64)
    mean = drawn.mean(0, dtype=np.float64)
    np.testing.assert_allclose(images["calibrated interval 0.9 low"], mean - half, rtol=1e-5)
    np.testing.assert_allclose(images["calibrated interval 0.9 high"], mean + half, rtol=1e-5)


def test_the_total_std_is_that_of_measurements(run: denoisplit.Run) -> None:
    """Cameras that measure every sample many times spread as far; 5 % is three standard errors."""
    import torch

    mixed, count, repeats = noise(6, 5), 40, 50
    drawn = draw_samples(run.vse, run.bundle.conditioned(mixed), PredictionSpec(samples=count, seed=0))
    signal = torch.from_numpy(np.repeat(drawn, repeats, axis=0))
    with torch.inference_mode():
        measured = run.vse.noise_model.sample(signal, torch.Generator().manual_seed(0)).numpy()
    within = measured.reshape(count, repeats, *drawn.shape[1:]).var(1, ddof=1).mean(0)
    expected = np.sqrt(within + drawn.var(0, ddof=1))
    found = run.predict(mixed, samples=count, seed=0, output="total_std").images["total std"]
    np.testing.assert_allclose(found.mean((1, 2)), expected.mean((1, 2)), rtol=0.02)
    np.testing.assert_allclose(found, expected, rtol=0.15)


def test_what_was_not_asked_for_is_at_hand_but_not_written(run: denoisplit.Run) -> None:
    usual, one = run.predict(noise(3, 6, 5)), run.predict(noise(3, 6, 5), output="mean")
    assert list(usual.images) == ["mean", "std", "calibrated std"]
    assert list(one.images) == ["mean"]
    for kind in ("mean", "std", "calibrated_std"):
        np.testing.assert_array_equal(getattr(one, kind), getattr(usual, kind))
    np.testing.assert_array_equal(one.to_image().data, usual.mean)


def test_as_many_samples_as_needed_are_one_number_for_all_planes(run: denoisplit.Run) -> None:
    stack = noise(3, 10, 8)
    found = run.predict(stack, axes="tyx", samples="auto:0.01", seed=3)
    alone = [run.predict(plane, samples="auto:0.01", seed=3).samples for plane in stack]
    assert found.samples == max(alone) >= LEAST
    fixed = run.predict(stack, axes="tyx", samples=found.samples, seed=3)
    np.testing.assert_array_equal(found.mean, fixed.mean)
    np.testing.assert_array_equal(np.asarray(found.std), np.asarray(fixed.std))
    assert run.predict(stack[0], samples="auto:1", output="quantile=0.01").samples == 99


def test_the_command_writes_named_images_with_their_pixel_size(
    experiment: Experiment, tmp_path: Path
) -> None:
    image, out = tmp_path / "mixed.ome.tif", tmp_path / "split.ome.tif"
    FORMAT.write(image, Image(data=noise(200, 40), axes="yx", pixel_size=PixelSize((0.2, 0.1))))
    words = ("--output", "mean,interval=0.9", "--output", "total_std")
    done = command(
        "predict",
        experiment.run,
        image,
        "--out",
        out,
        *words,
        "--samples",
        "auto:1",
        "--tile",
        40,
        "--workers",
        2,
    )
    names = [
        f"{c} {k}" for k in ("mean", "interval 0.9 low", "interval 0.9 high", "total std") for c in CHANNELS
    ]
    *lines, samples, seams, verdict = done.stdout.splitlines()
    assert lines == [f"{out}: CYX 8x200x40", *(f"  {name}" for name in names)]
    assert samples == "Samples: 19"  # of fewer, none lies below a twentieth
    assert seams.startswith("Seam score of the tiles: ")
    assert verdict.startswith("Verdict: ")
    assert done.stderr == ""
    written = FORMAT.open(out)
    assert written.channel_names == tuple(names)
    assert written.pixel_size == PixelSize((0.2, 0.1))
    expected = denoisplit.load(experiment.run).predict(
        image, samples=19, output="mean,interval=0.9,total_std"
    )
    np.testing.assert_allclose(written.data, expected.to_image().data, rtol=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("std",),
            "too few posterior samples: std needs 2 (got 1). Use 2 or more (--samples 2), or leave it out.",
        ),
        (
            ("total_std,mean,calibrated_std",),
            "total_std needs 2, calibrated_std needs 2 (got 1). Use 2 or more (--samples 2), or leave them",
        ),
        (("calibrated_interval=0.9",), "samples: calibrated_interval=0.9 needs 2 (got 1). Use 2 or more"),
        (
            ("interval=0.9", "quantile=0.5"),
            "samples: interval=0.9 needs 19, quantile=0.5 needs 2 (got 1). Use 19 or more (--samples 19)",
        ),
        (("quantile=0.99",), "samples: quantile=0.99 needs 99 (got 1). Use 99 or more (--samples 99), or"),
        (
            ("media",),
            "prediction.output: no such image (got 'media'). Use mean, std, total_std, calibrated_std",
        ),
        (("interval",), "prediction.output: no such image (got 'interval'). Use mean, std, total_std"),
        (
            ("interval=90",),
            "no such image (got 'interval=90'). Use mean, std, total_std, calibrated_std, samples,",
        ),
        (("mean=0.5",), "prediction.output: no such image (got 'mean=0.5'). Use"),
        (("",), "prediction.output: no such image (got ''). Use"),
    ],
)
def test_one_sample_and_unknown_words_are_refused_in_one_line(
    experiment: Experiment, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    image, out = tmp_path / "mixed.ome.tif", tmp_path / "split.ome.tif"
    FORMAT.write(image, Image(data=noise(9, 9), axes="yx"))
    options = [part for word in words for part in ("--output", word)]
    result = command("predict", experiment.run, image, "--out", out, "--samples", 1, *options)
    refused(result, message)
    assert not out.exists()


def test_one_sample_still_has_a_mean_and_itself(run: denoisplit.Run) -> None:
    found = run.predict(noise(9, 9), samples=1, output="mean,samples")
    np.testing.assert_array_equal(found.images["mean"], found.images["sample 0"])


def test_runs_without_calibration_and_odd_counts_are_refused(experiment: Experiment, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(experiment.run, copy)
    plain = json.loads((copy / "model.json").read_text())
    write_mapping(copy / "model.json", {**plain, "calibration": None})
    run = denoisplit.load(copy)
    image, out = tmp_path / "mixed.ome.tif", tmp_path / "split.ome.tif"
    FORMAT.write(image, Image(data=noise(9, 9), axes="yx"))
    for word in ("calibrated_std", "calibrated_interval=0.5"):
        refused(
            command("predict", run.path, image, "--out", out, "--output", f"mean,{word}"),
            f"prediction.output: the run has no calibration (got {word}). Use std or interval=LEVEL (",
        )
    refused(
        command("predict", run.path, image, "--out", out, "--samples", "auto:7"),
        "prediction.samples: must be a number, auto, or auto:FRACTION",
    )
    with pytest.raises(SpecError, match=r"prediction\.workers: must be a whole number >= 1 \(got 0\)"):
        run.predict(noise(9, 9), workers=0)


def test_chi_square_is_one_image_of_the_mixed_image(run: denoisplit.Run) -> None:
    """Of one sample: the squared residual over half the mean noise variance of the two channels."""
    import torch

    mixed = noise(12, 10)
    found = run.predict(mixed, samples=1, output="chi_square,mean")
    (sample,) = draw_samples(
        run.vse, run.bundle.conditioned(mixed), PredictionSpec(samples=1, seed=run.spec.prediction.seed)
    )
    with torch.inference_mode():
        variance = run.vse.noise_model.variance(torch.from_numpy(sample)[None])[0].numpy()
    expected = (mixed - sample.mean(0)) ** 2 / (variance.mean(0) / 2)
    np.testing.assert_allclose(found.images["chi-square"], expected[None], rtol=1e-3)
    assert found.verdict.chi_square == pytest.approx(expected.mean(), rel=1e-3)
    image = found.to_image()
    assert image.channel_names == ("mixed chi-square", *(f"{name} mean" for name in CHANNELS))
    np.testing.assert_array_equal(image.data[:1], found.images["chi-square"])
    series = run.predict(noise(3, 12, 10), axes="tyx", samples=2, output="mean,chi_square")
    assert series.images["chi-square"].shape == (3, 1, 12, 10)
    assert series.to_image().data.shape == (3, 3, 12, 10)
    assert series.verdict.chi_square_map is not None
    np.testing.assert_array_equal(series.images["chi-square"][:, 0], series.verdict.chi_square_map)


def test_chi_square_of_a_run_that_knows_no_training_images(experiment: Experiment, tmp_path: Path) -> None:
    copy, out = tmp_path / "run", tmp_path / "split.ome.tif"
    shutil.copytree(experiment.run, copy)
    plain = json.loads((copy / "model.json").read_text())
    write_mapping(copy / "model.json", {**plain, "reference": None})
    image = tmp_path / "mixed.ome.tif"
    FORMAT.write(image, Image(data=noise(20, 30), axes="yx", pixel_size=PixelSize((0.2, 0.1))))
    done = command("predict", copy, image, "--out", out, "--output", "chi_square", "--samples", 1)
    assert done.exit_code == 0
    assert done.stderr == ""
    shape, name, line, verdict = done.stdout.splitlines()
    assert shape == f"{out}: CYX 1x20x30"
    assert name == "  mixed chi-square"
    assert line.startswith("Chi-square: ")
    assert line.endswith(" on average (1 where the channels add up to the image)")
    assert verdict.startswith("Verdict: unknown: ")
    written = FORMAT.open(out)
    assert written.channel_names == ("mixed chi-square",)
    assert written.pixel_size == PixelSize((0.2, 0.1))
    known = denoisplit.load(experiment.run).predict(image, samples=1, output="chi_square")
    np.testing.assert_array_equal(written.data, known.images["chi-square"])


def test_tiles_and_workers_change_no_image(run: denoisplit.Run) -> None:
    """In single precision; see the laws of tiling for every calibrator."""
    words = (
        "mean,std,total_std,calibrated_std",
        "samples,chi_square",
        "interval=0.5,calibrated_interval=0.9",
    )
    mixed = noise(150, 40)
    whole, tiled, threads = (
        run.predict(mixed, samples=3, output=words, tile=tile, workers=workers).images
        for tile, workers in ((0, 1), (40, 1), (40, 3))
    )
    assert len(whole) == 12
    for name, image in whole.items():
        assert np.abs(tiled[name] - image).max() < 1e-4 * np.ptp(image), name
        np.testing.assert_array_equal(threads[name], tiled[name])
