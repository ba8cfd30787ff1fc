"""A network whose weights are a formula (method section 13), with chance set to its mean."""

from pathlib import Path

import pytest
import torch

from denoisplit.core.exchange.tensor_names import our_name
from denoisplit.core.network.latent import level_sums
from denoisplit.core.network.noise_source import ZeroNoise
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.decoders.deterministic_ladder import DeterministicLadderDecoder
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from tests.golden.reference import ReferenceNetwork
from tests.network.small import network
from tests.network.variants import without_chance

LEVELS, WIDTH, LATENT, PATCH = 2, 8, 4, 32
MEAN, STD = -0.0974056, 0.1448108
CORNER = (-0.090821, -0.225944, -0.110915, 0.056251)


def _parts(rank: int, maps: int) -> tuple[LadderEncoder, LadderDecoder]:
    encoder = LadderEncoder(
        LadderEncoder.Options(levels=LEVELS, width=WIDTH), spatial_rank=rank, in_channels=1
    )
    return encoder, LadderDecoder(
        LadderDecoder.Options(latent_channels=LATENT),
        feature_shapes=encoder.feature_shapes,
        out_maps=maps,
        patch=(PATCH,) * rank,
    )


def _fill(vse: VSE, reference: ReferenceNetwork) -> None:
    """0.1 sin(0.37 j + length of the name) with the names of the reference; running statistics as new."""
    theirs = {our_name(entry["name"]): entry["name"] for entry in reference.meta["state_dict"]}
    top = f"decoder.levels.{reference.levels - 1}."
    for name, parameter in vse.named_parameters():
        known = name.replace(f"decoder.levels.{LEVELS - 1}.", top)
        flat = torch.arange(parameter.numel(), dtype=torch.float64)
        values = 0.1 * torch.sin(0.37 * flat + len(theirs[known]))
        parameter.data.copy_(values.view(parameter.shape))
    for name, buffer in vse.named_buffers():
        if name.endswith("running_mean"):
            buffer.zero_()
        elif name.endswith("running_var"):
            buffer.fill_(1)


@pytest.fixture
def mini(golden: Path) -> VSE:
    vse = network(parts=_parts)
    paths = sorted((golden / "networks").glob("*.npz"))
    plain = [n for n in map(ReferenceNetwork.load, paths) if n.scales == 1 and n.arrays["x"].ndim == 4]
    _fill(vse, next(n for n in plain if n.config["output_conv_key"] == "output_layer"))
    return vse


def _image() -> torch.Tensor:
    return torch.sin(0.05 * torch.arange(PATCH**2, dtype=torch.float64)).view(1, 1, PATCH, PATCH)


def _check(output: torch.Tensor) -> None:
    # The numbers come from single precision, in which the formula of the weights itself is off by 1e-5.
    assert float(output.mean()) == pytest.approx(MEAN, abs=1e-6)
    assert float(output.std()) == pytest.approx(STD, abs=1e-6)
    torch.testing.assert_close(
        output[0, :, 0, 0], torch.tensor(CORNER, dtype=torch.float64), atol=2e-6, rtol=0
    )


def test_the_mean_of_every_latent(mini: VSE) -> None:
    with torch.no_grad():
        decoded = mini.decoder(mini.encoder(_image()), ZeroNoise())
    _check(decoded.output)
    sums = level_sums(decoded.levels, analytic=False)
    expected = torch.tensor([[0.09758, -8.58872]], dtype=torch.float64)
    torch.testing.assert_close(sums, expected, atol=1e-3, rtol=2e-5)
    assert sum(p.numel() for p in mini.parameters()) == 16_444


def test_the_deterministic_ladder(mini: VSE) -> None:
    assert isinstance(mini.decoder, LadderDecoder)
    decoder = DeterministicLadderDecoder(
        DeterministicLadderDecoder.Options(latent_channels=LATENT),
        feature_shapes=mini.encoder.feature_shapes,
        out_maps=4,
        patch=(PATCH, PATCH),
    )
    decoder.double().eval().load_state_dict(without_chance(mini.decoder))
    with torch.no_grad():
        _check(decoder.sample(mini.encoder(_image()), ZeroNoise()))
