"""The objective of a whole network gives the reference losses and gradients."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor

from denoisplit.core.assessment.metrics import range_invariant_psnr
from denoisplit.core.exchange.names import our_name
from denoisplit.core.network.interfaces import FitReport, IntensityStats, KLScheme, NoiseModel, NoisePairs
from denoisplit.core.network.noise_source import FixedNoise
from denoisplit.core.network.objective import LossTerms, kl_weight
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.kl_schemes.musplit import MuSplitKL
from denoisplit.plugins.noise_models.exchange import ChannelMixture, write_mixture
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from tests.golden.reference import ReferenceNetwork

DTYPES = (torch.float64, torch.float32)
VALUES = {torch.float64: 1e-6, torch.float32: 5e-6}
"""Relative tolerance of losses that the reference file asks for."""


def _denoisplit(free_bits: float) -> KLScheme:
    return DenoiSplitKL(DenoiSplitKL.Options(free_bits=free_bits))


def _musplit() -> KLScheme:
    return MuSplitKL(MuSplitKL.Options(free_bits=0.0))


@attrs.frozen
class Case:
    """A reference network with its target image and the losses of the reference."""

    vse: VSE
    network: ReferenceNetwork
    arrays: dict[str, Any]
    meta: dict[str, Any]
    in_counts: bool
    """Whether the reference, too, states the likelihood in counts."""

    def loss(
        self,
        kl_scheme: KLScheme,
        *,
        kl_weight: float = 1.0,
        channel_weights: tuple[float, ...] = (),
        sample_weights: Tensor | None = None,
    ) -> LossTerms:
        # The stored input is normalised already: with mean 0 and std 1, counts are normalised units.
        dtype = next(self.vse.parameters()).dtype
        self.vse.kl_scheme = kl_scheme
        return self.vse.loss(
            self.network.tensor("x").to(dtype),
            torch.from_numpy(self.arrays["target_raw"].astype(np.float64)).to(dtype),
            FixedNoise(self.network.draws()),
            kl_weight=kl_weight,
            channel_weights=channel_weights,
            sample_weights=sample_weights,
        )

    def offset(self, *weights: float) -> float:
        """What our distortion has more than that of the reference, for these weights of the channels.

        Our Gaussian is a density in counts, that of the reference one in normalised units. They differ by the
        Jacobian, ln of the std of the target channel.
        """
        if self.in_counts:
            return 0.0
        logs = [math.log(std) for std in self.vse.statistics.target_std]
        return sum(w * x for w, x in zip(weights, logs, strict=True)) / sum(weights)

    def expect(self, name: str, distortion: float, rate: float, total: float, dtype: torch.dtype) -> None:
        expected = self.meta["values"][name]
        found = {"reconstruction_loss": distortion, "kl_loss": rate, "total_loss": total}
        assert found == pytest.approx(expected, rel=VALUES[dtype])


def _statistics(arrays: dict[str, Any]) -> IntensityStats:
    return IntensityStats(
        mixed_mean=0.0,
        mixed_std=1.0,
        target_mean=arrays["target_mean"].flatten().tolist(),
        target_std=arrays["target_std"].flatten().tolist(),
    )


def _gaussian(network: ReferenceNetwork, statistics: IntensityStats, folder: Path) -> NoiseModel:
    options = Gaussian.Options(
        log_variance="pixel", log_variance_floor=network.meta["config"]["logvar_lowerbound"]
    )
    return Gaussian(options, statistics=statistics)


class FlooredMixture(NoiseModel):
    """The mixture with the floor of the reference, ln(p + 1e-10), which ours does without."""

    def __init__(self, model: GaussianMixture) -> None:
        super().__init__()
        self.model = model

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        exact = self.model.log_prob(observation, signal, extra)
        return torch.logaddexp(exact, exact.new_tensor(math.log(1e-10)))

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    @property
    def needs_fit(self) -> bool:
        return False

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        raise NotImplementedError


def _mixture(network: ReferenceNetwork, statistics: IntensityStats, folder: Path) -> NoiseModel:
    paths = []
    for channel, about in enumerate(network.meta["noise_models"]):
        weight = network.arrays[f"noise_model_{channel}_weight"].astype(np.float64)
        paths.append(folder / f"{channel}.npz")
        write_mixture(
            paths[-1], ChannelMixture(weight, about["min_signal"], about["max_signal"], about["min_sigma"])
        )
    return FlooredMixture(GaussianMixture(GaussianMixture.Options(path=paths), statistics=statistics))


Maker = Callable[[ReferenceNetwork, IntensityStats, Path], NoiseModel]
NETWORKS: dict[str, tuple[str, Maker]] = {
    "a": ("net_a_plain_gaussian", _gaussian),
    "b": ("net_b_noise_model", _mixture),
}


@pytest.fixture(scope="module", params=list(NETWORKS))
def case(request: pytest.FixtureRequest, golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    file, make = NETWORKS[request.param]
    network = ReferenceNetwork.load(golden / "networks" / f"{file}.npz")
    with np.load(golden / "losses" / f"total_loss_net_{request.param}.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    statistics = _statistics(arrays)
    noise_model = make(network, statistics, tmp_path_factory.mktemp("noise_models"))
    return Case(
        vse=network.build(noise_model, _denoisplit(1.0), statistics),
        network=network,
        arrays=arrays,
        meta=json.loads(str(arrays.pop("meta"))),
        in_counts=request.param == "b",
    )


@pytest.fixture(params=DTYPES, ids=str)
def dtype(request: pytest.FixtureRequest, case: Case) -> torch.dtype:
    chosen: torch.dtype = request.param
    case.vse.to(chosen)
    return chosen


@torch.no_grad()
def test_losses_of_every_kl_scheme(case: Case, dtype: torch.dtype) -> None:
    for name, scheme in (
        ("denoisplit_f1", _denoisplit(1.0)),
        ("denoisplit_f0", _denoisplit(0.0)),
        ("musplit_f0", _musplit()),
    ):
        terms = case.loss(scheme)
        offset = case.offset(1, 1)
        case.expect(
            name, float(terms.distortion) - offset, float(terms.rate), float(terms.total) - offset, dtype
        )
    # the reference validates with the distortion alone
    assert float(case.loss(_denoisplit(1.0), kl_weight=0.0).total) - case.offset(1, 1) == pytest.approx(
        case.meta["values"]["val_loss"], rel=VALUES[dtype]
    )


@torch.no_grad()
def test_losses_of_weights_and_masks(case: Case, dtype: torch.dtype) -> None:
    scheme = _denoisplit(1.0)
    # A weight of the distortion has no place in our objective: it is a weight of the rate in other words.
    terms = case.loss(scheme, kl_weight=0.5)
    plain = float(terms.distortion) - case.offset(1, 1)
    case.expect(
        "denoisplit_f1_klweight0.5_recweight0.7",
        0.7 * plain,
        float(terms.rate),
        0.7 * plain + 0.5 * float(terms.rate),
        dtype,
    )
    assert float(terms.total) == pytest.approx(float(terms.distortion) + 0.5 * float(terms.rate), rel=1e-6)

    terms = case.loss(scheme, channel_weights=(3, 1))
    offset = case.offset(3, 1)
    case.expect(
        "denoisplit_f1_channel_w_3_1",
        float(terms.distortion) - offset,
        float(terms.rate),
        float(terms.total) - offset,
        dtype,
    )

    # Weights that the reference does not normalise: the mean over channels of w_c d_c is our weighted mean
    # times the sum of the weights, per channel.
    terms = case.loss(scheme, channel_weights=(2, 1))
    weighted = (float(terms.distortion) - case.offset(2, 1)) * (2 + 1) / 2
    case.expect(
        "denoisplit_f1_recons_w_2_1", weighted, float(terms.rate), weighted + float(terms.rate), dtype
    )

    # Sample 1 has no target: it counts nothing, but the divisor stays the batch.
    terms = case.loss(scheme, sample_weights=torch.tensor([1.0, 0.0]))
    offset = case.offset(1, 1) / 2
    case.expect(
        "denoisplit_f1_sample1_target_all_zero",
        float(terms.distortion) - offset,
        float(terms.rate),
        float(terms.total) - offset,
        dtype,
    )


@torch.no_grad()
def test_distortion_of_every_sample_and_channel(case: Case, dtype: torch.dtype) -> None:
    for sample, expected in enumerate(case.arrays["per_sample_channel_nll"]):
        weights = torch.tensor([2.0 * (sample == i) for i in range(2)])  # twice, for the divisor is the batch
        found = case.loss(_denoisplit(1.0), sample_weights=weights).distortion_per_channel.tolist()
        offsets = (case.offset(1, 0), case.offset(0, 1))
        assert [f - o for f, o in zip(found, offsets, strict=True)] == pytest.approx(
            expected.tolist(), rel=VALUES[dtype]
        )


def test_gradients_of_every_tensor(case: Case, dtype: torch.dtype) -> None:
    parameters = dict(case.vse.named_parameters())
    total = case.loss(_denoisplit(1.0)).total
    gradients = dict(zip(parameters, torch.autograd.grad(total, list(parameters.values())), strict=True))
    names = [our_name(name) or name for name in case.meta["gradient_tensor_names"]]
    assert set(names) == set(parameters)
    exact = dtype == torch.float64
    for name, norm, plain_sum in zip(
        names, case.arrays["gradient_l2"], case.arrays["gradient_sum"], strict=True
    ):
        gradient = gradients[name].double()
        size = math.sqrt(gradient.numel())
        assert float(gradient.norm()) == pytest.approx(norm, rel=1e-5 if exact else 1e-4, abs=1e-9), name
        # A sum may cancel, so its error is measured against the gradients that it is a sum of.
        slack = (1e-9 if exact else 1e-4) * norm * size
        assert float(gradient.sum()) == pytest.approx(plain_sum, rel=1e-5 if exact else 0, abs=slack), name


@torch.no_grad()
def test_scores_of_the_sample(case: Case) -> None:
    """The range-invariant PSNR of the one posterior sample against the noisy target."""
    case.vse.double()
    features = case.vse.encode(case.network.tensor("x"))
    signal = case.vse.sample(features, FixedNoise(case.network.draws())).numpy()
    target = case.arrays["target_raw"].astype(np.float64)
    for channel, row in enumerate(case.arrays["range_invariant_psnr_channel_sample"]):
        for sample, expected in enumerate(row):
            found = range_invariant_psnr(target[sample, channel], signal[sample, channel])
            assert found == pytest.approx(expected, rel=1e-6)


def test_kl_weights_of_every_epoch(golden: Path) -> None:
    with np.load(golden / "losses" / "kl_annealing.npz") as archive:
        expected, meta = archive["beta"], json.loads(str(archive["meta"]))
    for row, config in zip(expected, meta["configs"], strict=True):
        target = 1.0 if config["weight"] is None else config["weight"]
        found = [
            kl_weight(
                epoch,
                target=target,
                start=config["start"],
                duration=config["time"] if config["annealing"] else 0,
            )
            for epoch in meta["epochs"]
        ]
        np.testing.assert_allclose(found, row, rtol=0, atol=1e-12)
