"""The reference networks with the reference weights give the reference numbers."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.latent import level_sums
from denoisplit.core.network.noise_source import FixedNoise
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.noise_models.gaussian import Gaussian, LogVariance
from tests.golden.reference import ReferenceNetwork

FOLDER = os.environ.get("DENOISPLIT_GOLDEN")
# Without the folder one test of each kind stays, so that it shows as skipped.
NETWORKS = sorted(path.stem for path in Path(FOLDER, "networks").glob("*.npz")) if FOLDER else ["none"]
DTYPES = (torch.float64, torch.float32)


def build(network: ReferenceNetwork) -> VSE:
    """The network in normalised units, with a likelihood of as many maps as it predicts."""
    unit = IntensityStats(
        mixed_mean=0.0,
        mixed_std=1.0,
        target_mean=(0.0,) * network.channels,
        target_std=(1.0,) * network.channels,
    )
    mode: LogVariance = "fixed" if network.config["predict_logvar"] is None else "pixel"
    head = Gaussian(Gaussian.Options(log_variance=mode), statistics=unit)
    return network.build(head, DenoiSplitKL(DenoiSplitKL.Options()), unit)


def _named(name: str) -> Callable[[str], str]:
    """Puts the name of a tensor before what is wrong with it."""
    return lambda text: f"{name}: {text}"


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_training_pass_equals_the_reference(golden: Path, name: str, dtype: torch.dtype) -> None:
    network = ReferenceNetwork.load(golden / "networks" / f"{name}.npz")
    vse = build(network).to(dtype)
    exact = dtype == torch.float64
    with torch.no_grad():
        features = network.bottom_up(vse, network.tensor("x").to(dtype))
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
    vse = build(network).to(dtype)
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
    vse = build(network)
    with torch.no_grad():
        sampled = vse.sample(vse.encode(network.tensor("x")), FixedNoise(network.draws()))
    expected = network.tensor("out")[:, : vse.channels]
    assert (sampled - expected).abs().max() <= 2e-7 * network.tensor("out").abs().max()


@pytest.mark.parametrize("name", NETWORKS)
def test_parameter_count_equals_the_reference(golden: Path, name: str) -> None:
    network = ReferenceNetwork.load(golden / "networks" / f"{name}.npz")
    vse = build(network)
    assert sum(p.numel() for p in vse.parameters()) == network.parameters
