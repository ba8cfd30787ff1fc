"""A decoder whose latents belong to some of the levels of the encoder."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal

from denoisplit.core.errors import PluginError
from denoisplit.core.network.interfaces import Decoded, Decoder, Encoder, Features, Window
from denoisplit.core.network.latent import Level, level_sums
from denoisplit.core.network.noise_source import GeneratorNoise, NoiseSource
from denoisplit.core.prediction.outputs.evidence import gather_evidence
from denoisplit.core.prediction.outputs.posterior import draw_samples
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.plugins.encoders.ladder import LadderEncoder
from tests.network.small import PartsMaker, counts, network

SIZE = (24, 16)
STRIDES = ((2, 2), (4, 4), (8, 8))


class SomeLatents(Decoder):
    """Latents at one level of the encoder, or between its levels; the other features pass as they are."""

    def __init__(self, maps: int, level: int, enlarged: int = 1, noise_of: int | None = None) -> None:
        super().__init__()
        self.level, self.enlarged = level, enlarged
        self.noise_of = level if noise_of is None else noise_of
        self.output = nn.ModuleList(nn.Conv2d(4, maps, 1) for _ in STRIDES)

    def forward(self, features: Features, noise: NoiseSource, *, window: Window = ()) -> Decoded:
        mean = nn.functional.interpolate(features[self.level], scale_factor=self.enlarged)
        sample = mean + noise.normal(self.noise_of, mean)
        # Unchecked, as the noise of unknown places is NaN.
        one = torch.ones_like(mean)
        posterior, prior = (Normal(x, one, validate_args=False) for x in (mean, 0 * mean))
        level = Level(posterior, prior, sample)
        states = [*features[: self.level], sample, *features[self.level + 1 :]]
        maps = [
            nn.functional.interpolate(output(state), size=[n * 2 for n in features[0].shape[2:]])
            for output, state in zip(self.output, states, strict=True)
        ]
        output = torch.stack(maps).sum(0)[(slice(None), slice(None), *window)]
        return Decoded(output=output, levels=(level,))


def parts(level: int, **known: int) -> PartsMaker:
    def made(rank: int, maps: int) -> tuple[Encoder, Decoder]:
        options = LadderEncoder.Options(levels=len(STRIDES), width=4, dropout=0.0)
        return LadderEncoder(options, spatial_rank=rank, in_channels=1), SomeLatents(maps, level, **known)

    return made


def image() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.random.default_rng(0).normal(330, 70, SIZE)


@pytest.mark.parametrize("level", range(len(STRIDES)))
def test_evidence_loss_and_tiles_know_which_level_a_latent_belongs_to(level: int) -> None:
    vse, mixed = network(parts=parts(level)), image()
    found = gather_evidence(vse, mixed, PredictionSpec(seed=9))
    sample = draw_samples(vse, mixed, PredictionSpec(samples=1, seed=9))[0]
    np.testing.assert_allclose(found.draw, sample, rtol=1e-10)
    np.testing.assert_allclose(
        draw_samples(vse, mixed, PredictionSpec(samples=1, seed=9, tile=8))[0], sample, rtol=1e-9
    )
    (rate,) = found.rates
    assert found.levels == (level,)
    first = rate[tuple(slice(0, s) for s in STRIDES[level])]
    assert rate.shape == SIZE
    assert np.ptp(first) == 0
    batch = counts(vse, SIZE)
    terms = vse.loss(*batch, GeneratorNoise(torch.Generator().manual_seed(0)), kl_weight=1.0)
    assert terms.rate_per_level.shape == (1,)
    assert list(terms.rate_by_level) == [level]
    assert torch.isfinite(terms.total)


def test_the_rate_of_an_image_is_that_of_its_only_latent() -> None:
    vse, mixed = network(parts=parts(1)), image()
    with torch.inference_mode():
        features = vse.encode(torch.from_numpy(mixed)[None, None])
        level = vse.decoder(features, GeneratorNoise(torch.Generator())).levels
    found = gather_evidence(vse, mixed, PredictionSpec(seed=9))
    np.testing.assert_allclose(found.rates[0].sum(), level_sums(level, analytic=True)[0], rtol=1e-10)


def test_the_noise_of_another_level_is_refused() -> None:
    vse = network(parts=parts(2, noise_of=0))
    with pytest.raises(PluginError, match=r"another level than its noise .* \(got \[\[3, 2\]\] .* \[0\] for"):
        vse.decode(counts(vse, SIZE)[0], GeneratorNoise(torch.Generator()))


def test_a_latent_between_the_levels_is_refused() -> None:
    with pytest.raises(PluginError, match="SomeLatents: a latent has the positions of no level"):
        gather_evidence(network(parts=parts(2, enlarged=8)), image(), PredictionSpec(seed=9))
