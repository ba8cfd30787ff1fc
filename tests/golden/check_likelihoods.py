"""Likelihoods per pixel: the Gaussian with its pooled variances, and mixtures of counts."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from denoisplit.core.arrays import AnyArray
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.plugins.noise_models.exchange import ChannelMixture, write_mixture
from denoisplit.plugins.noise_models.gaussian import Gaussian, LogVariance, pooled_log_variance
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from tests.golden.account import GoldenFile
from tests.golden.tolerance import EXACT

DTYPES = (torch.float64, torch.float32)
REFERENCE_FLOOR = math.log(1e-10)
"""The reference takes ln(p + 1e-10) of a mixture."""
BINDS = REFERENCE_FLOOR + 7
"""Below this log-density, the files mark the floor as binding."""

MODES: dict[str, LogVariance] = {"pixelwise": "pixel", "channelwise": "channel", "global": "global"}


def with_floor(log_prob: Tensor) -> Tensor:
    """ln(p + 1e-10), which ours does without."""
    return torch.logaddexp(log_prob, log_prob.new_tensor(REFERENCE_FLOOR))


def mixtures(weights: list[AnyArray], about: list[dict[str, float]], folder: Path) -> GaussianMixture.Options:
    """Options of one mixture per channel, by way of files in the exchange format."""
    paths = []
    for channel, (weight, facts) in enumerate(zip(weights, about, strict=True)):
        paths.append(folder / f"channel_{channel}.npz")
        content = ChannelMixture(
            weight.astype(np.float64), facts["min_signal"], facts["max_signal"], facts["min_sigma"]
        )
        write_mixture(paths[-1], content)
    return GaussianMixture.Options(path=paths)


def statistics_of(mean: AnyArray, std: AnyArray) -> IntensityStats:
    """Statistics with a mixed image in normalised units, as the files have it."""
    return IntensityStats(
        mixed_mean=0.0,
        mixed_std=1.0,
        target_mean=mean.flatten().tolist(),
        target_std=std.flatten().tolist(),
    )


def _in_normalised_units(model: Gaussian, x: Tensor, mean: Tensor, raw: Tensor | None) -> Tensor:
    """Our density in counts differs from one in normalised units by the Jacobian."""
    units = model.statistics
    in_counts = model.log_prob(units.to_counts(x), units.to_counts(mean), raw)
    return in_counts + units.per_channel(units.target_std, x).log()


def check_gaussian(file: GoldenFile) -> None:
    """Every way to pool predicted log-variances, with and without lower bound."""
    channels = file.meta["C"]
    for dtype in DTYPES:
        within = file.tolerance(str(dtype).removeprefix("torch."))
        # Any units will do; in single precision those without an offset, which would cost digits.
        offset, scale = (40.0, 7.0) if dtype == torch.float64 else (0.0, 1.0)
        units = statistics_of(np.full(channels, offset), np.full(channels, scale))
        output, x = (torch.from_numpy(file.given(name)).to(dtype) for name in ("o", "x"))
        mean, raw = output[:, :channels], output[:, channels:]
        for name, words in file.matching(r"ll_(\w+?)_(nolb|lb\d+)").items():
            mode = MODES[words[1]]
            floor = None if words[2] == "nolb" else -float(words[2].removeprefix("lb"))
            model = Gaussian(Gaussian.Options(log_variance=mode, log_variance_floor=floor), statistics=units)
            file.compare(name, _in_normalised_units(model, x, mean, raw), within)
            pooled = pooled_log_variance(raw, mode, floor)
            file.compare(f"logvar_{words[1]}_{words[2]}", pooled, within)
        unit = Gaussian(Gaussian.Options(log_variance="fixed"), statistics=units)
        # The reference leaves out the constant of the unit Gaussian.
        constant = 0.5 * math.log(2 * math.pi)
        file.compare("ll_none", _in_normalised_units(unit, x, mean, None) + constant, within)


def check_noise_model(file: GoldenFile) -> None:
    """Mixtures of several channels, each with its own statistics."""
    about: list[dict[str, Any]] = file.meta["noise_models"]
    weights = [file.given(f"weight_{channel}") for channel in range(len(about))]
    statistics = statistics_of(file.given("target_mean"), file.given("target_std"))
    model = GaussianMixture(mixtures(weights, about, file.scratch), statistics=statistics)
    for dtype in DTYPES:
        precision = str(dtype).removeprefix("torch.")
        signal, observation = (
            statistics.to_counts(torch.from_numpy(file.given(name)).to(dtype))
            for name in ("s_normalised", "x_normalised")
        )
        found = model.log_prob(observation, signal)
        file.compare("log_likelihood", with_floor(found), file.tolerance(precision, "log_likelihood"))
        if dtype == torch.float64:
            exact = file.tolerance(precision, "exact").but_for_rounding(1e-12)
            file.compare("exact_log_prob", found, exact)
            file.compare("floor_binds", found < BINDS, EXACT)


def number_of(text: str, word: str) -> float:
    """The number that follows a word in a sentence of ``meta``."""
    found = re.search(rf"{word} (-?[\d.]+)", text)
    assert found, f"no {word} in {text!r}"
    return float(found[1])
