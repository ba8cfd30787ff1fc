"""What a prediction would do is said before it is started, and nothing is written."""

from pathlib import Path

import pytest
import tifffile
import torch

import denoisplit
from denoisplit.core.prediction.request import How
from denoisplit.core.prediction.tiles import memory
from tests.cli.refusals import noise
from tests.cli.refusals import run as command
from tests.e2e.experiment import Experiment


def test_a_dry_run_counts_and_writes_nothing(experiment: Experiment, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    tifffile.imwrite(images / "a.tif", noise(40, 24))
    tifffile.imwrite(images / "b.tif", noise(24, 24))
    result = command("predict", experiment.run, images, "--tile", "16", "--samples", "7", "--dry-run")
    assert result.exit_code == 0, result.output
    rows = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert rows["images"] == "2"
    assert rows["planes"] == "2 of 24x24, 40x24 pixels"
    assert rows["tiles"].startswith("10, which see ")
    assert rows["samples"] == "7"
    whole = command("predict", experiment.run, images, "--samples", "7", "--dry-run")
    assert "tiles    2, each a whole plane or stack" in whole.stdout.splitlines()
    assert sorted(path.name for path in tmp_path.rglob("*.tif")) == ["a.tif", "b.tif"]
    result = command("predict", experiment.run, images, "--shard", "3/2", "--dry-run")
    assert result.exit_code == 2
    assert "no such shard (got '3/2')" in result.stderr
    found = denoisplit.load(experiment.run).estimate(noise(3, 40, 24), axes="tyx", samples=2, tile=16)
    assert (found.planes, found.tiles) == (3, 18)
    assert found.seconds >= found.tile_seconds > 0
    assert found.memory > 0


def test_processes_have_memory_of_their_own_which_threads_share(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "STREAMED_BUDGET", 40 << 20)
    run, pixels = denoisplit.load(experiment.run), noise(512, 512)
    (alone,), (processes,), (threads,) = (
        run.estimate(pixels, **how).plans
        for how in (
            How(samples=2),
            How(samples=2, workers=2, executor="processes"),
            How(samples=2, workers=2),
        )
    )
    assert len(alone) > 1
    assert processes == alone
    assert len(threads) > len(alone)


def test_processes_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_budget", lambda _: 100 << 30)
    gpu, processor = torch.device("cuda"), torch.device("cpu")
    assert memory.streamed_budget(gpu, processes=4) == 25 << 30
    assert memory.streamed_budget(processor, processes=4) == memory.STREAMED_BUDGET
