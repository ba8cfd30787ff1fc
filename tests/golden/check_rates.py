"""Divergences of the latents: variances, level sums, reductions and their weight."""

import itertools
import math
import re

import torch
from torch import Tensor
from torch.distributions import Normal

from denoisplit.core.network.interfaces import KLScheme
from denoisplit.core.network.latent import Level, divergence, gaussian, level_sums, stable_variance
from denoisplit.core.network.objective import kl_weight
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.kl_schemes.musplit import MuSplitKL
from tests.golden.account import GoldenFile

DTYPES = (torch.float64, torch.float32)


def _scheme(name: str, *, free_bits: float, analytic: bool = False) -> KLScheme:
    if name == "denoisplit":
        return DenoiSplitKL(DenoiSplitKL.Options(free_bits=free_bits, analytic=analytic))
    assert name == "musplit", name
    return MuSplitKL(MuSplitKL.Options(free_bits=free_bits, analytic=analytic))


def _level_of(total: Tensor, shape: list[int]) -> Level:
    """A level [b, *shape] whose single-sample divergence is spread evenly and has the sum ``total`` [b].

    At their common mean, two normal densities differ by the logarithm of the ratio of their widths.
    """
    share = (total / math.prod(shape)).view(-1, *(1 for _ in shape))
    zero = torch.zeros_like(share)
    sample = torch.zeros((), dtype=total.dtype).expand(len(total), *shape)
    return Level(Normal(zero, zero + 1), Normal(zero, share.exp()), sample)


def check_reductions(file: GoldenFile) -> None:
    """Level sums to rates, with free bits."""
    within = file.tolerance("rtol")
    for number, case in enumerate(file.meta["cases"]):
        sums = torch.from_numpy(file.given(f"K_{number}")).double()
        free_bits = file.given(f"free_bits_{number}")
        levels = tuple(_level_of(sums[:, i], shape) for i, shape in enumerate(case["latent_shapes"]))
        for name in ("denoisplit", "musplit"):
            found = [
                _scheme(name, free_bits=float(f))(levels, image_pixels=case["P"] ** 2, channels=2).total
                for f in free_bits
            ]
            # The levels are made from their sums: what rounding does to these is no error of the reduction.
            rounding = 1e-12 * float(sums.abs().max()) / case["P"] ** 2
            file.compare(f"{name}_{number}", torch.stack(found), within.but_for_rounding(rounding))


def check_distributions(file: GoldenFile) -> None:
    """Distributions to samples, divergence maps, level sums and rates."""
    kinds = {match[1] for match in file.matching(r"z_(\w+)_\d+").values()}
    count = len(file.meta["latent_shapes"])
    for kind, dtype in itertools.product(sorted(kinds), DTYPES):
        levels = []
        within = file.tolerance(str(dtype).removeprefix("torch."))
        for i in range(count):
            q_mean, q_raw, p_mean, p_raw, eps = (
                torch.from_numpy(file.given(f"{name}_{kind}_{i}")).to(dtype)
                for name in ("q_mean", "q_raw", "p_mean", "p_raw", "eps")
            )
            posterior = gaussian(torch.cat([q_mean, q_raw], 1), naive=kind == "naive")
            prior = gaussian(torch.cat([p_mean, p_raw], 1), naive=kind == "naive")
            level = Level(posterior, prior, posterior.mean + posterior.stddev * eps)
            file.compare(f"z_{kind}_{i}", level.sample, within)
            map_ = divergence(level, analytic=False)
            file.compare(f"kl_spatial_mc_{kind}_{i}", map_.sum(1), within)
            file.compare(f"kl_channel_mc_{kind}_{i}", map_.flatten(2).sum(2), within)
            levels.append(level)
        for estimate in ("mc", "an"):
            analytic = estimate == "an"
            sums = level_sums(tuple(levels), analytic=analytic)
            file.compare(f"K_{estimate}_{kind}", sums, within)
            losses = []
            for text in file.meta["loss_order"]:
                words = re.fullmatch(r"(\w+) f=([\d.]+)", text)
                assert words, text
                scheme = _scheme(words[1], free_bits=float(words[2]), analytic=analytic)
                losses.append(scheme(tuple(levels), image_pixels=file.meta["P"] ** 2, channels=2).total)
            file.compare(f"loss_{estimate}_{kind}", torch.stack(losses), within)


def check_variances(file: GoldenFile) -> None:
    """Raw numbers to variances, in the stable and the plain form, with and without the upper clip."""
    raw = torch.from_numpy(file.given("raw"))
    within = file.tolerance("float64")
    parameters = torch.stack([torch.zeros_like(raw), raw], dim=1)
    file.compare("var", stable_variance(raw), within)
    file.compare("logvar", stable_variance(raw).log(), within.but_for_rounding(1e-15))
    file.compare("std", gaussian(parameters).stddev[:, 0], within)
    file.compare("naive_var", gaussian(parameters, naive=True).variance[:, 0], within)
    for name, match in file.matching(r"var_after_clip(\d+)").items():
        file.compare(name, gaussian(parameters, clip=float(match[1])).variance[:, 0], within)
    file.compare("var", stable_variance(raw.float()), file.tolerance("float32", "var"))


def check_annealing(file: GoldenFile) -> None:
    """The weight of the rate, epoch by epoch."""
    file.leave(r".*known_defect", "a defect: the ramp was squared")
    found = [
        [
            kl_weight(
                epoch,
                target=1.0 if config["weight"] is None else config["weight"],
                start=config["start"],
                duration=config["time"] if config["annealing"] else 0,
            )
            for epoch in file.meta["epochs"]
        ]
        for config in file.meta["configs"]
    ]
    file.compare("beta", found, file.tolerance("atol"))
