"""What ``--check-precision`` says, and that it changes nothing."""

import json
import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch

import denoisplit
from denoisplit.core.errors import ChannelCountError, ImageError, SpecError
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import Image
from denoisplit.core.prediction import precision_cost
from denoisplit.core.prediction.outputs.posterior import draw_samples, predict
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.json_records import write_mapping
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from tests.cli.refusals import noise, refused
from tests.cli.refusals import run as command
from tests.e2e.experiment import CHANNELS, Experiment


@pytest.fixture
def run(experiment: Experiment) -> denoisplit.Run:
    loaded = denoisplit.load(experiment.run)
    loaded.vse.network_dtype = torch.bfloat16
    return loaded


def test_the_figures_are_those_of_two_predictions(run: denoisplit.Run) -> None:
    mixed, clean = noise(40, 33), np.stack([noise(40, 33), noise(33, 40).T])
    cost = run.check_precision(mixed, clean=clean, samples=5, seed=3)
    assert run.vse.network_dtype == torch.bfloat16
    assert (cost.precision, cost.samples, cost.shape) == ("bf16", 5, (40, 33))
    fast = predict(run.vse, mixed, PredictionSpec(samples=5, seed=3))
    run.vse.network_dtype = None
    exact = predict(run.vse, mixed, PredictionSpec(samples=5, seed=3))
    assert fast.std is not None
    assert exact.std is not None
    for c, channel in enumerate(cost.channels):
        assert channel.name == CHANNELS[c]
        error = np.sqrt(np.mean((fast.mean[c].astype(np.float64) - exact.mean[c]) ** 2))
        assert channel.agreement == pytest.approx(20 * np.log10(np.ptp(exact.mean[c]) / error), abs=1e-3)
        assert channel.std_ratio == pytest.approx(fast.std[c].mean() / exact.std[c].mean(), rel=1e-5)
        within = np.abs(exact.mean[c] - clean[c]) <= 1.6448536 * exact.std[c]
        assert channel.coverage[1][0] == pytest.approx(within.mean(), abs=1e-3)
        assert channel.psnr is not None
        assert channel.psnr_change == pytest.approx(channel.psnr[1] - channel.psnr[0])


def test_without_truth_a_further_sample_stands_for_it(run: denoisplit.Run) -> None:
    mixed = noise(24, 24)
    (cost, _) = run.check_precision(mixed, samples=6, seed=1).channels
    assert cost.psnr is None
    run.vse.network_dtype = None
    exact = predict(run.vse, mixed, PredictionSpec(samples=6, seed=1))
    (further,) = draw_samples(run.vse, mixed, PredictionSpec(samples=1, seed=1), first=6)
    assert exact.std is not None
    within = np.abs(exact.mean[0] - further[0]) <= 1.6448536 * exact.std[0]
    assert cost.coverage[1][0] == pytest.approx(within.mean(), abs=1e-3)


def test_of_a_large_series_only_the_centre_of_the_middle_is_read(
    run: denoisplit.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)
    monkeypatch.setattr(precision_cost, "SIDE", 24)
    movie, clean = noise(3, 60, 50), noise(3, 2, 60, 50)
    for broken in (movie, clean):
        broken[:, ..., :18, :] = np.nan
        broken[2] = np.nan
    formats = OmeTiff(OmeTiff.Options())
    formats.write(tmp_path / "movie.ome.tif", Image(data=movie, axes="tyx"))
    formats.write(tmp_path / "clean.ome.tif", Image(data=clean, axes="tcyx", channel_names=CHANNELS))
    cost = run.check_precision(tmp_path / "movie.ome.tif", clean=tmp_path / "clean.ome.tif", samples=3)
    assert (cost.shape, cost.whole, cost.position) == ((24, 24), (60, 50), "t=1")
    centre = (slice(18, 42), slice(13, 37))
    alone = run.check_precision(movie[1][centre], clean=clean[1][:, *centre], samples=3)
    assert cost == attrs.evolve(alone, whole=(60, 50), position="t=1")
    shutil.copytree(run.path, tmp_path / "run")
    as_bf16(tmp_path / "run")
    said = command("predict", tmp_path / "run", tmp_path / "movie.ome.tif", "--check-precision")
    assert "of the central 24 x 24 of 60 x 50 pixels at t=1, the same noise" in " ".join(said.stdout.split())


def as_bf16(run: Path) -> None:
    """A run that was trained in float32 says that it was not."""
    record = run / "model.json"
    plain = json.loads(record.read_text())
    plain["spec"]["training"]["precision"] = "bf16"
    write_mapping(record, plain)


def test_what_cannot_be_compared_is_refused(run: denoisplit.Run, tmp_path: Path) -> None:
    mixed = noise(16, 16)
    with pytest.raises(SpecError, match="two samples"):
        run.check_precision(mixed, samples=1)
    with pytest.raises(ChannelCountError, match="1 channels, the run 2"):
        run.check_precision(mixed, clean=noise(1, 16, 16))
    with pytest.raises(ImageError, match="does not fit"):
        run.check_precision(mixed, clean=noise(2, 16, 17))
    np.save(tmp_path / "clean.npy", noise(2, 16, 16))
    with pytest.raises(ImageError, match="could be cyx"):
        run.check_precision(mixed, clean=tmp_path / "clean.npy")
    run.vse.network_dtype = None
    with pytest.raises(SpecError, match="runs in float32 here"):
        run.check_precision(mixed)


def test_the_command(experiment: Experiment, tmp_path: Path) -> None:
    shutil.copytree(experiment.run, tmp_path / "run")
    as_bf16(tmp_path / "run")
    mixed, clean = tmp_path / "mixed.ome.tif", tmp_path / "clean.ome.tif"
    formats = OmeTiff(OmeTiff.Options())
    formats.write(mixed, Image(data=noise(30, 28), axes="yx"))
    formats.write(clean, Image(data=noise(2, 30, 28), axes="cyx", channel_names=CHANNELS))
    run = tmp_path / "run"
    said = command("predict", run, mixed, "--check-precision", "--clean", clean, "--samples", 3)
    assert said.exit_code == 0, said.output
    for part in (
        "bf16 against float32",
        "change of it (dB)",
        "within 90%",
        *CHANNELS,
        "3 samples of 30 x 28",
    ):
        assert part in said.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean.ome.tif", "mixed.ome.tif", "run"]
    refused(command("predict", experiment.run, mixed, "--check-precision"), "float32", "nothing to compare")
    assert "--out" in command("predict", run, mixed).stderr
    both = command("predict", run, mixed, "--out", tmp_path / "a.tif", "--clean", clean)
    assert "--clean needs --check-precision" in both.stderr
