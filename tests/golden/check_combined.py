"""The combined loss of MicroSplit, whose variants have a test of their own."""

import torch

from denoisplit.core.network.latent import divergence
from denoisplit.plugins.kl_schemes.microsplit import centres
from tests.golden.account import GoldenFile
from tests.golden.check_networks import build, network_named
from tests.golden.test_microsplit import (
    Reference,
    test_every_variant_has_the_reference_losses,
    test_the_two_likelihoods_alone,
)
from tests.network.fixed_noise import FixedNoise


def check_combined(file: GoldenFile) -> None:
    """Divergences of the network, over the image and in all, and the losses of every variant."""
    network = network_named(file)
    vse = build(network)
    with torch.no_grad():
        decoded = vse.decode(network.tensor("x"), FixedNoise(network.draws()))
    maps = [divergence(level, analytic=False) for level in decoded.levels]
    within = file.tolerance("float64")
    central = centres(maps, network.meta["config"]["patch_side_P"] ** 2)
    for index, (full, cut) in enumerate(zip(maps, central, strict=True)):
        file.compare(f"kl_full_{index}", full.flatten(1).sum(1), within)
        file.compare(f"kl_restricted_{index}", cut.flatten(1).sum(1), within)
    file.given("target_raw", "target_mean", "target_std", *file.matching(r"noise_model_\d+_weight"))
    reference = Reference(dict(file.arrays), file.meta, network, file.scratch)
    test_every_variant_has_the_reference_losses(reference)
    test_the_two_likelihoods_alone(reference)
    file.compared_by(r"values/.*")
