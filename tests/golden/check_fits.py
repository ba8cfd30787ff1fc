"""Noise models of a camera: its true density, the fits of the reference, and our own."""

import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

from denoisplit.core.arrays import AnyArray
from denoisplit.core.network.interfaces import FitReport, NoiseModel, NoisePairs
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.plugins.noise_models.poisson_gaussian import PoissonGaussian
from tests.golden.account import GoldenFile
from tests.golden.check_likelihoods import mixtures, with_floor
from tests.golden.check_noise_models import UNIT
from tests.golden.tolerance import Tolerance
from tests.plugins.cameras_found import parameters_of

SLACK = 1e-3
"""Nats per pixel that a fit may be worse than that of the reference, by the file's rule of acceptance."""
STORED = Tolerance(rtol=1e-9, atol=1e-9)
"""For what the reference computes with weights that are stored to the last digit."""


def check_camera(file: GoldenFile) -> None:
    """Pairs of a known camera, and what mixtures and the camera itself make of them."""
    file.given("train_signal_code", "train_observation_code", "eval_signal_code", "eval_observation_code")
    file.given("grid_signal", "grid_observation")
    file.leave(r"fit_\w+_initial_weight", "where the optimiser of the reference began; ours begins elsewhere")
    _known_camera(file)
    for fit in file.meta["reference_fits"]:
        _reference_fit(file, fit)
        _own_fit(file, fit)
    _fitted_camera(file)


def _counts(file: GoldenFile, name: str) -> AnyArray:
    return file.arrays[name].astype(np.float64) * float(file.meta["code_to_counts"])


def _on_pairs(file: GoldenFile, model: NoiseModel) -> Tensor:
    """Log-densities of the pairs that no fit has seen."""
    signal, observation = (
        torch.from_numpy(_counts(file, f"eval_{name}_code"))[None, None] for name in ("signal", "observation")
    )
    return model.log_prob(observation, signal)


def _on_grid(file: GoldenFile, model: NoiseModel) -> Tensor:
    observation = torch.from_numpy(file.arrays["grid_observation"])[None, None]
    signal = torch.from_numpy(file.arrays["grid_signal"])[None, None, :, None].expand_as(observation)
    return model.log_prob(observation, signal)[0, 0]


def _known_camera(file: GoldenFile) -> None:
    known = file.meta["camera"]
    options = PoissonGaussian.Options(
        gain=known["gain_counts_per_electron"],
        offset=known["offset_counts"],
        read_noise=known["read_noise_sigma_counts"],
    )
    model = PoissonGaussian(options, statistics=UNIT)
    within = file.tolerance("grid_true_log_density")
    file.compare("grid_true_log_density", _on_grid(file, model), within)
    file.compare("eval_true_nll", -float(_on_pairs(file, model).mean()), within)


def _reference_fit(file: GoldenFile, fit: str) -> None:
    """The weights of the reference, read by us, are as good as it says."""
    about: dict[str, Any] = {key: file.meta[key] for key in ("min_signal", "max_signal", "min_sigma")}
    for stage in file.meta["reference_fits"][fit]:
        weight = file.given(f"fit_{fit}_{stage.replace('_', '')}_weight")
        model = GaussianMixture(mixtures([weight], [about], file.scratch), statistics=UNIT)
        exact = _on_pairs(file, model)
        nll = -float(exact.mean())
        path = f"reference_fits/{fit}/{stage}"
        file.compare(f"{path}/nll_exact", nll, STORED)
        file.compare(f"{path}/nll_with_floor", -float(with_floor(exact).mean()), STORED)
        file.compare(f"{path}/excess_over_truth", nll - file.meta["eval_true_nll"], STORED)
        if stage == "final":
            file.compare(f"grid_fit_{fit}_log_density", _on_grid(file, model), STORED)


def _own_fit(file: GoldenFile, fit: str) -> None:
    """A fit of the same size is as good as that of the reference, on pairs that none has seen."""
    size = re.fullmatch(r"K(\d+)_D(\d+)", fit)
    assert size, fit
    options = GaussianMixture.Options(
        components=int(size[1]), coefficients=int(size[2]), variance_floor=file.meta["min_sigma"]
    )
    model = GaussianMixture(options, statistics=UNIT)
    report, nll = _fitted(file, model)
    assert nll <= file.meta["reference_fits"][fit]["final"]["nll_exact"] + SLACK
    assert report.calibration_error < 0.02
    density = _on_grid(file, model).exp().numpy()
    truth = np.exp(file.arrays["grid_true_log_density"])
    signal = file.arrays["grid_signal"]
    inside = (signal > file.meta["min_signal"]) & (signal < file.meta["max_signal"])
    error = np.abs(density - truth).max(1) / truth.max(1)
    assert float(np.median(error[inside])) < 0.05


def _fitted_camera(file: GoldenFile) -> None:
    model = PoissonGaussian(PoissonGaussian.Options(), statistics=UNIT)
    report, nll = _fitted(file, model)
    fits = file.meta["reference_fits"].values()
    assert all(nll <= fit["final"]["nll_exact"] + SLACK for fit in fits)
    assert report.warnings == ()
    gain, _, _ = parameters_of(model, 0)
    file.compare("camera/gain_counts_per_electron", gain, Tolerance(rtol=0.03))


def _fitted(file: GoldenFile, model: NoiseModel) -> tuple[FitReport, float]:
    """Fit to the pairs; the report, and the mean on those for evaluation, which the truth bounds below."""
    pairs = NoisePairs(_counts(file, "train_signal_code"), _counts(file, "train_observation_code"))
    (report,) = model.fit([pairs], seed=0)
    nll = -float(_on_pairs(file, model).mean())
    assert nll >= file.meta["eval_true_nll"] - SLACK
    return report, nll
