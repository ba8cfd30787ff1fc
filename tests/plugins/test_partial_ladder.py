"""The ladder with latents at some of its levels."""

from typing import Any

import numpy as np
import pytest
import torch

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import Decoder, Encoder, FeatureShape
from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.evidence import gather_evidence
from denoisplit.core.prediction.outputs.posterior import draw_samples
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.decoders.partial_ladder import PartialLadderDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.encoders.lateral_context import LateralContextEncoder
from denoisplit.plugins.kl_schemes.elbo import ElboKL
from tests.network.fixed_noise import FixedNoise
from tests.network.small import LATENT, counts, draws, network

SHAPES = tuple(FeatureShape(4, (2**n, 2**n)) for n in (1, 2, 3))
SOME = pytest.mark.parametrize("numbers", [(0,), (1,), (0, 2), (2, 1)], ids=str)


def decoder(make: Any, maps: int = 2, **options: Any) -> Any:
    given = make.Options(latent_channels=LATENT, dropout=0.0, **options)
    return make(given, feature_shapes=SHAPES, out_maps=maps, patch=(16, 16))


def partial(numbers: tuple[int, ...], *, context: bool = False, **options: Any) -> VSE:
    def parts(rank: int, maps: int) -> tuple[Encoder, Decoder]:
        known: dict[str, Any] = {"levels": 3, "width": 4, "dropout": 0.0}
        encoder: Encoder = LadderEncoder(LadderEncoder.Options(**known), spatial_rank=rank, in_channels=1)
        if context:
            given = LateralContextEncoder.Options(input_scales=3, **known)
            encoder = LateralContextEncoder(given, spatial_rank=rank, in_channels=1)
        wanted = PartialLadderDecoder.Options(latent_levels=numbers, latent_channels=LATENT, dropout=0.0)
        shapes = encoder.feature_shapes
        return encoder, PartialLadderDecoder(wanted, feature_shapes=shapes, out_maps=maps, patch=(16,) * rank)

    return network(parts=parts, **options)


@SOME
def test_a_level_without_a_latent_passes_the_mean_of_its_posterior(numbers: tuple[int, ...]) -> None:
    whole = decoder(LadderDecoder).double().eval()
    some = decoder(PartialLadderDecoder, latent_levels=numbers).double().eval()
    state = {}
    for name, value in whole.state_dict().items():
        level = int(name.split(".")[1]) if name.startswith("levels.") else None
        if level is None or level in numbers:
            state[name] = value
        elif ".latent.posterior." in name:
            state[name.replace(".posterior.", ".mean.")] = value[: len(value) // 2]
        elif ".prior" not in name:
            state[name] = value
    some.load_state_dict(state)
    features = tuple(torch.randn(1, 4, 16 // n, 24 // n, dtype=torch.float64) for n in (1, 2, 4))
    noise = [torch.randn(1, LATENT, *f.shape[2:], dtype=torch.float64) for f in features]
    silent = [z * (number in numbers) for number, z in enumerate(noise)]
    expected = whole(features, FixedNoise(silent))
    for found in (some(features, FixedNoise(noise)).output, some.sample(features, FixedNoise(noise))):
        torch.testing.assert_close(found, expected.output)
    levels = some(features, FixedNoise(noise)).levels
    assert len(levels) == len(numbers)
    for number, level in zip(sorted(numbers), levels, strict=True):
        torch.testing.assert_close(level.prior.mean, expected.levels[number].prior.mean)
        torch.testing.assert_close(level.sample, expected.levels[number].sample)


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        ((3,), r"there is no such level \(got \[3\] for 3 levels\)\. Give numbers from 0, the finest, to 2"),
        ((0, 1, 2), "every level has a latent .* use the decoder ladder"),
    ],
)
def test_levels_that_cannot_be_are_refused(numbers: tuple[int, ...], problem: str) -> None:
    with pytest.raises(SpecError, match=rf"^model\.decoder\.latent_levels: {problem}"):
        decoder(PartialLadderDecoder, latent_levels=numbers)


def test_without_numbers_the_coarsest_level_has_a_latent_and_nothing_is_generated() -> None:
    vse = partial(())
    assert vse.decode(counts(vse, (16, 16))[0], FixedNoise(draws(vse, (16, 16)))).levels[0].index == 2
    with pytest.raises(SpecError, match=r"no prior to draw .* Use the decoder ladder\.$"):
        vse.decoder.generate((16, 16), FixedNoise(()), batch=1)


@SOME
@pytest.mark.parametrize("context", [False, True])
def test_rates_and_evidence_are_those_of_their_levels(numbers: tuple[int, ...], context: bool) -> None:
    """With lateral context, maps of several levels have the same size."""
    scheme = ElboKL(ElboKL.Options(free_bits=(1e9, 2e9, 3e9)))
    vse = partial(numbers, context=context, kl_scheme=scheme)
    batch = counts(vse, (24, 16))
    with torch.no_grad():
        terms = vse.loss(*batch, GeneratorNoise(torch.Generator().manual_seed(0)), kl_weight=1.0)
    unit = 1e9 / (24 * 16 * vse.channels)
    assert {level: float(rate) / unit for level, rate in terms.rate_by_level.items()} == pytest.approx(
        {number: number + 1 for number in sorted(numbers)}
    )
    image = np.random.default_rng(0).normal(330, 70, (48, 32))
    found = gather_evidence(vse, image, PredictionSpec(seed=9))
    assert found.levels == tuple(sorted(numbers))
    for number, rate in zip(found.levels, found.rates, strict=True):
        edge = 2 ** (number + 1)
        blocks = rate.reshape(-1, edge, 32 // edge, edge)
        assert np.ptp(blocks, axis=(1, 3)).max() == 0, f"a latent of level {number} is no square of {edge}"
    sample = draw_samples(vse, image, PredictionSpec(samples=1, seed=9))[0]
    np.testing.assert_allclose(found.draw, sample, rtol=1e-9)
    np.testing.assert_allclose(
        draw_samples(vse, image, PredictionSpec(samples=1, seed=9, tile=8))[0], sample, rtol=1e-8
    )
