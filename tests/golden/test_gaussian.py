"""The Gaussian likelihood gives the reference numbers."""

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.plugins.noise_models.gaussian import Gaussian, LogVariance, pooled_log_variance

STATISTICS = IntensityStats(mixed_mean=0.0, mixed_std=1.0, target_mean=(120.0, 80.0), target_std=(37.0, 5.5))
REFERENCE_NAMES: dict[LogVariance, str] = {"pixel": "pixelwise", "channel": "channelwise", "global": "global"}


@pytest.fixture(scope="module")
def table(golden: Path) -> dict[str, torch.Tensor]:
    with np.load(golden / "losses" / "gaussian_log_likelihood.npz") as archive:
        return {key: torch.from_numpy(archive[key]) for key in archive if key != "meta"}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("floor", "suffix"), [(-5.0, "lb5"), (None, "nolb")])
@pytest.mark.parametrize("mode", [m for m in get_args(LogVariance) if m != "fixed"])
def test_predicted_variance(
    table: dict[str, torch.Tensor], mode: LogVariance, floor: float | None, suffix: str, dtype: torch.dtype
) -> None:
    mean, raw = table["o"].to(dtype).chunk(2, dim=1)
    expected = table[f"logvar_{REFERENCE_NAMES[mode]}_{suffix}"]
    torch.testing.assert_close(
        pooled_log_variance(raw, mode, floor).double(),
        expected,
        rtol=1e-5,
        atol=1e-6,
    )
    model = Gaussian(Gaussian.Options(log_variance=mode, log_variance_floor=floor), statistics=STATISTICS)
    found = _in_normalised_units(model, table["x"].to(dtype), mean, raw)
    rtol, atol = (0.0, 1e-7) if dtype == torch.float64 else (2e-5, 2e-5)
    torch.testing.assert_close(
        found.double(), table[f"ll_{REFERENCE_NAMES[mode]}_{suffix}"], rtol=rtol, atol=atol
    )


def test_unit_variance_without_predicted_maps(table: dict[str, torch.Tensor]) -> None:
    model = Gaussian(Gaussian.Options(log_variance="fixed"), statistics=STATISTICS)
    found = _in_normalised_units(model, table["x"].double(), table["o"].double()[:, :2], None)
    # the reference leaves the constant of the unit Gaussian out
    torch.testing.assert_close(found + 0.5 * math.log(2 * math.pi), table["ll_none"], rtol=0, atol=1e-7)


def _in_normalised_units(
    model: Gaussian, x: torch.Tensor, mean: torch.Tensor, raw: torch.Tensor | None
) -> torch.Tensor:
    in_counts = model.log_prob(STATISTICS.to_counts(x), STATISTICS.to_counts(mean), raw)
    return in_counts + STATISTICS.per_channel(STATISTICS.target_std, x).log()
