"""The restated reference is the reference: its network and its prediction give what ours give."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.inputs import (
    CHANNELS,
    STATISTICS,
    Architecture,
    batch,
    in_units_of,
    network,
    parameters,
    spec_of,
)
from benchmarks.inputs import write_noise_models as write
from benchmarks.reference import ReferenceNetwork, Stochastic
from benchmarks.reference_procedure import (
    CLIP,
    Mixture,
    ReferencePrediction,
    ReferenceTraining,
    distortion,
    rate,
)
from denoisplit.core.exchange.tensor_names import our_name
from denoisplit.core.network.vse import VSE
from tests.network.fixed_noise import FixedNoise

PATCH = 64


def both(architecture: Architecture, folder: Path) -> tuple[ReferenceNetwork, VSE]:
    """The same network twice, in float32 and evaluation mode, with batch norms that have seen something."""
    torch.manual_seed(1)
    reference = ReferenceNetwork(architecture, patch=PATCH, channels=len(CHANNELS))
    for name, tensor in reference.state_dict().items():
        if name.endswith(("running_mean", "bias", "top_prior_params")):
            tensor.normal_(0, 0.2)
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    ours = network(spec_of(architecture, patch=PATCH, size=2, noise=write(folder), precision="float32"))
    named = {our_name(name): tensor for name, tensor in reference.state_dict().items()}
    own = {name: tensor for name, tensor in ours.state_dict().items() if name.startswith("noise_model.")}
    ours.load_state_dict({**{name: tensor for name, tensor in named.items() if name}, **own}, strict=True)
    return reference.eval(), ours.eval()


def latents(architecture: Architecture, size: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    sides = [PATCH // 2 ** (level + 1) for level in range(architecture.levels)]
    return [torch.randn(size, architecture.latent, side, side, generator=generator) for side in sides]


@pytest.mark.parametrize("architecture", [Architecture("four", 4, 8, 6), Architecture("five", 5, 4, 3)])
def test_same_weights_and_noise_give_the_same_output_and_loss(
    architecture: Architecture, tmp_path: Path
) -> None:
    reference, ours = both(architecture, tmp_path)
    given, noise = batch(patch=PATCH, size=2), latents(architecture, 2)
    mixed, targets = torch.from_numpy(given.mixed), torch.from_numpy(given.targets)
    with torch.no_grad():
        output, terms = reference(STATISTICS.normalise_mixed(mixed), noise=noise)
        decoded = ours.decode(mixed, FixedNoise(noise))
        loss = ours.loss(mixed, targets, FixedNoise(noise), kl_weight=1.0)
    assert output.std() > 0.01
    torch.testing.assert_close(output, decoded.output, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(rate(terms, PATCH**2), loss.rate, rtol=1e-4, atol=1e-4)


def test_the_likelihood_is_ours_within_the_range_of_the_floor_of_the_reference(tmp_path: Path) -> None:
    noise = write(tmp_path)
    ours = network(spec_of(Architecture("one", 1, 4, 2), patch=32, size=2, noise=noise)).noise_model
    targets = torch.from_numpy(batch(patch=32, size=2).targets)
    # Far away, the reference has a floor of 1e-10 under the density, and ours goes on falling.
    signal = targets + 30 * torch.randn(targets.shape, generator=torch.Generator().manual_seed(0))
    theirs = distortion(in_units_of(STATISTICS, signal), targets, [Mixture(path) for path in noise])
    torch.testing.assert_close(theirs, -ours.log_prob(targets, signal).mean(), rtol=1e-4, atol=1e-4)


def test_the_full_networks_have_the_number_of_parameters_of_the_reference(tmp_path: Path) -> None:
    full = Architecture("denoisplit", 4, 64, 128)
    counts = {
        parameters(ReferenceNetwork(full, patch=128, channels=2)),
        parameters(network(spec_of(full, patch=128, size=8, noise=write(tmp_path)))),
    }
    assert counts == {3_002_882}  # method section 1.7


def test_prediction_by_patches_is_that_of_the_whole_frame_where_patches_see_enough(tmp_path: Path) -> None:
    # One level sees 20 pixels far, so that patches of 64 with a margin of 24 see all there is to see. The top
    # prior plays no part in prediction, and without noise all passes are the same.
    architecture = Architecture("shallow", 1, 4, 2)
    reference, ours = both(architecture, tmp_path)
    given = batch(patch=96, size=1)
    for level in (module for module in reference.modules() if isinstance(module, Stochastic)):
        # The spread of the posterior away: raw log-variances far below zero.
        bias = level.conv_in_q.bias
        assert bias is not None
        bias.data[architecture.latent :] = -60
        level.conv_in_q.weight.data[architecture.latent :] = 0
    procedure = ReferencePrediction(network=reference, patch=PATCH, cell=16, passes=2, size=5)
    mean, std = procedure.predict(given.mixed[0, 0])
    named = {our_name(name): tensor for name, tensor in reference.state_dict().items()}
    ours.load_state_dict({name: tensor for name, tensor in named.items() if name}, strict=False)
    with torch.no_grad():
        decoded = ours.decode(torch.from_numpy(given.mixed), FixedNoise([torch.zeros(1)]))
    whole = STATISTICS.to_counts(decoded.output)[0].numpy()
    inside = (slice(None), slice(24, 72), slice(24, 72))
    # What is left of the spread is its floor of 1e-3, in normalised units.
    np.testing.assert_allclose(mean[inside], whole[inside], atol=1.0)
    assert std.max() < 1.0
    assert np.std(whole[inside]) > 3.0


def test_a_training_step_learns_and_clips(tmp_path: Path) -> None:
    torch.manual_seed(0)
    architecture = Architecture("two", 2, 8, 4)
    reference = ReferenceNetwork(architecture, patch=32, channels=2)
    training = ReferenceTraining.of(reference, write(tmp_path), batch(patch=32, size=2))
    losses = [training.step() for _ in range(30)]
    assert losses[-1] < losses[0] - 0.1
    gradients = [p.grad for p in reference.parameters() if p.grad is not None]
    assert len(gradients) == len(list(reference.parameters()))
    assert max(float(g.abs().max()) for g in gradients) <= CLIP


def test_the_work_of_a_frame_is_scaled_by_patches_and_passes() -> None:
    clock = iter([10.0, 13.0])
    architecture = Architecture("one", 1, 4, 2)
    procedure = ReferencePrediction(
        network=ReferenceNetwork(architecture, patch=32, channels=2).eval(),
        patch=32,
        cell=16,
        passes=50,
        size=8,
    )
    seconds = procedure.seconds(batch(patch=128, size=1).mixed[0, 0], passes=2, clock=lambda: next(clock))
    # 3 s for 2 passes over 8 patches; a frame has 8 x 8 patches, and 50 passes are asked for.
    assert math.isclose(seconds, 3.0 * 64 / 8 * 50 / 2)
