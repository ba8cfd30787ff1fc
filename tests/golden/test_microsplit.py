"""Composite likelihood and blended rate give the reference losses of MicroSplit, from weights to loss."""

import json
import math
import re
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor

from denoisplit.core.network.interfaces import Decoded, IntensityStats
from denoisplit.core.network.latent import divergence
from denoisplit.core.network.objective import combine, distortion
from denoisplit.plugins.kl_schemes.microsplit import MicroSplitKL, centres
from denoisplit.plugins.noise_models.exchange import ChannelMixture, write_mixture
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.plugins.noise_models.weighted import Weighted
from tests.golden.reference import ReferenceNetwork
from tests.network.fixed_noise import FixedNoise

REFERENCE_FLOOR = math.log(1e-10)
"""The reference takes ln(p + 1e-10) of the mixture."""


@attrs.frozen
class Reference:
    """The file and the network that it speaks of."""

    arrays: dict[str, Any]
    meta: dict[str, Any]
    network: ReferenceNetwork
    folder: Path

    @property
    def statistics(self) -> IntensityStats:
        return IntensityStats(
            mixed_mean=0.0,
            mixed_std=1.0,
            target_mean=self.arrays["target_mean"].flatten().tolist(),
            target_std=self.arrays["target_std"].flatten().tolist(),
        )

    def mixture(self) -> GaussianMixture.Options:
        paths = []
        for channel, about in enumerate(self.meta["noise_models"]):
            weight = self.arrays[f"noise_model_{channel}_weight"].astype(np.float64)
            paths.append(self.folder / f"{channel}.npz")
            content = ChannelMixture(weight, about["min_signal"], about["max_signal"], about["min_sigma"])
            write_mixture(paths[-1], content)
        return GaussianMixture.Options(path=paths)

    def model(self, weight: float) -> Weighted:
        """The composite likelihood with a weight of the mixture."""
        bound = self.network.meta["config"]["logvar_lowerbound"]
        options = Weighted.Options(
            weight=weight, mixture=self.mixture(), gaussian=Gaussian.Options(log_variance_floor=bound)
        )
        return Weighted(options, statistics=self.statistics)

    def decode(self) -> Decoded:
        """What the network makes of its input and draws."""
        vse = self.network.build(self.model(1.0), MicroSplitKL(MicroSplitKL.Options()), self.statistics)
        return vse.requires_grad_(False).decode(self.network.tensor("x"), FixedNoise(self.network.draws()))

    def log_prob(self, weight: float, output: Tensor) -> Tensor:
        """That of the noise model, with the floor that the reference gives the mixture."""
        model = self.model(weight)
        channels = self.statistics.channels
        signal = self.statistics.to_counts(output[:, :channels])
        target = torch.from_numpy(self.arrays["target_raw"].astype(np.float64))
        exact = model.mixture.log_prob(target, signal)
        floored = torch.logaddexp(exact, exact.new_tensor(REFERENCE_FLOOR))
        return model.log_prob(target, signal, output[:, channels:]) + weight * (floored - exact)


@pytest.fixture
def reference(golden: Path, tmp_path: Path) -> Reference:
    with np.load(golden / "losses" / "careamics_combined.npz") as file:
        arrays = {key: file[key] for key in file.files}
    meta = json.loads(str(arrays.pop("meta")))
    return Reference(arrays, meta, ReferenceNetwork.load(golden / meta["network_fixture"]), tmp_path)


def _share(name: str) -> float:
    """Part of denoiSplit in a variant, from its name."""
    found = re.match(r"combined_([\d.]+)_[\d.]+_kl|(denoisplit|musplit)_only_kl", name)
    assert found is not None, name
    return float(found[1]) if found[1] else float(found[2] == "denoisplit")


def test_every_variant_has_the_reference_losses(reference: Reference) -> None:
    decoded = reference.decode()
    assert len(reference.meta["values"]) >= 2
    for name, expected in reference.meta["values"].items():
        share, restricted = _share(name), name.endswith("restricted")
        scheme = MicroSplitKL(MicroSplitKL.Options(share=share, restricted=restricted))
        side = reference.network.meta["config"]["patch_side_P"]
        rate = scheme(decoded.levels, image_pixels=side**2, channels=reference.statistics.channels)
        likelihood = distortion(reference.log_prob(share, decoded.output))
        terms = combine(likelihood, rate, scheme.weight)
        found = {
            "loss": float(terms.total),
            "reconstruction_loss": float(terms.distortion),
            "kl_loss": float(terms.rate),
        }
        assert found == pytest.approx(expected, rel=1e-6), name


def test_the_two_likelihoods_alone(reference: Reference) -> None:
    output = reference.decode().output
    for weight, name in [(1.0, "nll_noise_model"), (0.0, "nll_gaussian")]:
        found = float(distortion(reference.log_prob(weight, output)).total)
        assert found == pytest.approx(reference.meta[name], rel=1e-6)


def test_the_divergences_of_every_level(reference: Reference) -> None:
    maps = [divergence(level, analytic=False) for level in reference.decode().levels]
    side = reference.network.meta["config"]["patch_side_P"]
    for kind, values in (("full", maps), ("restricted", centres(maps, side**2))):
        for level, found in enumerate(values):
            expected = reference.arrays[f"kl_{kind}_{level}"]
            assert found.flatten(1).sum(1).numpy() == pytest.approx(expected, rel=1e-6)
