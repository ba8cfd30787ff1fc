"""The KL schemes give the reference numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from denoisplit.core.network.interfaces import KLScheme
from denoisplit.core.network.latent import Level, gaussian, level_sums, stable_variance
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.kl_schemes.musplit import MuSplitKL


def _open(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    with np.load(path) as archive:
        tensors = {key: torch.from_numpy(archive[key]) for key in archive if key != "meta"}
        return tensors, json.loads(str(archive["meta"]))


@pytest.mark.parametrize("case", range(5))
def test_reductions_of_level_sums(golden: Path, case: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors, meta = _open(golden / "losses" / "kl_from_levels.npz")
    side, shapes = meta["cases"][case]["P"], meta["cases"][case]["latent_shapes"]
    sums, zero = tensors[f"K_{case}"], torch.zeros(1)
    samples = [zero.expand(len(sums), *shape) for shape in shapes]
    levels = tuple(Level(Normal(zero, zero + 1), Normal(zero, zero + 1), sample) for sample in samples)
    for name in ("denoisplit", "musplit"):  # only the sums are given, not the distributions that have them
        monkeypatch.setattr(f"denoisplit.plugins.kl_schemes.{name}.level_sums", lambda levels, analytic: sums)
    for index, free_bits in enumerate(tensors[f"free_bits_{case}"].tolist()):
        schemes: dict[str, KLScheme] = {
            "denoisplit": DenoiSplitKL(DenoiSplitKL.Options(free_bits=free_bits)),
            "musplit": MuSplitKL(MuSplitKL.Options(free_bits=free_bits)),
        }
        for name, scheme in schemes.items():
            found = scheme(levels, image_pixels=side**2, channels=2).total
            torch.testing.assert_close(found, tensors[f"{name}_{case}"][index], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("naive", [False, True])
@pytest.mark.parametrize("analytic", [False, True])
def test_rates_of_distributions(golden: Path, naive: bool, analytic: bool, dtype: torch.dtype) -> None:
    tensors, meta = _open(golden / "losses" / "kl_from_distributions.npz")
    kind, estimate = "naive" if naive else "stable", "an" if analytic else "mc"
    levels = []
    for i in range(3):
        given = {k: tensors[f"{k}_{kind}_{i}"].to(dtype) for k in ("q_mean", "q_raw", "p_mean", "p_raw", "z")}
        posterior = gaussian(torch.cat([given["q_mean"], given["q_raw"]], 1), naive=naive)
        prior = gaussian(torch.cat([given["p_mean"], given["p_raw"]], 1), naive=naive)
        levels.append(Level(posterior, prior, given["z"]))
    rtol, atol = (1e-9, 1e-9) if dtype == torch.float64 else (1e-4, 1e-3)
    sums = level_sums(tuple(levels), analytic=analytic).double()
    torch.testing.assert_close(sums, tensors[f"K_{estimate}_{kind}"], rtol=rtol, atol=atol)
    schemes: list[KLScheme] = [
        DenoiSplitKL(DenoiSplitKL.Options(free_bits=0.0, analytic=analytic)),
        DenoiSplitKL(DenoiSplitKL.Options(free_bits=1.0, analytic=analytic)),
        MuSplitKL(MuSplitKL.Options(free_bits=0.0, analytic=analytic)),
        MuSplitKL(MuSplitKL.Options(free_bits=1.0, analytic=analytic)),
    ]
    losses = [scheme(tuple(levels), image_pixels=meta["P"] ** 2, channels=2).total for scheme in schemes]
    torch.testing.assert_close(
        torch.stack(losses).double(), tensors[f"loss_{estimate}_{kind}"], rtol=rtol, atol=atol
    )


def test_stable_variance(golden: Path) -> None:
    tensors, _ = _open(golden / "losses" / "stable_variance.npz")
    torch.testing.assert_close(stable_variance(tensors["raw"]), tensors["var"], rtol=1e-12, atol=0)
