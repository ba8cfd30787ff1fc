"""The reference networks with the reference weights give the reference numbers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from denoisplit.core.network.interfaces import IntensityStats, NoiseModel
from denoisplit.core.network.latent import level_sums
from denoisplit.core.network.noise_source import FixedNoise
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.noise_models.gaussian import Gaussian, LogVariance
from tests.golden.reference import ReferenceNetwork

NETWORKS = ("net_a_plain_gaussian", "net_b_noise_model")
UNIT = IntensityStats(mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0, 0.0), target_std=(1.0, 1.0))
DTYPES = (torch.float64, torch.float32)


def _head(network: ReferenceNetwork) -> NoiseModel:
    """A likelihood with as many maps as the network predicts."""
    mode: LogVariance = "fixed" if network.meta["config"]["predict_logvar"] is None else "pixel"
    return Gaussian(Gaussian.Options(log_variance=mode), statistics=UNIT)


def _named(name: str) -> Callable[[str], str]:
    """Puts the name of a tensor before what is wrong with it."""
    return lambda text: f"{name}: {text}"


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_training_pass_equals_the_reference(golden: Path, name: str, dtype: torch.dtype) -> None:
    network = ReferenceNetwork.load(golden / "networks" / f"{name}.npz")
    vse = network.build(_head(network), DenoiSplitKL(DenoiSplitKL.Options()), UNIT).to(dtype)
    exact = dtype == torch.float64
    with torch.no_grad():
        features = vse.encode(network.tensor("x").to(dtype))
        decoded = vse.decode(network.tensor("x").to(dtype), FixedNoise(network.draws()))
    expected = network.tensor("out")
    limit = (2e-7 if exact else 2e-5) * expected.abs().max()
    assert (decoded.output - expected).abs().max() <= limit
    relative, absolute = (1.2e-7, 1e-6) if exact else (2e-5, 5e-5)
    for level, record in enumerate(decoded.levels):
        stride = network.meta["probe_stride_per_level"][level]
        observed = {
            "bu": features[level],
            "z": record.sample,
            "q_mu": record.posterior.mean,
            "q_lv": 2 * record.posterior.stddev.log(),
            "p_mu": record.prior.mean,
            "p_lv": 2 * record.prior.stddev.log(),
        }
        for key, value in observed.items():
            torch.testing.assert_close(
                value[..., ::stride, ::stride].double(),
                network.tensor(f"{key}_{level}"),
                rtol=relative,
                atol=absolute,
                msg=_named(f"{key}_{level}"),
            )
    kl_relative, kl_absolute = (1e-9, 1e-7) if exact else (2e-5, 1e-3)
    for analytic, key in ((False, "kl_mc"), (True, "kl_an")):
        sums = level_sums(decoded.levels, analytic=analytic).double()
        expected_sums = torch.stack(
            [network.tensor(f"{key}_{level}") for level in range(network.levels)], dim=1
        )
        torch.testing.assert_close(sums, expected_sums, rtol=kl_relative, atol=kl_absolute)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_prediction_at_another_size_equals_the_reference(golden: Path, name: str, dtype: torch.dtype) -> None:
    network = ReferenceNetwork.load(golden / "networks" / f"{name}.npz")
    vse = network.build(_head(network), DenoiSplitKL(DenoiSplitKL.Options()), UNIT).to(dtype)
    with torch.no_grad():
        decoded = vse.decode(network.tensor("inf_x").to(dtype), FixedNoise(network.draws("inf_")))
    expected = network.tensor("inf_out")
    limit = (2e-7 if dtype == torch.float64 else 2e-5) * expected.abs().max()
    assert decoded.output.shape == expected.shape
    assert (decoded.output - expected).abs().max() <= limit


@pytest.mark.parametrize("name", NETWORKS)
def test_prediction_path_equals_the_training_path(golden: Path, name: str) -> None:
    """``sample`` leaves out the priors and nothing else."""
    network = ReferenceNetwork.load(golden / "networks" / f"{name}.npz")
    vse = network.build(_head(network), DenoiSplitKL(DenoiSplitKL.Options()), UNIT)
    with torch.no_grad():
        sampled = vse.sample(vse.encode(network.tensor("x")), FixedNoise(network.draws()))
    expected = network.tensor("out")[:, : vse.channels]
    assert (sampled - expected).abs().max() <= 2e-7 * network.tensor("out").abs().max()


@pytest.mark.parametrize("name", NETWORKS)
def test_parameter_count_equals_the_reference(golden: Path, name: str) -> None:
    network = ReferenceNetwork.load(golden / "networks" / f"{name}.npz")
    vse = network.build(_head(network), DenoiSplitKL(DenoiSplitKL.Options()), UNIT)
    frozen = sum(
        entry["shape"][0] * entry["shape"][1]
        for entry in network.meta["state_dict"]
        if entry["name"].startswith("noiseModel")
    )
    assert sum(p.numel() for p in vse.parameters()) == network.meta["trainable_parameters"]
    assert frozen == 0 or name == "net_b_noise_model"
