"""The mixture noise model gives the reference numbers."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from denoisplit.core.network.interfaces import IntensityStats, NoisePairs
from denoisplit.plugins.noise_models.exchange import ChannelMixture, write_mixture
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.plugins.noise_models.histogram import Histogram
from denoisplit.plugins.noise_models.histogram_table import count_pairs, normalise
from denoisplit.plugins.noise_models.mixture_maths import components
from denoisplit.plugins.noise_models.poisson_gaussian import PoissonGaussian

SIZES = [(k, d) for k in (1, 2, 3, 6) for d in (2, 3, 4)]
DTYPES = [torch.float64, torch.float32]
REFERENCE_FLOOR = math.log(1e-10)


def _open(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    with np.load(path) as archive:
        tensors = {key: torch.from_numpy(archive[key]) for key in archive if key != "meta"}
        return tensors, json.loads(str(archive["meta"])) if "meta" in archive else {}


def _statistics(channels: int) -> IntensityStats:
    return IntensityStats(
        mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0,) * channels, target_std=(1.0,) * channels
    )


def _load(*paths: Path) -> GaussianMixture:
    return GaussianMixture(GaussianMixture.Options(path=paths), statistics=_statistics(len(paths)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("k", "d"), SIZES)
def test_densities_of_tables(golden: Path, k: int, d: int, dtype: torch.dtype) -> None:
    tensors, _ = _open(golden / "noise_models" / f"gmm_K{k}_D{d}_table.npz")
    model = _load(golden / "noise_models" / "files" / f"gmm_K{k}_D{d}.npz")
    observation = tensors["observation"].to(dtype)[None, None]
    signal = tensors["signal"].to(dtype)[None, None, :, None].expand_as(observation)
    found = model.log_prob(observation, signal)[0, 0].double()
    with_floor = torch.logaddexp(found, torch.tensor(REFERENCE_FLOOR, dtype=torch.float64))
    if dtype == torch.float64:
        torch.testing.assert_close(found, tensors["exact_log_prob"], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(with_floor, tensors["log_p"], rtol=0, atol=1e-7)
    else:
        torch.testing.assert_close(with_floor, tensors["log_p"], rtol=0, atol=3e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("k", "d"), SIZES)
def test_components_of_tables(golden: Path, k: int, d: int, dtype: torch.dtype) -> None:
    tensors, meta = _open(golden / "noise_models" / f"gmm_K{k}_D{d}_table.npz")
    signal = tensors["signal"].to(dtype)
    t = (signal - meta["min_signal"]) / (meta["max_signal"] - meta["min_signal"])
    weights = tensors["weight"].to(dtype).reshape(3, k, d).movedim(2, 1).unsqueeze(-1)
    found = components(t, weights, torch.tensor(meta["min_sigma"], dtype=dtype))
    loose = dtype == torch.float32
    for value, name, rtol, atol in [
        (found.shift + signal, "mu", 1e-5 if loose else 1e-9, 0.0),
        (found.variance.sqrt(), "sigma", 2e-6 if loose else 1e-9, 0.0),
        (found.log_weight.exp(), "alpha", 0.0 if loose else 1e-9, 2e-6 if loose else 0.0),
    ]:
        torch.testing.assert_close(value.double(), tensors[name], rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_channels_of_different_size(golden: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    tensors, meta = _open(golden / "losses" / "noise_model_log_likelihood.npz")
    paths = [tmp_path / f"channel_{c}.npz" for c in range(2)]
    for c, (path, about) in enumerate(zip(paths, meta["noise_models"], strict=True)):
        weight = tensors[f"weight_{c}"].double().numpy()
        write_mixture(
            path, ChannelMixture(weight, about["min_signal"], about["max_signal"], about["min_sigma"])
        )
    mean, std = tensors["target_mean"].to(dtype), tensors["target_std"].to(dtype)
    signal, observation = (tensors[name].to(dtype) * std + mean for name in ("s_normalised", "x_normalised"))
    found = _load(*paths).log_prob(observation, signal).double()
    with_floor = torch.logaddexp(found, torch.tensor(REFERENCE_FLOOR, dtype=torch.float64))
    if dtype == torch.float64:
        torch.testing.assert_close(found, tensors["exact_log_prob"], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(
        with_floor, tensors["log_likelihood"], rtol=0, atol=1e-7 if dtype == torch.float64 else 1e-4
    )


def test_files_survive_a_round_trip(golden: Path, tmp_path: Path) -> None:
    files = [golden / "noise_models" / "files" / f"gmm_K{k}_D{d}.npz" for k, d in SIZES]
    model = _load(*files)
    for channel, original in enumerate(files):
        copy = tmp_path / original.name
        model.export(channel, copy)
        before, after = _open(original)[0], _open(copy)[0]
        assert before.keys() == after.keys()
        for key, value in before.items():
            assert after[key].shape == value.shape
            torch.testing.assert_close(after[key], value, rtol=1e-7, atol=0)


@pytest.mark.parametrize(("k", "d"), [(3, 2), (6, 4)])
def test_fit_is_as_good_as_the_reference(golden: Path, k: int, d: int) -> None:
    tensors, meta = _open(golden / "noise_models" / "poisson_gaussian_fit.npz")

    def counts(name: str) -> torch.Tensor:
        return tensors[name].double() * float(meta["code_to_counts"])

    model = GaussianMixture(
        GaussianMixture.Options(components=k, coefficients=d, variance_floor=meta["min_sigma"]),
        statistics=_statistics(1),
    )
    pairs = NoisePairs(counts("train_signal_code").numpy(), counts("train_observation_code").numpy())
    (report,) = model.fit([pairs], seed=0)
    found = model.log_prob(
        counts("eval_observation_code")[None, None], counts("eval_signal_code")[None, None]
    )
    nll = -float(found.mean())
    assert nll <= meta["reference_fits"][f"K{k}_D{d}"]["final"]["nll_exact"] + 1e-3
    assert nll >= meta["eval_true_nll"] - 1e-3
    assert report.calibration_error < 0.02
    grid_signal = tensors["grid_signal"][None, None, :, None].expand(1, 1, *tensors["grid_observation"].shape)
    density = model.log_prob(tensors["grid_observation"][None, None], grid_signal)[0, 0].exp()
    truth = tensors["grid_true_log_density"].exp()
    inside = (tensors["grid_signal"] > meta["min_signal"]) & (tensors["grid_signal"] < meta["max_signal"])
    error = (density - truth).abs().amax(1) / truth.amax(1)
    assert float(error[inside].median()) < 0.05


def test_a_camera_fits_as_well_as_the_reference_mixtures(golden: Path) -> None:
    tensors, meta = _open(golden / "noise_models" / "poisson_gaussian_fit.npz")

    def counts(name: str) -> torch.Tensor:
        return tensors[name].double() * float(meta["code_to_counts"])

    model = PoissonGaussian(PoissonGaussian.Options(), statistics=_statistics(1))
    pairs = NoisePairs(counts("train_signal_code").numpy(), counts("train_observation_code").numpy())
    (report,) = model.fit([pairs], seed=0)
    found = model.log_prob(
        counts("eval_observation_code")[None, None], counts("eval_signal_code")[None, None]
    )
    nll = -float(found.mean())
    assert all(nll <= fit["final"]["nll_exact"] + 1e-3 for fit in meta["reference_fits"].values())
    assert nll >= meta["eval_true_nll"] - 1e-3
    assert report.warnings == ()
    gain, _, _ = model.parameters_of(0)
    assert gain == pytest.approx(meta["camera"]["gain_counts_per_electron"], rel=0.03)


def test_the_density_of_a_known_camera(golden: Path) -> None:
    tensors, meta = _open(golden / "noise_models" / "poisson_gaussian_fit.npz")
    known = meta["camera"]
    options = PoissonGaussian.Options(
        gain=known["gain_counts_per_electron"],
        offset=known["offset_counts"],
        read_noise=known["read_noise_sigma_counts"],
    )
    model = PoissonGaussian(options, statistics=_statistics(1))
    observation = tensors["grid_observation"][None, None]
    signal = tensors["grid_signal"][None, None, :, None].expand_as(observation)
    found = model.log_prob(observation, signal)[0, 0]
    torch.testing.assert_close(found, tensors["grid_true_log_density"], rtol=0, atol=1e-6)


def _histogram(tensors: dict[str, torch.Tensor], path: Path) -> Histogram:
    with path.open("wb") as file:
        np.save(file, tensors["table"].numpy())
    return Histogram(Histogram.Options(path=(path,)), statistics=_statistics(1))


def test_the_table_of_images(golden: Path, tmp_path: Path) -> None:
    tensors, meta = _open(golden / "noise_models" / "histogram.npz")
    low, high = meta["range"]
    observation = tensors["observation_images"].double().numpy()
    signal = tensors["signal_images"].double().numpy()
    signal = np.repeat(signal, len(observation) // len(signal), axis=0)
    table = normalise(count_pairs(signal, observation, low=low, high=high, bins=meta["bins"]))
    np.testing.assert_allclose(table, tensors["table"][0].numpy(), rtol=0, atol=1e-12)
    _histogram(tensors, tmp_path / "in.npy").export(0, tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), tensors["table"].numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_look_ups_of_the_table(golden: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    tensors, meta = _open(golden / "noise_models" / "histogram.npz")
    model = _histogram(tensors, tmp_path / "table.npy")
    signal, observation = (
        tensors[name].to(dtype).view(1, 1, 1, -1) for name in ("lookup_signal", "lookup_observation")
    )
    found = model.bin_probability(observation, signal).flatten()
    low, high = meta["range"]
    width = (high - low) / meta["bins"]
    for value, name in ((found, "bin_probability"), (found / width, "density")):
        expected = tensors[name].double()
        torch.testing.assert_close(value.double(), expected, rtol=0, atol=1e-5 * float(expected.max()))
    if dtype == torch.float64:
        torch.testing.assert_close(found, tensors["bin_probability_float64"], rtol=0, atol=1e-10)
    density = model.log_prob(observation, signal).exp().flatten()
    row = ((signal.flatten().double() - low) / width).clamp(0, meta["bins"] - 1.001).floor().long()
    full = tensors["table"][0].sum(1) > 0.5
    # Where the reference leaves the table, or has no pairs, it has no density that integrates to 1.
    usable = full[row] & full[row + 1]
    usable &= (signal.flatten() >= low) & (signal.flatten() < high)
    usable &= (observation.flatten() >= low) & (observation.flatten() < high - width)
    assert usable.sum() > len(usable) / 4
    expected = tensors["density"].double()[usable]
    torch.testing.assert_close(density[usable].double(), expected, rtol=0, atol=1e-5 * float(expected.max()))
