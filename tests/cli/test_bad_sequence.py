"""Bad input of a sequence gives one clear line, exit code 2, and nothing is written or trained."""

from pathlib import Path

import pytest

from denoisplit.core.storage.json_records import write_mapping
from tests.cli.refusals import refused, run
from tests.e2e.test_sequence import DENOISE, SPLIT


@pytest.fixture
def specs(tmp_path: Path) -> tuple[Path, Path]:
    denoise, split = tmp_path / "denoise.yaml", tmp_path / "split.yaml"
    denoise.write_text(DENOISE, encoding="utf-8")
    split.write_text(SPLIT, encoding="utf-8")
    return denoise, split


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "data.train={use: simulated}",
            "$.data.train: the images come from the spec of the splitter. Remove it.",
        ),
        ("data.clip.quantile=0.9", "$.data.clip: the images come from the spec of the splitter. Remove it."),
        ("training.seed=3", "$.training.seed: it comes from the spec of the splitter. Remove it."),
        ("channels=[a, b]", "$.channels: a denoiser has one channel (got a list of 2). Leave channels out"),
        ("training.patch=17", "$.training.patch: must be a multiple of 4"),
        ("model.encoder.levles=2", "model.encoder.levles=2: unknown key"),
    ],
)
def test_a_denoiser_that_does_not_fit(specs: tuple[Path, Path], override: str, message: str) -> None:
    out = specs[0].parent / "out"
    refused(run("train-sequence", *specs, "--out", out, "--set-denoise", override), message)
    assert not out.exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "channels=[filaments]",
            "$.channels: a sequence splits two or more channels (got filaments). To denoise one, use",
        ),
        ("channels=[mixed, a]", "$.channels: the mixed image is called 'mixed' here"),
        ("channels=[a b, a:b]", "are equal as folder names (got a_b, a_b). Rename one."),
        ("data.mixing.alpha=[[0, 1], [1, 0]]", "$.data.mixing.alpha: images are denoised once, before"),
        ("data.degradation.fresh=true", "$.data.degradation.fresh: images are denoised once, before"),
        ("data.mixing.shuffle=0.2", "$.data.mixing.shuffle: images are denoised once, before"),
        ("training.patch=64", "smaller than a patch of (64, 64) pixels (got (32, 32)). Lower training.patch"),
        ("training.patch=18", "$.training.patch: must be a multiple of 4"),
    ],
)
def test_a_splitter_that_does_not_fit(specs: tuple[Path, Path], override: str, message: str) -> None:
    out = specs[0].parent / "out"
    refused(run("train-sequence", *specs, "--out", out, "--set-split", override), message)
    assert not out.exists()


def test_a_folder_that_is_taken_or_belongs_to_other_specs(specs: tuple[Path, Path]) -> None:
    out = specs[0].parent / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    command = ("train-sequence", *specs, "--out", out)
    taken = f"{out}: is not an empty folder. Choose another --out."
    refused(run(*command), taken)
    refused(run(*command, "--resume"), taken)
    write_mapping(out / "sequence.json", {"format": 1})
    refused(run(*command, "--resume"), "sequence.json: differs from the specs given with --resume")
    (out / "sequence.json").write_text("{")
    refused(run(*command, "--resume"), "sequence.json: is not the record of a sequence")


def test_a_sequence_is_not_a_run_and_an_unfinished_one_predicts_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "sequence.json").write_text("{}")
    refused(
        run("evaluate", out),
        f"{out}: holds a sequence of runs (got sequence.json). Give one of them, for example {out / 'split'}",
    )
    refused(
        run("predict", out, tmp_path / "x.tif", "--out", tmp_path / "y.tif"),
        f"{out}: the sequence is not finished (there is no {out / 'split' / 'model.json'}). Finish it with",
    )


@pytest.mark.parametrize(
    ("recorded", "channels", "message"),
    [
        ("[a, b]", "[c]", "channels=[c]: expected one of a, b, mixed, because data.recorded is given"),
        ("[a, b]", "[a, b]", "channels=[a, b]: expected one of a, b, mixed, because data.recorded is given"),
        ("[a, mixed]", "[a]", "data.recorded=[a, mixed]: expected different names, none of them 'mixed'"),
        ("[a, a]", "[a]", "data.recorded=[a, a]: expected different names, none of them 'mixed'"),
    ],
)
def test_a_denoiser_of_a_channel_that_is_not_there(
    specs: tuple[Path, Path], recorded: str, channels: str, message: str
) -> None:
    options = [f"data.recorded={recorded}", f"channels={channels}", "data.train={use: simulated}"]
    sets = [part for option in options for part in ("--set", option)]
    refused(run("check", specs[0], *sets), message)


def test_a_denoiser_with_images_that_change_during_training(specs: tuple[Path, Path]) -> None:
    options = ["data.recorded=[a, b]", "channels=[a]", "data.train={use: simulated}"]
    for change in ("data.degradation={gaussian: 3, fresh: true}", "data.mixing.alpha=[[0, 1]]"):
        sets = [part for option in (*options, change) for part in ("--set", option)]
        key = change.partition("=")[0].removeprefix("data.")
        refused(run("check", specs[0], *sets), "$.data: recorded chooses an image before training", key)
