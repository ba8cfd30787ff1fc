"""The laws of networks for every variant of encoder and decoder, in two and three dimensions."""

import math

import pytest
import torch

from denoisplit.core.errors import NonFiniteLossError, SpecError
from denoisplit.core.network.noise_source import ZeroNoise
from denoisplit.core.network.objective import require_finite
from tests.laws import of_networks as laws
from tests.network.fixed_noise import FixedNoise
from tests.network.small import counts, draws, fixed
from tests.network.variants import ALL_CASES, WITH_PRIOR, WITHOUT_PRIOR, cases, image_size, variant

Case = tuple[str, int]


def named(case: Case) -> str:
    return f"{case[0]}-{case[1]}d"


every_variant = pytest.mark.parametrize("case", ALL_CASES, ids=named)
with_prior = pytest.mark.parametrize("case", cases(WITH_PRIOR), ids=named)
without_prior = pytest.mark.parametrize("case", cases(WITHOUT_PRIOR), ids=named)


@every_variant
def test_every_parameter_gets_a_gradient(case: Case) -> None:
    vse = variant(case)
    laws.every_parameter_gets_a_gradient(vse, image_size(vse, 8, 8, 8), batch=2)


@every_variant
@pytest.mark.parametrize("sides", [(3, 5, 9), (4, 12, 4), (1, 1, 7)], ids=str)
def test_any_size_comes_back(case: Case, sides: tuple[int, int, int]) -> None:
    vse = variant(case)
    size = image_size(vse, *sides)
    mixed, targets = counts(vse, size)
    with torch.no_grad():
        decoded = vse.decode(mixed, fixed(vse, size))
        require_finite(vse.loss(mixed, targets, fixed(vse, size), kl_weight=1.0), 0)
    assert decoded.output.shape == (1, 4, *size)
    shapes = vse.encoder.feature_shapes if decoded.levels else ()
    canvas = tuple(math.ceil(n / m) * m for n, m in zip(size, vse.multiple, strict=True))
    for level, shape in zip(decoded.levels, shapes, strict=True):
        assert level.sample.shape[2:] == shape.size(canvas)


@every_variant
def test_prediction_gives_the_output_of_training(case: Case) -> None:
    vse = variant(case)
    size = image_size(vse, 4, 8, 16)
    mixed, _ = counts(vse, size)
    with torch.no_grad():
        signal = vse.sample(vse.encode(mixed), fixed(vse, size))
        decoded = vse.decode(mixed, fixed(vse, size))
    torch.testing.assert_close(signal, vse.statistics.to_counts(decoded.output[:, : vse.channels]))


@every_variant
@pytest.mark.parametrize("training", [True, False])
def test_batch_order_and_duplicates_leave_the_loss(case: Case, training: bool) -> None:
    vse = variant(case).train(training)
    laws.batch_order_and_duplicates_leave_the_loss(vse, [2, 2, 0, 0, 1, 1], image_size(vse, 8, 8, 8))


@every_variant
def test_permuting_the_channels_permutes_the_output_and_leaves_the_total(case: Case) -> None:
    vse = variant(case, channels=3)
    laws.permuting_the_channels_permutes_the_output(vse, [2, 0, 1], image_size(vse, 4, 8, 8))


@every_variant
def test_one_bad_pixel_is_refused(case: Case) -> None:
    vse = variant(case)
    size = image_size(vse, 4, 8, 8)
    mixed, targets = counts(vse, size)
    mixed.view(-1)[3] = math.nan
    with torch.no_grad():
        terms = vse.loss(mixed, targets, fixed(vse, size), kl_weight=0.0)
    with pytest.raises(NonFiniteLossError, match="distortion"):
        require_finite(terms, 0)


@with_prior
def test_every_level_has_its_say(case: Case) -> None:
    vse = variant(case)
    size = image_size(vse, 4, 8, 8)
    mixed, _ = counts(vse, size)
    noise = draws(vse, size)
    with torch.no_grad():
        features = vse.encode(mixed)
        first = vse.decoder(features, FixedNoise(noise)).output
        assert torch.equal(first, vse.decoder(features, FixedNoise(noise)).output)
        for level in range(len(noise)):
            moved = [z + (index == level) for index, z in enumerate(noise)]
            assert not torch.allclose(first, vse.decoder(features, FixedNoise(moved)).output)


@with_prior
@pytest.mark.parametrize("factors", [(1, 1, 1), (1, 3, 2), (2, 1, 5)], ids=str)
def test_the_prior_generates_images_of_any_size(case: Case, factors: tuple[int, int, int]) -> None:
    vse = variant(case)
    size = tuple(f * s for f, s in zip(image_size(vse, *factors), vse.stride, strict=True))
    noise = fixed(vse, size, batch=2)
    with torch.no_grad():
        output = vse.decoder.generate(size, noise, batch=2)
        assert torch.equal(output, vse.decoder.generate(size, noise, batch=2))
    assert output.shape == (2, 4, *size)
    assert torch.isfinite(output).all()


@without_prior
def test_a_network_without_latents_has_no_rate_and_no_prior(case: Case) -> None:
    vse = variant(case)
    size = image_size(vse, 4, 8, 8)
    mixed, targets = counts(vse, size)
    with torch.no_grad():
        terms = vse.loss(mixed, targets, ZeroNoise(), kl_weight=1.0)
        features = vse.encode(mixed)
        assert torch.equal(vse.sample(features, ZeroNoise()), vse.sample(features, fixed(vse, size)))
    assert float(terms.rate) == 0
    assert terms.rate_per_level.shape == (0,)
    assert torch.equal(terms.total, terms.distortion)
    with pytest.raises(SpecError, match=r"^model\.decoder: there is no prior .* \(got .*\)\. Use "):
        vse.decoder.generate(size, ZeroNoise(), batch=1)


@every_variant
def test_every_scale_and_every_plane_is_seen(case: Case) -> None:
    vse = variant(case)
    size = image_size(vse, 4, 8, 8)
    mixed, _ = counts(vse, size)
    noise = fixed(vse, size)
    assert mixed.shape[1] == vse.encoder.input_scales
    with torch.no_grad():
        first = vse.decode(mixed, noise).output
        ramp = 10 * torch.arange(mixed.shape[-1], dtype=mixed.dtype)
        for scale in range(mixed.shape[1]):
            changed = mixed.clone()
            changed[:, scale] += ramp
            assert not torch.allclose(first, vse.decode(changed, noise).output)
        for plane in (0, -1):
            changed = mixed.clone()
            changed[:, 0, plane] += ramp
            assert not torch.allclose(first, vse.decode(changed, noise).output)
