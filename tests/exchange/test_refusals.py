"""What cannot be imported is refused in one line that names what does not fit, and nothing is written."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.cli.refusals import refused, run
from tests.exchange.foreign import Files, config, state, write_arrays, write_checkpoint, write_config


class Intruder:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


def attempt(files: Files, out: Path, *parts: str, extra: tuple[object, ...] = ()) -> None:
    refused(run(*files.arguments, "--out", out, *extra), *parts)
    assert not out.exists()


def without(name: str) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors.pop(name)


def changed(files: Files, change: Callable[[dict[str, Tensor]], object]) -> None:
    """Change the tensors of the checkpoint."""
    tensors = state(files.network)
    change(tensors)
    write_checkpoint(files.checkpoint, tensors)


def test_no_file(plain: Files, tmp_path: Path) -> None:
    plain.checkpoint.unlink()
    attempt(plain, tmp_path / "run", "BaselineVAECL_best.ckpt", "there is no such file")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_checkpoint(plain: Files, tmp_path: Path, share: float) -> None:
    content = plain.checkpoint.read_bytes()
    plain.checkpoint.write_bytes(content[: int(share * len(content))])
    attempt(plain, tmp_path / "run", "BaselineVAECL_best.ckpt", "is truncated or not a checkpoint")


@pytest.mark.parametrize("ending", [".yaml", ".ckpt"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"channels: [a]\ndata: {train: images}\n", "text"),
        (b"a,b\n1,2\n", "text"),
        (b'{"training": 1}', "text"),
        (b".\n", "text"),
        (b"(lp0\n.", "text"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "a file of another kind"),
        (b"II*\0\x08\0\0\0", "a file of another kind"),
    ],
)
def test_what_is_no_checkpoint(plain: Files, tmp_path: Path, ending: str, content: bytes, what: str) -> None:
    """Torch takes text for a pickle, and tells of empty lists and odd classes."""
    path = tmp_path / f"weights{ending}"
    path.write_bytes(content)
    done = run("import-checkpoint", path, "--config", plain.config, "--out", tmp_path / "run")
    refused(done, f"{path.name}: is not a checkpoint (got {what}). Give the file with the trained weights")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_truncated_files_of_other_sorts(plain: Files, tmp_path: Path, ending: str) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / f"weights{ending}"
    arrays = {name: tensor.numpy().copy() for name, tensor in state(plain.network).items()}
    if ending == ".npz":
        write_arrays(path, arrays)
    else:
        save_file(arrays, path)
    path.write_bytes(path.read_bytes()[:-300])
    done = run("import-checkpoint", path, "--config", plain.config, "--out", tmp_path / "run")
    refused(done, path.name, "is truncated or not a checkpoint")


def test_another_network(plain: Files, tmp_path: Path) -> None:
    torch.save(nn.Conv2d(1, 2, 3).state_dict(), plain.checkpoint)
    attempt(plain, tmp_path / "run", "is not a ladder network", "weight, bias")


@pytest.mark.parametrize(
    "content", [[1, 2, 3], {"epoch": 3}, {}, {"state_dict": {}}, {"state_dict": 3}], ids=str
)
def test_no_network(plain: Files, tmp_path: Path, content: object) -> None:
    torch.save(content, plain.checkpoint)
    attempt(plain, tmp_path / "run", "BaselineVAECL_best.ckpt")


@pytest.mark.parametrize("by_torch", [True, False])
def test_objects_are_refused_and_never_made(plain: Files, tmp_path: Path, by_torch: bool) -> None:
    made = tmp_path / "made"
    content = {"state_dict": state(plain.network), "hyper_parameters": Intruder(made)}
    if by_torch:
        torch.save(content, plain.checkpoint)
    else:
        plain.checkpoint.write_bytes(pickle.dumps(Intruder(made)))
    attempt(plain, tmp_path / "run", "BaselineVAECL_best.ckpt", "Python objects", "not loaded")
    assert not made.exists()


def test_every_missing_tensor_is_named(surrounded: Files, tmp_path: Path) -> None:
    names = list(state(surrounded.network))
    tops = f"top_down_layers.{surrounded.network.levels - 1}.top_prior_params"
    unused = f"bottom_up_layers.{surrounded.network.levels - 1}.lowres_merge.layer.0.bias"
    for name in (*names[:: len(names) // 6], tops, unused, "parameter_net.bias", "output_layer.weight"):
        changed(surrounded, without(name))
        attempt(surrounded, tmp_path / "run", "missing", name)


def test_unexpected_and_misshapen_tensors_are_named_together(plain: Files, tmp_path: Path) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        tensors["stray.weight"] = torch.zeros(3)
        tensors["final_top_down.0.res.block.2.weight"] = torch.zeros(1, 2, 3, 3)
        tensors["bottom_up_layers.1.net_downsized.0.pre_conv.bias"] = torch.zeros(1)
        del tensors["top_down_layers.0.merge.layer.0.weight"]

    changed(plain, spoil)
    attempt(
        plain,
        tmp_path / "run",
        "1 missing: top_down_layers.0.merge.layer.0.weight",
        "1 unexpected: stray.weight",
        "2 of wrong shape",
        "final_top_down.0.res.block.2.weight, got [1, 2, 3, 3]",
        "bottom_up_layers.1.net_downsized.0.pre_conv.bias, got [1]",
    )


@pytest.mark.parametrize("axes", [(4, 4), (4, 4, 4, 1)])
def test_a_prior_of_another_dimension(plain: Files, tmp_path: Path, axes: tuple[int, ...]) -> None:
    name = f"top_down_layers.{plain.network.levels - 1}.top_prior_params"
    changed(plain, lambda tensors: tensors.update({name: torch.zeros(1, *axes)}))
    attempt(plain, tmp_path / "run", name, "has a wrong shape")


def test_copies_that_differ(plain: Files, tmp_path: Path) -> None:
    changed(plain, lambda tensors: tensors.update({"parameter_net.bias": tensors["output_layer.bias"] + 1}))
    attempt(plain, tmp_path / "run", "parameter_net.bias and output_layer.bias", "differ")


def test_weights_that_are_no_numbers(plain: Files, tmp_path: Path) -> None:
    changed(plain, lambda tensors: tensors.update({"first_bottom_up.0.bias": torch.full((3,), torch.nan)}))
    attempt(plain, tmp_path / "run", "NaN or infinite", "first_bottom_up.0.bias")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.image_size", 1024),
        ("data.multiscale_lowres_count", 4),
        ("model.z_dims", [3, 3, 3]),
        ("model.encoder.n_filters", 999),
        ("model.decoder.blocks_per_layer", 7),
        ("model.predict_logvar", None),
        ("model.enable_noise_model", True),
    ],
)
def test_a_config_that_contradicts_the_weights(plain: Files, tmp_path: Path, path: str, value: Any) -> None:
    settings = config(plain.network)
    *above, key = path.split(".")
    place = settings
    for part in above:
        place = place[part]
    place[key] = value
    write_config(plain.config, settings)
    named = "--noise-model" if key == "enable_noise_model" else path
    attempt(plain, tmp_path / "run", named)


@pytest.mark.parametrize("path", ["model.var_clip_max", "model.predict_logvar", "model.logvar_lowerbound"])
def test_what_no_weight_tells_must_be_in_the_config(plain: Files, tmp_path: Path, path: str) -> None:
    settings = config(plain.network)
    del settings["model"][path.rpartition(".")[2]]
    write_config(plain.config, settings)
    attempt(plain, tmp_path / "run", "config.yaml", f"{path} is missing")


def test_how_far_context_is_retained_must_be_in_the_config(surrounded: Files, tmp_path: Path) -> None:
    settings = config(surrounded.network)
    del settings["model"]["multiscale_retain_spatial_dims"]
    write_config(surrounded.config, settings)
    attempt(surrounded, tmp_path / "run", "model.multiscale_retain_spatial_dims is missing")


@pytest.mark.parametrize(
    ("key", "value"),
    [("nonlin", "relu"), ("gated", False), ("non_stochastic_version", True), ("gated", "yes")],
)
def test_networks_of_other_sorts(plain: Files, tmp_path: Path, key: str, value: object) -> None:
    settings = config(plain.network)
    settings["model"][key] = value
    write_config(plain.config, settings)
    attempt(plain, tmp_path / "run", f"model.{key}", "cannot be imported")


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "model: {", "model: {z_dims: many}", "model: {gated: true, gated: true}"]
)
def test_configs_that_are_none(plain: Files, tmp_path: Path, text: str) -> None:
    plain.config.write_text(text, encoding="utf-8")
    attempt(plain, tmp_path / "run", "config.yaml")


def test_a_folder_that_is_taken(plain: Files, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "notes.txt").touch()
    refused(run(*plain.arguments, "--out", taken), "is not an empty folder")


def test_noise_models_are_needed_and_are_those_of_the_training(noisy: Files, tmp_path: Path) -> None:
    first, second, *_ = noisy.noise_models
    bare = ["import-checkpoint", noisy.checkpoint, "--config", noisy.config, "--out", tmp_path / "run"]
    refused(run(*bare), "noise model of channel 1", "--noise-model")
    refused(run(*bare, "--noise-model", second, "--noise-model", first), "is another noise model", "n1model")
    refused(run(*bare, *["--noise-model", first] * 3), "3 files for 2 channels")
    refused(
        run(*bare, "--noise-model", first, "--noise-model", tmp_path / "none.npz"), "none.npz", "no such file"
    )


def _spoiled(path: Path, **changes: Any) -> None:
    with np.load(path) as archive:
        content = {key: archive[key] for key in archive.files}
    np.savez(path, **{key: value for key, value in {**content, **changes}.items() if value is not None})


def test_a_noise_model_whose_range_is_exchanged(noisy: Files, tmp_path: Path) -> None:
    path = noisy.noise_models[0]
    with np.load(path) as archive:
        low, high = archive["min_signal"], archive["max_signal"]
    _spoiled(path, min_signal=high, max_signal=low)
    attempt(noisy, tmp_path / "run", path.name, "min_signal < max_signal", "exchanged")


def test_pairs_instead_of_a_noise_model(noisy: Files, tmp_path: Path) -> None:
    """Pairs are to be fitted first, which tells whether signal and observation are exchanged."""
    path = noisy.noise_models[0]
    signal = np.linspace(0, 1, 50)
    np.savez(path, signal=signal, observation=signal + 1)
    attempt(noisy, tmp_path / "run", path.name, "pairs of signal and observation")


def test_a_noise_model_that_is_truncated(noisy: Files, tmp_path: Path) -> None:
    path = noisy.noise_models[0]
    path.write_bytes(path.read_bytes()[:-100])
    attempt(noisy, tmp_path / "run", path.name, "not a readable .npz")
