"""Noise models: mixtures and their files, histograms."""

import numpy as np
import torch
from torch import Tensor

from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.plugins.noise_models.exchange import read_mixture
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.plugins.noise_models.histogram import Histogram
from denoisplit.plugins.noise_models.histogram_table import count_pairs, normalise
from denoisplit.plugins.noise_models.mixture_maths import components
from denoisplit.plugins.noise_models.split_numbers import join
from tests.golden.account import GoldenFile, largest
from tests.golden.check_likelihoods import BINDS, with_floor
from tests.golden.look_up import look_up
from tests.golden.tolerance import EXACT, Tolerance

DTYPES = (torch.float64, torch.float32)
UNIT = IntensityStats(mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0,), target_std=(1.0,))
"""Statistics of one channel; these models work in counts and do not look at them."""


def check_exchange_file(file: GoldenFile) -> None:
    """A file that is read and written holds the same numbers in the same form."""
    model = GaussianMixture(GaussianMixture.Options(path=(file.root / file.name,)), statistics=UNIT)
    copy = file.scratch / "copy.npz"
    model.export(0, copy)
    with np.load(copy) as written:
        assert {k: written[k].dtype for k in written} == {k: v.dtype for k, v in file.arrays.items()}
        for name in written:
            # Where it is a number of double precision, only the float32 parts of a model are kept.
            file.compare(name, written[name], Tolerance(rtol=1e-12))


def check_mixture_table(file: GoldenFile) -> None:
    """Components and log-densities on a grid that reaches far out."""
    path = file.root / file.meta["parameter_file"]
    file.compare("weight", read_mixture(path).weight, EXACT)
    model = GaussianMixture(GaussianMixture.Options(path=(path,)), statistics=UNIT)
    low, high, floor = (file.meta[name] for name in ("min_signal", "max_signal", "min_sigma"))
    k, d = file.meta["K"], file.meta["D"]
    for dtype in DTYPES:
        precision = str(dtype).removeprefix("torch.")
        signal, observation, weight = (
            torch.from_numpy(file.given(name)).to(dtype) for name in ("signal", "observation", "weight")
        )
        coefficients = weight.reshape(3, k, d).movedim(2, 1).unsqueeze(-1)
        found = components((signal - low) / (high - low), coefficients, torch.tensor(floor, dtype=dtype))
        parts = {
            "mu": found.shift + signal,
            "sigma": found.variance.sqrt(),
            "alpha": found.log_weight.exp(),
        }
        for name, values in parts.items():
            file.compare(name, values, file.tolerance(precision, name))
        density = model.log_prob(observation[None, None], _like(signal, observation))[0, 0]
        file.compare("log_p", with_floor(density), file.tolerance(precision, "log_p"))
        if dtype == torch.float64:
            exact = file.tolerance(precision, "exact_log_prob").but_for_rounding(1e-12)
            file.compare("exact_log_prob", density, exact)
            file.compare("floor_binds", density < BINDS, EXACT)


def _like(signal: Tensor, observation: Tensor) -> Tensor:
    """Signals [s] for observations [s x], as an image."""
    return signal[None, None, :, None].expand(1, 1, *observation.shape)


def check_histogram(file: GoldenFile) -> None:
    """The table of pairs of images, its file, and look-ups inside and outside of it."""
    low, high = file.meta["range"]
    bins = file.meta["bins"]
    observation = file.given("observation_images").astype(np.float64)
    signal = file.given("signal_images").astype(np.float64)
    signal = np.repeat(signal, len(observation) // len(signal), axis=0)
    within = file.tolerance("table")
    table = normalise(count_pairs(signal, observation, low=low, high=high, bins=bins))
    file.compare("table", table, within, by=lambda t: t[0] if t.ndim == 3 else t)
    original, copy = file.scratch / "in.npy", file.scratch / "out.npy"
    with original.open("wb") as stream:
        np.save(stream, file.arrays["table"])
    model = Histogram(Histogram.Options(path=(original,)), statistics=UNIT)
    model.export(0, copy)
    file.compare("table", np.load(copy), within)
    for dtype in DTYPES:
        _look_ups(file, model, dtype)


def _look_ups(file: GoldenFile, model: Histogram, dtype: torch.dtype) -> None:
    low, high = file.meta["range"]
    bins = file.meta["bins"]
    width = (high - low) / bins
    signal, observation = (
        torch.from_numpy(file.given(name)).to(dtype).view(1, 1, 1, -1)
        for name in ("lookup_signal", "lookup_observation")
    )
    table = join(model.tables, dtype)[0]
    found = look_up(observation.flatten(), signal.flatten(), table, low, high)
    share = float(file.tolerance("lookups", "float32").atol)
    for values, name in ((found, "bin_probability"), (found / width, "density")):
        file.compare(name, values, Tolerance(atol=share * largest(file.arrays[name])))
    if dtype == torch.float64:
        name = "bin_probability_float64"
        file.compare(name, found, file.tolerance("lookups", name))
    # Where the reference leaves the table, or has no pairs, it has no density that integrates to 1.
    row = ((signal.flatten().double() - low) / width).clamp(0, bins - 1.001).floor().long().numpy()
    full = file.arrays["table"][0].sum(1) > 0.5
    s, x = signal.flatten().numpy(), observation.flatten().numpy()
    usable = full[row] & full[row + 1] & (s >= low) & (s < high) & (x >= low) & (x < high - width)
    assert usable.any()
    density = model.log_prob(observation, signal).exp().flatten().double().numpy()
    chosen = Tolerance(atol=share * largest(file.arrays["density"]))
    file.compare("density", density, chosen, by=lambda values: values[usable])
