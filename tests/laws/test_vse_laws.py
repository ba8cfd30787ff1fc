"""Laws of the whole network: what may change its loss and its output, and what must not."""

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal

from denoisplit.core.errors import NonFiniteLossError
from denoisplit.core.network.interfaces import Rate
from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.objective import Distortion, combine, kl_weight, require_finite
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.kl_schemes.elbo import ElboKL
from denoisplit.plugins.kl_schemes.musplit import MuSplitKL
from tests.laws import of_networks as laws
from tests.network.fixed_noise import FixedNoise
from tests.network.small import NoiseModelMaker, counts, draws, fixed, gaussian, mixture, network

SIZE = (8, 8)
seeds = st.integers(0, 10**6)
every_noise_model = pytest.mark.parametrize("noise_model", [gaussian, mixture])


# Law 6


@every_noise_model
@settings(max_examples=5)
@given(seed=seeds, order=st.permutations([0, 1, 2]))
def test_permuting_the_channels_permutes_the_output_and_leaves_the_total(
    noise_model: NoiseModelMaker, seed: int, order: list[int]
) -> None:
    vse = network(channels=3, noise_model=noise_model)
    laws.permuting_the_channels_permutes_the_output(vse, order, SIZE, seed=seed)


# Law 5


@every_noise_model
@settings(max_examples=5)
@given(
    seed=seeds,
    training=st.booleans(),
    picked=st.sampled_from([[2, 0, 1], [1, 0, 2], [0, 1, 2, 0, 1, 2], [0, 0, 1, 1, 2, 2]]),
)
def test_batch_order_and_duplicates_leave_the_loss(
    noise_model: NoiseModelMaker, seed: int, training: bool, picked: list[int]
) -> None:
    vse = network(noise_model=noise_model).train(training)
    laws.batch_order_and_duplicates_leave_the_loss(vse, picked, SIZE, seed=seed)


# Law 8


@settings(max_examples=50)
@given(
    target=st.floats(0, 10),
    start=st.integers(0, 1000),
    duration=st.integers(0, 1000),
    steps=st.lists(st.integers(0, 3000), min_size=2, max_size=8),
)
def test_the_weight_of_the_rate_rises_to_its_target_and_stays(
    target: float, start: int, duration: int, steps: list[int]
) -> None:
    weights = [kl_weight(step, target=target, start=start, duration=duration) for step in sorted(steps)]
    assert weights == sorted(weights)
    assert all(0 <= weight <= target for weight in weights)
    assert kl_weight(start + duration, target=target, start=start, duration=duration) == target
    assert kl_weight(10**9, target=target, start=start, duration=duration) == target
    if duration:
        assert kl_weight(start, target=target, start=start, duration=duration) == 0


# Law 9

bad_numbers = st.sampled_from([math.nan, math.inf, -math.inf])
SCHEMES = (
    DenoiSplitKL(DenoiSplitKL.Options()),
    ElboKL(ElboKL.Options(analytic=True)),
    MuSplitKL(MuSplitKL.Options()),
)


def refused(vse: VSE, mixed: Tensor, targets: Tensor, *, weight: float = 1.0) -> NonFiniteLossError:
    with torch.no_grad():
        terms = vse.loss(mixed, targets, fixed(vse, SIZE), kl_weight=weight)
    with pytest.raises(NonFiniteLossError) as caught:
        require_finite(terms, 17)
    assert caught.value.step == 17
    assert str(caught.value).startswith(f"training step 17: {caught.value.term}")
    return caught.value


@every_noise_model
@settings(max_examples=10)
@given(bad=bad_numbers, where=st.integers(0, 63), weight=st.sampled_from([0.0, 1.0]))
def test_one_bad_pixel_is_refused(
    noise_model: NoiseModelMaker, bad: float, where: int, weight: float
) -> None:
    vse = network(noise_model=noise_model)
    mixed, targets = counts(vse, SIZE)
    for image in (mixed, targets):
        broken = image.clone()
        broken.view(-1)[where] = bad
        images = (broken, targets) if image is mixed else (mixed, broken)
        error = refused(vse, *images, weight=weight)
        assert (error.term, error.level) == ("distortion", None)


@pytest.mark.parametrize("kl_scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
def test_one_bad_weight_is_refused_wherever_it_is(kl_scheme: DenoiSplitKL) -> None:
    """Weights that only the prior uses spoil the rate of their level; all others spoil the distortion."""
    vse = network(kl_scheme=kl_scheme)
    mixed, targets = counts(vse, SIZE)
    found = set()
    for name, parameter in vse.named_parameters():
        before = parameter.detach().clone()
        parameter.data[(-1,) * parameter.ndim] = math.nan
        error = refused(vse, mixed, targets)
        level = re.match(r"decoder\.levels\.(\d)\.prior", name)
        expected = ("rate", int(level[1])) if level else ("distortion", None)
        assert (error.term, error.level) == expected, name
        assert level is None or f"rate of level {error.level} is not finite" in str(error)
        found.add(expected)
        parameter.data.copy_(before)
    assert found == {("distortion", None), ("rate", 0), ("rate", 1)}


@pytest.mark.parametrize(
    ("distortion", "rate", "levels", "weight", "term", "level"),
    [
        (math.nan, 1.0, [1.0], 1.0, "distortion", None),
        (1.0, math.inf, [0.5, math.inf], 1.0, "rate", 1),
        (1.0, math.nan, [math.nan, math.nan], 0.0, "rate", 0),
        (1.0, math.inf, [1e308, 1e308], 1.0, "rate", None),
        (1e308, 1e308, [1e308], 1.0, "total", None),
        (1.0, 1.0, [1.0], math.inf, "total", None),
    ],
)
def test_the_first_bad_term_is_named(
    distortion: float, rate: float, levels: list[float], weight: float, term: str, level: int | None
) -> None:
    first, *others = (torch.tensor(x, dtype=torch.float64) for x in (distortion, [distortion], rate, levels))
    terms = combine(Distortion(first, others[0]), Rate(others[1], others[2]), weight)
    with pytest.raises(NonFiniteLossError) as caught:
        require_finite(terms, 3)
    assert (caught.value.step, caught.value.term, caught.value.level) == (3, term, level)


def test_finite_terms_pass() -> None:
    vse = network()
    require_finite(vse.loss(*counts(vse, SIZE), fixed(vse, SIZE), kl_weight=1.0), 0)


# The decoder draws nothing itself


@settings(max_examples=5)
@given(seed=seeds, other=seeds, level=st.integers(0, 1))
def test_the_output_is_a_function_of_the_noise(seed: int, other: int, level: int) -> None:
    vse = network()
    mixed, _ = counts(vse, SIZE)
    noise = draws(vse, SIZE, seed=seed)
    with torch.no_grad():
        features = vse.encode(mixed)
        first = vse.decoder(features, FixedNoise(noise))
        torch.manual_seed(other)
        again = vse.decoder(features, FixedNoise(noise))
        noise[level] = noise[level] + 1
        changed = vse.decoder(features, FixedNoise(noise))
    assert torch.equal(first.output, again.output)
    for one, two in zip(first.levels, again.levels, strict=True):
        assert torch.equal(one.sample, two.sample)
    assert not torch.allclose(first.output, changed.output)


def test_generator_noise_is_a_function_of_its_seed() -> None:
    vse = network()
    mixed, _ = counts(vse, SIZE)

    def decoded(seed: int) -> Tensor:
        with torch.no_grad():
            return vse.decode(mixed, GeneratorNoise(torch.Generator().manual_seed(seed))).output

    assert torch.equal(decoded(1), decoded(1))
    assert not torch.allclose(decoded(1), decoded(2))


def test_the_sample_of_a_level_is_mean_plus_std_times_noise() -> None:
    vse = network()
    mixed, _ = counts(vse, SIZE)
    noise = draws(vse, SIZE)
    with torch.no_grad():
        levels = vse.decode(mixed, FixedNoise(noise)).levels
    assert len(levels) == 2
    for level, z in zip(levels, noise, strict=True):
        assert isinstance(level.posterior, Normal)
        torch.testing.assert_close(level.sample, level.posterior.mean + level.posterior.stddev * z)


# Every part takes part


@every_noise_model
@pytest.mark.parametrize("analytic", [False, True])
def test_every_parameter_gets_a_gradient(noise_model: NoiseModelMaker, analytic: bool) -> None:
    scheme = DenoiSplitKL(DenoiSplitKL.Options(free_bits=0.0, analytic=analytic))
    vse = network(noise_model=noise_model, kl_scheme=scheme)
    laws.every_parameter_gets_a_gradient(vse, SIZE)
