"""Imported networks are runs like any other, whatever file they come from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import save_file

import denoisplit
from denoisplit.core.errors import ArgumentError, CheckpointError
from tests.cli.refusals import refused, run
from tests.exchange.foreign import INPUT_MEAN, INPUT_STD, Files, config, state, write_arrays, write_config
from tests.report.parsed import Report


def test_the_command_writes_a_run_that_predicts(noisy: Files, tmp_path: Path) -> None:
    out, image = tmp_path / "run", tmp_path / "mixed.tif"
    done = run(*noisy.arguments, "--out", out, "--channel", "actin", "--channel", "tubulin")
    assert done.exit_code == 0, done.output
    assert "actin + tubulin" in done.stdout
    mixed = np.random.default_rng(0).normal(INPUT_MEAN, INPUT_STD, (40, 52)).astype(np.float32)
    tifffile.imwrite(image, mixed)
    split = tmp_path / "split.ome.tif"
    assert run("predict", out, image, "--out", split, "--samples", 2).exit_code == 0
    assert tifffile.imread(split).shape == (4, 40, 52)
    loaded = denoisplit.load(out)
    np.testing.assert_array_equal(
        tifffile.imread(split)[:2], loaded.predict(mixed, samples=2).mean.astype(np.float32)
    )


def test_an_imported_run_is_evaluated_on_images_that_are_named(noisy: Files, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run(*noisy.arguments, "--out", out).exit_code == 0
    refused(run("evaluate", out), "images-that-the-network-was-trained-on", "data.test")
    images = "data.test={use: simulated, fields: 1, size: 48}"
    named = "channels=[filaments, mitochondria]"
    report = Report.of(denoisplit.load(out).report())
    assert report.all("img") == []
    assert "trained elsewhere" in report.texts["origin"]
    assert run("report", out, "--samples", 2, "--set", images, "--set", named).exit_code == 0
    assert Report.of(out / "report.html").all("img")
    assert run("evaluate", out, "--samples", 2, "--set", images, "--set", named).exit_code == 0


@pytest.mark.parametrize("ending", [".pt", ".pth", ".npz", ".safetensors"])
def test_every_sort_of_file_gives_the_same_network(plain: Files, tmp_path: Path, ending: str) -> None:
    tensors = state(plain.network)
    path = tmp_path / f"weights{ending}"
    if ending == ".npz":
        write_arrays(path, {name: tensor.numpy() for name, tensor in tensors.items()})
    elif ending == ".safetensors":
        # Shared tensors are stored once there.
        once = {name: tensor for name, tensor in tensors.items() if not name.startswith("parameter_net.")}
        save_file({name: tensor.contiguous() for name, tensor in once.items()}, path)
    else:
        torch.save(tensors, path)
    first = denoisplit.import_checkpoint(plain.checkpoint, plain.config, tmp_path / "first")
    second = denoisplit.import_checkpoint(path, plain.config, tmp_path / "second")
    expected = first.vse.state_dict()
    assert expected.keys() == second.vse.state_dict().keys()
    for name, tensor in second.vse.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_blocks_of_the_surround_may_have_weights_of_their_own(golden: Path, tmp_path: Path) -> None:
    from tests.exchange.foreign import write, write_checkpoint
    from tests.golden.reference import ReferenceNetwork

    networks = map(ReferenceNetwork.load, sorted((golden / "networks").glob("*.npz")))
    network = next(n for n in networks if n.scales > 1 and n.config["blocks_per_layer_encoder"] > 1)
    files = write(network, tmp_path)
    tensors = {name: tensor.clone() for name, tensor in state(network).items()}
    name = "bottom_up_layers.0.lowres_net.0.res.block.2.weight"
    tensors[name] += 1
    write_checkpoint(files.checkpoint, tensors)
    with pytest.raises(CheckpointError, match=r"multiscale_lowres_separate_branch contradicts"):
        denoisplit.import_checkpoint(files.checkpoint, files.config, tmp_path / "run")
    settings = config(network)
    settings["model"]["multiscale_lowres_separate_branch"] = True
    imported = denoisplit.import_checkpoint(files.checkpoint, settings, tmp_path / "run")
    found = imported.vse.state_dict()["encoder.context_blocks.0.1.layers.2.weight"]
    assert torch.equal(found, tensors[name])


def test_a_sum_is_normalised_as_the_reference_does(plain: Files, tmp_path: Path) -> None:
    """There, (sum of channels - C mean) / std."""
    settings = config(plain.network)
    settings["data"]["input_is_sum"] = True
    imported = denoisplit.import_checkpoint(plain.checkpoint, settings, tmp_path / "run")
    assert imported.spec.data.mixing.mode == "sum"
    channels = torch.rand(1, plain.network.channels, 8, 8, dtype=torch.float64) * 300
    expected = ((channels - INPUT_MEAN) / INPUT_STD).sum(1, keepdim=True)
    found = imported.bundle.statistics.normalise_mixed(channels.sum(1, keepdim=True))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["input_mean", "target_mean"])
@pytest.mark.parametrize("given", ["x", ["x"], [None]], ids=str)
def test_statistics_that_are_no_numbers(plain: Files, tmp_path: Path, name: str, given: Any) -> None:
    with pytest.raises(ArgumentError, match=rf"^{name}: must be a list of numbers \(got "):
        denoisplit.import_checkpoint(plain.checkpoint, plain.config, tmp_path / "run", **{name: given})
    assert not (tmp_path / "run").exists()


def test_statistics_may_be_options(plain: Files, tmp_path: Path) -> None:
    settings = config(plain.network)
    del settings["statistics"]
    write_config(plain.config, settings)
    refused(run(*plain.arguments, "--out", tmp_path / "run"), "statistics.input_mean", "--input-mean")
    count = plain.network.channels
    given = ["--input-mean", 5, "--input-std", 2]
    for channel in range(count):
        given += ["--target-mean", channel, "--target-std", 1 + channel]
    done = run(*plain.arguments, "--out", tmp_path / "run", *given)
    assert done.exit_code == 0, done.output
    statistics = denoisplit.load(tmp_path / "run").bundle.statistics
    assert (statistics.mixed_mean, statistics.mixed_std) == (5, 2)
    assert statistics.target_mean == tuple(range(count))
    assert statistics.target_std == tuple(range(1, count + 1))


@pytest.mark.parametrize(
    ("formulation", "scheme", "free_bits"),
    [("", "denoisplit", 1.0), (None, "denoisplit", 1.0), ("usplit", "musplit", 0.0)],
)
def test_the_kl_scheme_comes_along(
    plain: Files, tmp_path: Path, formulation: str | None, scheme: str, free_bits: float
) -> None:
    settings = config(plain.network)
    settings["loss"] = {"kl_loss_formulation": formulation, "kl_weight": 0.5}
    imported = denoisplit.import_checkpoint(plain.checkpoint, settings, tmp_path / "run")
    chosen = imported.spec.model.kl_scheme
    options: Any = chosen.options
    assert chosen.component.name == scheme
    assert (options.free_bits, options.weight) == (free_bits, 0.5)
    assert options.analytic == plain.network.config["analytical_kl"]
