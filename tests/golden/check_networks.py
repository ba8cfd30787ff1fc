"""Networks: the reference weights give the reference numbers."""

import re

import torch

from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.latent import level_sums
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.noise_models.gaussian import Gaussian, LogVariance
from tests.golden.account import GoldenFile, largest
from tests.golden.reference import ReferenceNetwork
from tests.golden.tolerance import Tolerance
from tests.network.fixed_noise import FixedNoise

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


def check_network(file: GoldenFile) -> None:
    """Training pass, prediction at another size and the path without priors, in both precisions."""
    network = ReferenceNetwork(file.arrays, file.meta)
    file.given("state_flat", "x", "inf_x", *file.matching(r"(inf_)?eps_\d+"))
    file.leave(r"noise_model_\d+_weight", "an input of the loss of this network")
    vse = build(network)
    assert sum(p.numel() for p in vse.parameters()) == network.parameters
    for dtype in DTYPES:
        vse.to(dtype)
        with torch.no_grad():
            _training_pass(file, network, vse, dtype)
            _prediction(file, network, vse, dtype)


def _limit(file: GoldenFile, dtype: torch.dtype, what: str) -> Tolerance:
    precision = str(dtype).removeprefix("torch.")
    return file.tolerance(f"{precision}_implementation/{what}")


def _of_largest(file: GoldenFile, dtype: torch.dtype, name: str) -> Tolerance:
    share = _limit(file, dtype, "out_and_inf_out").rtol
    return Tolerance(atol=share * largest(file.arrays[name]))


def _training_pass(file: GoldenFile, network: ReferenceNetwork, vse: VSE, dtype: torch.dtype) -> None:
    mixed = network.tensor("x").to(dtype)
    features = network.bottom_up(vse, mixed)
    decoded = vse.decode(mixed, FixedNoise(network.draws()))
    file.compare("out", decoded.output, _of_largest(file, dtype, "out"))
    sums = {estimate: level_sums(decoded.levels, analytic=estimate == "kl_an") for estimate in _ESTIMATES}
    for level, record in enumerate(decoded.levels):
        stride = network.meta["probe_stride_per_level"][level]
        maps = {
            "bu": features[level],
            "z": record.sample,
            "q_mu": record.posterior.mean,
            "q_lv": 2 * record.posterior.stddev.log(),
            "p_mu": record.prior.mean,
            "p_lv": 2 * record.prior.stddev.log(),
        }
        for key, values in maps.items():
            probed = values[..., ::stride, ::stride]
            file.compare(f"{key}_{level}", probed, _limit(file, dtype, "bu_z_q_p"))
        for estimate in _ESTIMATES:
            file.compare(f"{estimate}_{level}", sums[estimate][:, level], _limit(file, dtype, "kl"))


_ESTIMATES = ("kl_mc", "kl_an")


def _prediction(file: GoldenFile, network: ReferenceNetwork, vse: VSE, dtype: torch.dtype) -> None:
    mixed = network.tensor("inf_x").to(dtype)
    decoded = vse.decode(mixed, FixedNoise(network.draws("inf_")))
    file.compare("inf_out", decoded.output, _of_largest(file, dtype, "inf_out"))
    # Without the priors, which prediction leaves out, the means are the same.
    features = vse.encode(network.tensor("x").to(dtype))
    sampled = vse.sample(features, FixedNoise(network.draws()))
    within = _of_largest(file, dtype, "out")
    assert (sampled - network.tensor("out")[:, : vse.channels]).abs().max() <= within.atol


def network_named(file: GoldenFile) -> ReferenceNetwork:
    """The network that a file of losses speaks of."""
    name = file.meta["network_fixture"]
    assert re.fullmatch(r"networks/[\w.]+\.npz", name), name
    return ReferenceNetwork.load(file.root / name)
