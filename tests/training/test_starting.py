"""Trainings that start from the weights of another run, and parts of a network that stay."""

import json
import shutil
from pathlib import Path

import attrs
import pytest
import torch
from click.testing import CliRunner

import denoisplit
from denoisplit.cli import main
from denoisplit.core.errors import DenoisplitError
from denoisplit.core.storage.states import load_weights
from tests.training.test_fit import SPEC, Interrupt, _assert_equal

NONE = ["training.learning_rate=1e-30", "training.keep=last"]
"""Adamax takes steps as large as the rate: the weights stay what they were at the start."""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> denoisplit.Run:
    folder = tmp_path_factory.mktemp("first")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    return denoisplit.train(folder / "spec.yaml", folder / "run", overrides=["training.keep=last"])


def train(first: denoisplit.Run, out: Path, *overrides: str, spec: str = SPEC) -> denoisplit.Run:
    (out.parent / "spec.yaml").write_text(spec, encoding="utf-8")
    start = f"training.start_from={first.path}"
    return denoisplit.train(out.parent / "spec.yaml", out, overrides=[start, *overrides])


def test_a_training_starts_from_the_weights_of_a_run(first: denoisplit.Run, tmp_path: Path) -> None:
    run = train(first, tmp_path / "run", *NONE, "training.seed=7")
    theirs, ours = load_weights(first.folder.weights), load_weights(run.folder.weights)
    learnt = [name for name in theirs if name.endswith(("weight", "bias"))]
    assert learnt
    assert all(torch.allclose(ours[name], theirs[name]) for name in learnt)
    stored = json.loads(run.folder.bundle.read_text(encoding="utf-8"))["start"]
    assert stored["run"] == str(first.path)
    assert stored["drawn"] == []
    assert run.bundle.start is not None
    assert run.bundle.start.taken == stored["taken"]


def test_a_run_of_other_channels_gives_what_fits_and_the_rest_is_named(
    first: denoisplit.Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = SPEC.replace("[filaments, puncta]", "[filaments, puncta, mitochondria]")
    with caplog.at_level("INFO", "denoisplit"):
        run = train(first, tmp_path / "run", *NONE, spec=spec)
    assert run.bundle.start is not None
    assert set(run.bundle.start.drawn) == {"decoder.output.weight", "decoder.output.bias"}
    assert any("decoder.output.weight" in message for message in caplog.messages)
    theirs, ours = load_weights(first.folder.weights), load_weights(run.folder.weights)
    name = next(name for name in theirs if name.startswith("encoder.") and name.endswith("weight"))
    assert torch.allclose(ours[name], theirs[name])


def test_another_noise_model_takes_the_signal_and_maps_of_zeros(
    first: denoisplit.Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From maps to none, back again, and to a noise model whose maps mean something else."""
    fixed = "model.noise_model.log_variance=fixed"
    spread = "model.noise_model={use: spread_mixture}"
    alone = train(first, tmp_path / "alone", *NONE, fixed)
    run = train(alone, tmp_path / "run", *NONE)
    other = train(first, tmp_path / "other", *NONE, spread)
    for one in (alone, run, other):
        assert one.bundle.start is not None
        assert one.bundle.start.drawn == ()
    for name in ("decoder.output.weight", "decoder.output.bias"):
        signal = load_weights(first.folder.weights)[name][:2]
        assert torch.allclose(load_weights(alone.folder.weights)[name], signal)
        for one in (run, other):
            ours = load_weights(one.folder.weights)[name]
            assert torch.allclose(ours, torch.cat([signal, torch.zeros_like(signal)]))
    assert "cannot learn" not in caplog.text
    train(alone, tmp_path / "frozen", *NONE, spread, "training.freeze=[decoder]")
    assert "training.freeze: decoder.output cannot learn what that run does not have" in caplog.text
    assert caplog.text.count("the maps of the noise model start at 0") == 3


def test_the_same_noise_model_for_every_channel_keeps_its_maps(
    first: denoisplit.Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = train(first, tmp_path / "run", *NONE, "model.noise_model=[{use: gaussian}, {use: gaussian}]")
    name = "decoder.output.weight"
    theirs, ours = (load_weights(one.folder.weights)[name] for one in (first, run))
    assert bool(theirs[2:].any())
    assert torch.allclose(ours, theirs)
    assert "start at 0" not in caplog.text


@pytest.mark.parametrize(
    ("names", "order", "said"),
    [
        ("[puncta, filaments]", [1, 0], None),
        ("[membranes, filaments]", [1, 0], "membranes from puncta"),
        ("[puncta, membranes]", [1, 0], "membranes from filaments"),
        ("[membranes, nuclei]", [0, 1], "membranes from filaments, nuclei from puncta"),
    ],
)
def test_a_channel_takes_the_maps_of_the_one_of_its_name(
    first: denoisplit.Run,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    names: str,
    order: list[int],
    said: str | None,
) -> None:
    spec = SPEC.replace("channels: [filaments, puncta]", f"channels: {names}")
    with caplog.at_level("INFO", "denoisplit"):
        run = train(first, tmp_path / "run", *NONE, spec=spec)
    for name in ("decoder.output.weight", "decoder.output.bias"):
        theirs, ours = (load_weights(one.folder.weights)[name] for one in (first, run))
        assert torch.allclose(ours, theirs[[*order, *(2 + channel for channel in order)]])
    told = [line for line in caplog.messages if line.startswith("channels that start from those of other")]
    assert told == ([f"channels that start from those of other names: {said}"] if said else [])


def test_maps_of_a_noise_model_go_to_one_of_its_sort(first: denoisplit.Run, tmp_path: Path) -> None:
    """Of channels in another order, with noise models that go along or that do not."""
    spread, gaussian = "{use: spread_mixture}", "{use: gaussian}"
    source = train(first, tmp_path / "source", f"model.noise_model=[{gaussian}, {spread}]")
    exchanged = SPEC.replace("channels: [filaments, puncta]", "channels: [puncta, filaments]")
    along, apart = (
        train(source, tmp_path / name, *NONE, f"model.noise_model=[{', '.join(models)}]", spec=exchanged)
        for name, models in (("along", (spread, gaussian)), ("apart", (gaussian, spread)))
    )
    name = "decoder.output.weight"
    theirs = load_weights(source.folder.weights)[name]
    assert torch.allclose(load_weights(along.folder.weights)[name], theirs[[1, 0, 3, 2]])
    kept = load_weights(apart.folder.weights)[name]
    assert torch.allclose(kept[:2], theirs[[1, 0]])
    assert torch.allclose(kept[2:], torch.zeros_like(kept[2:]))


def test_a_run_that_does_not_name_its_channels_is_refused(first: denoisplit.Run, tmp_path: Path) -> None:
    start = shutil.copytree(first.path, tmp_path / "start")
    plain = json.loads((start / "model.json").read_text(encoding="utf-8"))
    plain.pop("sha256")
    plain["spec"]["channels"] = None
    (start / "model.json").write_text(json.dumps(plain), encoding="utf-8")
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    with pytest.raises(DenoisplitError, match="does not name the channels of the run"):
        denoisplit.train(tmp_path / "spec.yaml", tmp_path / "run", overrides=[f"training.start_from={start}"])


def test_other_channels_are_no_maps_of_a_noise_model(first: denoisplit.Run, tmp_path: Path) -> None:
    """Two maps may be those of two channels, or of one and its noise: the shape does not tell."""
    alone = train(first, tmp_path / "alone", *NONE, "model.noise_model.log_variance=fixed")
    one = SPEC.replace("[filaments, puncta]", "[filaments]")
    run = train(alone, tmp_path / "run", *NONE, "data.mixing={mode: sum}", spec=one)
    assert run.bundle.start is not None
    assert set(run.bundle.start.drawn) == {"decoder.output.weight", "decoder.output.bias"}


def test_all_that_is_told_is_in_the_log(
    first: denoisplit.Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From the first line on, long before the folder of the run is made."""
    with caplog.at_level("INFO", "denoisplit"):
        run = train(first, tmp_path / "run", "data.train.fields=2")
    stamp = len("2026-01-01 00:00:00 ")
    logged = [line[stamp:] for line in run.folder.log.read_text(encoding="utf-8").splitlines()]
    assert logged == [line for message in caplog.messages for line in message.splitlines()]
    assert [line for line in logged if line.startswith(f"starting from {first.path}: ")]


def test_frozen_parts_stay_bit_for_bit_and_the_rest_learns(first: denoisplit.Run, tmp_path: Path) -> None:
    run = train(first, tmp_path / "run", "training.freeze=[encoder]", "training.keep=last")
    theirs, ours = load_weights(first.folder.weights), load_weights(run.folder.weights)
    encoder = {name for name in theirs if name.startswith("encoder.")}
    assert all(torch.equal(ours[name], theirs[name]) for name in encoder), "batch norms, too"
    assert not torch.equal(ours["decoder.output.weight"], theirs["decoder.output.weight"])


def test_it_resumes_bit_for_bit(first: denoisplit.Run, tmp_path: Path) -> None:
    frozen = "training.freeze=[encoder]"
    whole = train(first, tmp_path / "whole", frozen)
    start = [f"training.start_from={first.path}", frozen]
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(tmp_path / "spec.yaml", tmp_path / "cut", overrides=start, watchers=[Interrupt(4)])
    cut = denoisplit.train(tmp_path / "spec.yaml", tmp_path / "cut", overrides=start, resume=True)
    _assert_equal(cut.folder, whole.folder)


@pytest.mark.parametrize("becomes", ["another", "narrower", "nothing"])
def test_a_training_knows_its_start_whatever_has_become_of_it(
    first: denoisplit.Run, tmp_path: Path, becomes: str
) -> None:
    frozen = "training.freeze=[encoder]"
    whole = train(first, tmp_path / "whole", frozen)
    source = Path(shutil.copytree(first.path, tmp_path / "source"))
    start = [f"training.start_from={source}", frozen]
    spec = tmp_path / "spec.yaml"
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(spec, tmp_path / "cut", overrides=start, watchers=[Interrupt(4)])
    shutil.rmtree(source)
    if becomes != "nothing":
        size = "7" if becomes == "narrower" else "4"
        denoisplit.train(spec, source, overrides=["training.seed=9", f"model.encoder.width={size}"])
    cut = denoisplit.train(spec, tmp_path / "cut", overrides=start, resume=True)
    assert whole.bundle.start is not None
    assert cut.bundle.start == attrs.evolve(whole.bundle.start, run=str(source))
    ours, theirs = (load_weights(run.folder.weights) for run in (cut, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_finished_run_needs_its_start_no_longer(first: denoisplit.Run, tmp_path: Path) -> None:
    start = shutil.copytree(first.path, tmp_path / "start")
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    asked = [
        str(tmp_path / "spec.yaml"),
        "--out",
        str(tmp_path / "run"),
        "--set",
        f"training.start_from={start}",
    ]
    assert CliRunner().invoke(main, ["train", *asked]).exit_code == 0
    written = (tmp_path / "run" / "model.safetensors").read_bytes()
    (start / "model.safetensors").write_bytes(b"another")
    again = CliRunner().invoke(main, ["train", *asked, "--resume"])
    assert again.exit_code == 0, again.stderr
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == written


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "training.freeze=[encodr]",
            ": the network has no such part (got 'encodr'). Use one of enc",
        ),
        ("training.freeze=['']", ": the network has no such part (got ''). Use one of encoder, "),
        ("training.freeze=[encoder.nothing]", "Use one of encoder."),
        (
            "training.freeze=[encoder, decoder, noise_model, kl_scheme]",
            ": nothing is left to learn",
        ),
    ],
)
def test_a_wrong_part_is_told_by_check(tmp_path: Path, override: str, said: str) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    result = CliRunner().invoke(main, ["check", str(tmp_path / "spec.yaml"), "--set", override])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"--set {override}: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_run_that_is_none_or_has_nothing_in_common(first: denoisplit.Run, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    with pytest.raises(DenoisplitError, match="no such run folder"):
        denoisplit.train(
            tmp_path / "spec.yaml", tmp_path / "run", overrides=[f"training.start_from={tmp_path / 'none'}"]
        )
    other = SPEC.replace("levels: 2, width: 4", "levels: 1, width: 7")
    with pytest.raises(DenoisplitError, match="no weight of it fits this network"):
        train(first, tmp_path / "run", "model.decoder.latent_channels=5", spec=other)
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").iterdir())


def test_a_run_that_is_not_here_is_told_by_all_and_refused_by_train_before_its_images(tmp_path: Path) -> None:
    spec, start = tmp_path / "spec.yaml", tmp_path / "none"
    spec.write_text(SPEC, encoding="utf-8")
    change = ["--set", f"training.start_from={start}"]
    said = f"training.start_from: there is no such run here (got {start}). 'train' needs it, or correct"
    for command, mark in ((["check"], "#"), (["data", "check"], "  -")):
        told = CliRunner().invoke(main, [*command, str(spec), *change])
        assert told.exit_code == 0
        assert [line for line in told.stdout.splitlines() if line.startswith(f"{mark} {said}")]
    images = ["--set", "data.train={use: folder, path: nowhere, observed: '*.tif'}"]
    told = CliRunner().invoke(main, ["train", str(spec), "--out", str(tmp_path / "run"), *change, *images])
    assert told.exit_code == 2
    assert told.stderr == (
        f"training.start_from: {start}: no such run folder. "
        f"Give the folder that 'denoisplit train --out' wrote.\n"
    )


def test_a_folder_without_a_run_is_refused_as_a_start_by_all(tmp_path: Path) -> None:
    spec, start = tmp_path / "spec.yaml", tmp_path / "images"
    spec.write_text(SPEC, encoding="utf-8")
    start.mkdir()
    said = f"{start}: is not a run folder (there is no model.json)."
    for command in (["check"], ["data", "check"], ["train", "--out", str(tmp_path / "run")]):
        told = CliRunner().invoke(main, [*command, str(spec), "--set", f"training.start_from={start}"])
        assert told.exit_code == 2
        assert said in told.output
        assert "training.start_from" in told.output


def test_a_start_of_which_nothing_fits_is_told_by_check(first: denoisplit.Run, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC.replace("levels: 2, width: 4", "levels: 1, width: 7"), "utf-8")

    def check(start: str) -> str:
        change = f"training.start_from={start}"
        asked = ["--set", "model.decoder.latent_channels=5", "--set", change]
        result = CliRunner().invoke(main, ["check", str(tmp_path / "spec.yaml"), *asked])
        assert result.exit_code == (2 if result.stderr else 0)
        return result.stderr.removeprefix(f"--set {change}: ")

    for start in ("model:lines-blobs", str(first.folder.path)):
        assert check(start) == (
            f"no weight of it fits this network (got {start}). Give a run of the same encoder or decoder, "
            f"or null to start from random weights.\n"
        )
    assert check(str(tmp_path / "elsewhere")) == "", "the run may be where the training is"
