"""Networks that come from files of other programs give the reference numbers."""

import os
from pathlib import Path

import pytest
import torch

import denoisplit
from tests.exchange.foreign import INPUT_MEAN, INPUT_STD, config, state, target_mean, target_std, write
from tests.golden.reference import ReferenceNetwork
from tests.network.fixed_noise import FixedNoise

FOLDER = os.environ.get("DENOISPLIT_GOLDEN")
NETWORKS = sorted(path.stem for path in Path(FOLDER, "networks").glob("*.npz")) if FOLDER else ["none"]


def _require_outputs(run: denoisplit.Run, network: ReferenceNetwork) -> None:
    vse = run.vse.double()
    for prefix in ("", "inf_"):
        counts = network.tensor(f"{prefix}x") * INPUT_STD + INPUT_MEAN
        with torch.no_grad():
            found = vse.decode(counts, FixedNoise(network.draws(prefix))).output
        expected = network.tensor(f"{prefix}out")
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= 2e-7 * expected.abs().max()


@pytest.mark.parametrize("name", NETWORKS)
def test_an_imported_network_gives_the_reference_outputs(golden: Path, tmp_path: Path, name: str) -> None:
    network = ReferenceNetwork.load(golden / "networks" / f"{name}.npz")
    files = write(network, tmp_path)
    imported = denoisplit.import_checkpoint(
        files.checkpoint, files.config, tmp_path / "run", noise_models=files.noise_models
    )
    run = denoisplit.load(imported.path)
    _require_outputs(run, network)
    assert run.bundle.statistics.target_mean == tuple(target_mean(network))
    assert run.bundle.statistics.target_std == tuple(target_std(network))
    assert run.bundle.steps == 70


@pytest.mark.parametrize("name", NETWORKS)
def test_the_weights_complete_a_config(golden: Path, tmp_path: Path, name: str) -> None:
    network = ReferenceNetwork.load(golden / "networks" / f"{name}.npz")
    files = write(network, tmp_path)
    short = config(network)
    if "algorithm_config" in short:
        kept = ("architecture", "encoder_conv_strides", "predict_logvar")
        model = short["algorithm_config"]["model"]
        short["algorithm_config"]["model"] = {key: model[key] for key in kept}
    else:
        for key in ("image_size", "multiscale_lowres_count"):
            del short["data"][key]
        for half in ("encoder", "decoder"):
            for key in ("n_filters", "blocks_per_layer"):
                del short["model"][half][key]
        del short["model"]["z_dims"], short["model"]["multiscale_lowres_separate_branch"]
        del short["model"]["enable_noise_model"]
    run = denoisplit.import_checkpoint(
        files.checkpoint, short, tmp_path / "run", noise_models=files.noise_models
    )
    _require_outputs(run, network)


def test_noise_models_come_along(golden: Path, tmp_path: Path) -> None:
    """A run holds the mixtures of the files, and another program's likelihood is that of the run."""
    from denoisplit.core.network.interfaces import IntensityStats
    from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture

    networks = [ReferenceNetwork.load(path) for path in sorted((golden / "networks").glob("*.npz"))]
    network = next(n for n in networks if "noise_models" in n.meta)
    files = write(network, tmp_path)
    run = denoisplit.import_checkpoint(
        files.checkpoint, files.config, tmp_path / "run", noise_models=files.noise_models
    )
    for path in files.noise_models:
        path.unlink()
    run = denoisplit.load(run.path)
    direct = write(network, tmp_path)
    unit = IntensityStats(
        mixed_mean=0, mixed_std=1, target_mean=target_mean(network), target_std=target_std(network)
    )
    expected = GaussianMixture(GaussianMixture.Options(path=direct.noise_models), statistics=unit)
    signal = torch.rand(1, network.channels, 8, 8, dtype=torch.float64) * 1000
    observation = signal + 20 * torch.randn(signal.shape, dtype=torch.float64)
    torch.testing.assert_close(
        run.vse.noise_model.log_prob(observation, signal), expected.log_prob(observation, signal)
    )
    assert not run.vse.noise_model.needs_fit


def test_mixtures_in_the_checkpoint_need_no_file(golden: Path, tmp_path: Path) -> None:
    """CAREamics stores range and floor beside the weights."""
    networks = [ReferenceNetwork.load(path) for path in sorted((golden / "networks").glob("*.npz"))]
    network = next(n for n in networks if "noise_models" in n.meta)
    files = write(network, tmp_path)
    tensors = {f"model.{name}": tensor for name, tensor in state(network).items() if "noiseModel" not in name}
    for channel, about in enumerate(network.meta["noise_models"]):
        weight = torch.from_numpy(network.arrays[f"noise_model_{channel}_weight"]).float()
        for owner in ("noise_model", "noise_model_likelihood.noise_model"):
            prefix = f"{owner}.nmodel_{channel}."
            tensors[prefix + "weight"] = weight
            tensors[prefix + "tolerance"] = torch.tensor([1e-10])
            for key in ("min_signal", "max_signal", "min_sigma"):
                tensors[prefix + key] = torch.tensor(about[key])
    torch.save(tensors, tmp_path / "weights.pt")
    with_files = denoisplit.import_checkpoint(
        files.checkpoint, files.config, tmp_path / "files", noise_models=files.noise_models
    )
    without = denoisplit.import_checkpoint(tmp_path / "weights.pt", files.config, tmp_path / "tensors")
    signal = torch.rand(1, network.channels, 8, 8, dtype=torch.float64) * 1000
    torch.testing.assert_close(
        without.vse.noise_model.log_prob(signal + 9, signal),
        with_files.vse.noise_model.log_prob(signal + 9, signal),
    )
