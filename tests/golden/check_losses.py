"""The objective of a whole network: losses of every variant, gradients, scores of the sample."""

import math
import re
from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import torch
from torch import Tensor

from denoisplit.core.assessment.image_scores import range_invariant_psnr
from denoisplit.core.exchange.tensor_names import our_name
from denoisplit.core.network.interfaces import FitReport, IntensityStats, KLScheme, NoiseModel, NoisePairs
from denoisplit.core.network.objective import LossTerms
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.kl_schemes.musplit import MuSplitKL
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from tests.assessment.pooled import pooled_psnr
from tests.golden.account import GoldenFile
from tests.golden.check_likelihoods import mixtures, statistics_of, with_floor
from tests.golden.check_networks import network_named
from tests.golden.reference import ReferenceNetwork
from tests.golden.tolerance import Tolerance
from tests.network.fixed_noise import FixedNoise

DTYPES = (torch.float64, torch.float32)
_VARIANT = re.compile(r"(?P<scheme>denoisplit|musplit)_f(?P<free_bits>[\d.]+)(?:_(?P<change>\w[\w.]*))?")
_NO_TARGET = re.compile(r"sample(\d+)_target_all_zero")
_BOTH_WEIGHTS = re.compile(r"klweight([\d.]+)_recweight([\d.]+)")


class FlooredMixture(NoiseModel):
    """The mixture with the floor of the reference."""

    def __init__(self, model: GaussianMixture) -> None:
        super().__init__()
        self.model = model

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return with_floor(self.model.log_prob(observation, signal, extra))

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    @property
    def needs_fit(self) -> bool:
        return False

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        raise NotImplementedError


def _scheme(name: str, free_bits: float) -> KLScheme:
    if name == "denoisplit":
        return DenoiSplitKL(DenoiSplitKL.Options(free_bits=free_bits))
    return MuSplitKL(MuSplitKL.Options(free_bits=free_bits))


@attrs.frozen
class _Case:
    """A network with its target and what the reference makes of them."""

    file: GoldenFile
    network: ReferenceNetwork
    vse: VSE
    in_counts: bool
    """Whether the reference, too, states the likelihood in counts."""

    @property
    def ones(self) -> tuple[float, ...]:
        return (1.0,) * self.network.channels

    def terms(
        self,
        scheme: KLScheme,
        *,
        kl_weight: float = 1.0,
        channel_weights: tuple[float, ...] = (),
        sample_weights: Tensor | None = None,
    ) -> LossTerms:
        # The stored input is normalised already: with mean 0 and std 1, counts are normalised units.
        dtype = next(self.vse.parameters()).dtype
        self.vse.kl_scheme = scheme
        return self.vse.loss(
            self.network.tensor("x").to(dtype),
            torch.from_numpy(self.file.given("target_raw").astype(np.float64)).to(dtype),
            FixedNoise(self.network.draws()),
            kl_weight=kl_weight,
            channel_weights=channel_weights,
            sample_weights=sample_weights,
        )

    def offset(self, weights: Sequence[float]) -> float:
        """What our distortion has more than that of the reference, for these weights of the channels.

        Our Gaussian is a density in counts, that of the reference one in normalised units. They differ by the
        Jacobian, ln of the std of the target channel.
        """
        if self.in_counts:
            return 0.0
        logs = [math.log(std) for std in self.vse.statistics.target_std]
        return sum(w * x for w, x in zip(weights, logs, strict=True)) / sum(weights)


def check_total_loss(file: GoldenFile) -> None:
    """Losses of every variant, distortions, gradients and scores, in both precisions."""
    network = network_named(file)
    statistics = statistics_of(file.given("target_mean"), file.given("target_std"))
    noise_model, in_counts = _noise_model(network, statistics, file)
    vse = network.build(noise_model, _scheme("denoisplit", 1.0), statistics)
    case = _Case(file, network, vse, in_counts)
    for dtype in DTYPES:
        vse.to(dtype)
        precision = str(dtype).removeprefix("torch.")
        values = file.tolerance(precision, "values")
        with torch.no_grad():
            for name, found in _variants(case).items():
                for part, number in found.items():
                    file.compare(f"values/{name}/{part}", number, values)
            # The reference validates with the distortion alone.
            plain = float(case.terms(_scheme("denoisplit", 1.0)).distortion) - case.offset(case.ones)
            file.compare("values/val_loss", plain, values)
            file.compare("per_sample_channel_nll", _distortions(case), values)
            _scores(case, values)
        _gradients(case, precision)


def _noise_model(
    network: ReferenceNetwork, statistics: IntensityStats, file: GoldenFile
) -> tuple[NoiseModel, bool]:
    if network.config["likelihood"] == "noise_model":
        about = network.meta["noise_models"]
        weights = [network.arrays[f"noise_model_{channel}_weight"] for channel in range(len(about))]
        options = mixtures(weights, about, file.scratch)
        return FlooredMixture(GaussianMixture(options, statistics=statistics)), True
    options_ = Gaussian.Options(
        log_variance="fixed" if network.config["predict_logvar"] is None else "pixel",
        log_variance_floor=network.config["logvar_lowerbound"],
    )
    return Gaussian(options_, statistics=statistics), False


def _variants(case: _Case) -> Mapping[str, dict[str, float]]:
    """Losses by the name of the variant, whatever variants there are."""
    found = {}
    for name, expected in case.file.meta["values"].items():
        if isinstance(expected, dict):
            words = _VARIANT.fullmatch(name)
            assert words, f"unknown variant {name}"
            scheme = _scheme(words["scheme"], float(words["free_bits"]))
            found[name] = _losses(case, scheme, words["change"] or "")
    return found


def _losses(case: _Case, scheme: KLScheme, change: str) -> dict[str, float]:
    weights, factor, beta = case.ones, 1.0, 1.0
    samples = torch.ones(len(case.network.tensor("x")))
    if no_target := _NO_TARGET.fullmatch(change):
        samples[int(no_target[1])] = 0  # it counts nothing, but the divisor stays the batch
    elif both := _BOTH_WEIGHTS.fullmatch(change):
        # A weight of the distortion has no place in our objective: it is one of the rate in other words.
        beta, factor = float(both[1]), float(both[2])
    elif change.startswith(("channel_w_", "recons_w_")):
        weights = tuple(float(number) for number in change.split("_w_")[1].split("_"))
        # Weights that the reference does not normalise: the mean over channels of w_c d_c is our weighted
        # mean times the sum of the weights, per channel.
        factor = sum(weights) / len(weights) if change.startswith("recons") else 1.0
    else:
        assert not change, f"unknown variant {change}"
    terms = case.terms(scheme, kl_weight=beta, channel_weights=weights, sample_weights=samples)
    plain = float(terms.distortion) - case.offset(weights) * float(samples.mean())
    beyond = (factor - 1) * plain - (float(terms.distortion) - plain)
    return {
        "reconstruction_loss": factor * plain,
        "kl_loss": float(terms.rate),
        "total_loss": float(terms.total) + beyond,
    }


def _distortions(case: _Case) -> list[list[float]]:
    """Of every sample and channel."""
    batch = len(case.network.tensor("x"))
    units = torch.eye(case.network.channels).tolist()
    offsets = [case.offset(unit) for unit in units]
    rows = []
    for sample in range(batch):
        only = batch * torch.eye(batch)[sample]  # for the divisor is the batch
        terms = case.terms(_scheme("denoisplit", 1.0), sample_weights=only)
        found = terms.distortion_per_channel.tolist()
        rows.append([f - o for f, o in zip(found, offsets, strict=True)])
    return rows


def _scores(case: _Case, within: Tolerance) -> None:
    """PSNR of the one posterior sample against the noisy target."""
    dtype = next(case.vse.parameters()).dtype
    features = case.vse.encode(case.network.tensor("x").to(dtype))
    signal = case.vse.sample(features, FixedNoise(case.network.draws())).numpy().astype(np.float64)
    target = case.file.given("target_raw").astype(np.float64)
    channels = range(case.network.channels)
    ranged = [
        [range_invariant_psnr(t[c], s[c]) for t, s in zip(target, signal, strict=True)] for c in channels
    ]
    case.file.compare("range_invariant_psnr_channel_sample", ranged, within)
    pooled = [pooled_psnr(list(target[:, c]), list(signal[:, c])) for c in channels]
    case.file.compare("monitor_psnr_per_channel", pooled, within)


def _gradients(case: _Case, precision: str) -> None:
    parameters = dict(case.vse.named_parameters())
    total = case.terms(_scheme("denoisplit", 1.0)).total
    gradients = dict(zip(parameters, torch.autograd.grad(total, list(parameters.values())), strict=True))
    names = [our_name(name) or name for name in case.file.meta["gradient_tensor_names"]]
    assert set(names) == set(parameters)
    ordered = [gradients[name].double() for name in names]
    kind = "gradients" if precision == "float64" else "gradient_l2"
    norms = case.file.tolerance(precision, kind)
    case.file.compare("gradient_l2", [float(g.norm()) for g in ordered], norms.but_for_rounding(1e-9))
    # A sum may cancel, so what rounding does to it is measured by the gradients that it is a sum of.
    size = case.file.arrays["gradient_l2"] * [math.sqrt(g.numel()) for g in ordered]
    if precision == "float64":
        sums = Tolerance(rtol=norms.rtol, atol=1e-9 * size)
    else:
        sums = Tolerance(atol=case.file.tolerance(precision, "gradient_sum").atol * size)
    case.file.compare("gradient_sum", [float(g.sum()) for g in ordered], sums)
