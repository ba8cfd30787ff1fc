"""What a nat of every level weighs, and free bits of several levels."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal

from denoisplit.core.assessment.effective_weights import effective_weights
from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import KLScheme
from denoisplit.core.network.latent import Level, level_sums
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.kl_schemes.elbo import ElboKL
from denoisplit.plugins.kl_schemes.geco import GecoKL
from denoisplit.plugins.kl_schemes.microsplit import MicroSplitKL
from denoisplit.plugins.kl_schemes.musplit import MuSplitKL
from denoisplit.plugins.kl_schemes.per_level import PerLevelKL
from tests.laws.test_kl_laws import PIXELS, SHAPES, levels

Shapes = list[tuple[int, ...]]
REFERENCE: Shapes = [(128, 64, 64), (128, 32, 32), (128, 16, 16), (128, 8, 8)]
"""The latents of the paper at patches of 128 pixels."""
CONTEXT: Shapes = [(8, 32, 32), (8, 32, 32), (8, 16, 16), (8, 8, 8)]
"""Latents of lateral context at patches of 32 pixels, whose image has 16, 8, 4 and 2 positions per side."""


@pytest.mark.parametrize("analytic", [False, True])
def test_effective_weights_are_those_of_the_method(analytic: bool) -> None:
    expected: list[tuple[KLScheme, list[float]]] = [
        (DenoiSplitKL(DenoiSplitKL.Options(analytic=analytic)), [2, 2, 2, 2]),
        (MuSplitKL(MuSplitKL.Options(analytic=analytic)), [1 / 64, 1 / 16, 1 / 4, 1]),
        (ElboKL(ElboKL.Options(analytic=analytic)), [1, 1, 1, 1]),
        (ElboKL(ElboKL.Options(analytic=analytic, free_bits=2.0, weight=0.5)), [0.5] * 4),
        (
            PerLevelKL(PerLevelKL.Options(analytic=analytic, level_weights=(0.0, 1.0, 3.0, 0.5))),
            [0, 1, 3, 0.5],
        ),
        (
            MicroSplitKL(MicroSplitKL.Options(analytic=analytic)),
            [1.8 + 0.1 / 64, 1.8 + 0.1 / 16, 1.8 + 0.1 / 4, 1.8 + 0.1],
        ),
    ]
    for scheme, weights in expected:
        found = effective_weights(scheme, REFERENCE, image_pixels=128**2, channels=2)
        assert found == pytest.approx(weights, rel=1e-9)


@settings(max_examples=15)
@given(
    sides=st.lists(st.tuples(*[st.integers(1, 6)] * 3), min_size=1, max_size=4),
    latents=st.integers(1, 9),
    pixels=st.integers(1, 10**6),
    channels=st.integers(1, 5),
)
def test_effective_weights_in_any_number_of_dimensions(
    sides: list[tuple[int, int, int]], latents: int, pixels: int, channels: int
) -> None:
    shapes = [(latents, *side) for side in sides]
    known = {"image_pixels": pixels, "channels": channels}
    assert effective_weights(DenoiSplitKL(DenoiSplitKL.Options()), shapes, **known) == pytest.approx(
        [channels] * len(shapes)
    )
    assert effective_weights(MuSplitKL(MuSplitKL.Options()), shapes, **known) == pytest.approx(
        [channels * pixels / (len(shapes) * math.prod(shape)) for shape in shapes]
    )


def test_context_beside_the_image_weighs_nothing_in_the_restricted_rate() -> None:
    known = {"image_pixels": 32**2, "channels": 2}
    restricted = MicroSplitKL(MicroSplitKL.Options(share=1.0))
    # The image has 16 of 32, 8 of 32, 4 of 16 and 2 of 8 positions per side; a nat elsewhere is free.
    assert effective_weights(restricted, CONTEXT, **known) == pytest.approx([2 / 4, 2 / 16, 2 / 16, 2 / 16])
    everywhere = MicroSplitKL(MicroSplitKL.Options(share=1.0, restricted=False))
    assert effective_weights(everywhere, CONTEXT, **known) == pytest.approx([2, 2, 2, 2])


@pytest.mark.parametrize("numbers", [(0, 1, 2, 3), (1, 3), (2,), ()], ids=str)
def test_a_level_weighs_the_same_whether_others_have_latents_or_not(numbers: tuple[int, ...]) -> None:
    schemes: list[tuple[KLScheme, list[float]]] = [
        (DenoiSplitKL(DenoiSplitKL.Options(free_bits=(1.0, 0.0, 2.0, 3.0))), [2, 2, 2, 2]),
        (PerLevelKL(PerLevelKL.Options(level_weights=(0.5, 1.0, 3.0, 7.0))), [0.5, 1, 3, 7]),
        (MicroSplitKL(MicroSplitKL.Options(share=1.0)), [2 / 4, 2 / 16, 2 / 16, 2 / 16]),
        (GecoKL(GecoKL.Options(free_bits=(1.0, 0.0, 2.0, 3.0))), [1, 1, 1, 1]),
    ]
    shapes = [shape if number in numbers else None for number, shape in enumerate(CONTEXT)]
    for scheme, weights in schemes:
        found = effective_weights(scheme, shapes, image_pixels=32**2, channels=2)
        assert found == pytest.approx([w if n in numbers else 0 for n, w in enumerate(weights)])


@pytest.mark.parametrize("numbers", [(0, 1, 2, 3), (1, 3), (2,)], ids=str)
def test_a_mean_over_levels_is_one_over_those_that_have_a_latent(numbers: tuple[int, ...]) -> None:
    shapes = [shape if number in numbers else None for number, shape in enumerate(REFERENCE)]
    found = effective_weights(MuSplitKL(MuSplitKL.Options()), shapes, image_pixels=128**2, channels=2)
    assert found == pytest.approx([4 ** (n - 2) / len(numbers) if n in numbers else 0 for n in range(4)])


def test_the_restricted_rate_takes_the_centre_of_oblong_images() -> None:
    divergence = torch.zeros(1, 1, 8, 16, dtype=torch.float64)
    divergence[..., 2:6, 4:12] = 1.0  # one position per 2 pixels of an image of 8 x 16
    zero = torch.zeros_like(divergence)
    # ln q - ln p of unit normals at z is z - 1/2 for a posterior around 1 and a prior around 0.
    level = Level(Normal(zero + 1, zero + 1), Normal(zero, zero + 1), divergence + 0.5)
    scheme = MicroSplitKL(MicroSplitKL.Options(share=1.0, free_bits=0.0))
    assert float(scheme((level,), image_pixels=128, channels=2).total) == pytest.approx(32 / 128)
    outside = Level(level.posterior, level.prior, 1 - divergence + 0.5)
    assert float(scheme((outside,), image_pixels=128, channels=2).total) == 0


def _denoisplit(floors: tuple[float, ...]) -> KLScheme:
    return DenoiSplitKL(DenoiSplitKL.Options(free_bits=floors, analytic=True))


def _elbo(floors: tuple[float, ...]) -> KLScheme:
    return ElboKL(ElboKL.Options(free_bits=floors, analytic=True))


def _per_level(floors: tuple[float, ...]) -> KLScheme:
    return PerLevelKL(PerLevelKL.Options(free_bits=floors, analytic=True))


@pytest.mark.parametrize("make", [_denoisplit, _elbo, _per_level])
def test_free_bits_of_every_level_are_its_own_floor(
    make: Callable[[tuple[float, ...]], KLScheme],
) -> None:
    given_levels = levels(3)
    sums = level_sums(given_levels, analytic=True)
    highest = float(sums.max())
    floors = (0.0, 2 * highest, 0.5 * float(sums[:, 2].min()))
    rate = make(floors)(given_levels, image_pixels=PIXELS, channels=1)
    expected = [float(sums[:, 0].mean()), 2 * highest, float(sums[:, 2].mean())]
    assert rate.per_level.tolist() == pytest.approx([value / PIXELS for value in expected])


def test_free_bits_per_latent_scalar() -> None:
    given_levels = levels(4)
    counts = torch.tensor([math.prod(shape) for shape in SHAPES])
    per_scalar = (level_sums(given_levels, analytic=True) / counts).mean(0)
    scheme = MuSplitKL(MuSplitKL.Options(free_bits=(100.0, 0.0, 0.0), analytic=True))
    rate = scheme(given_levels, image_pixels=PIXELS, channels=2)
    assert rate.per_level.tolist() == pytest.approx([100 / 3, *(per_scalar[1:] / 3).tolist()])


@pytest.mark.parametrize(
    "scheme",
    [
        DenoiSplitKL(DenoiSplitKL.Options(free_bits=(1.0, 1.0))),
        MicroSplitKL(MicroSplitKL.Options(free_bits=(1.0, 1.0))),
        PerLevelKL(PerLevelKL.Options(level_weights=(1.0, 1.0))),
    ],
)
def test_one_number_per_level_or_one_for_all(scheme: KLScheme) -> None:
    with pytest.raises(SpecError, match="2 numbers for 3 levels"):
        scheme(levels(0), image_pixels=PIXELS, channels=2)


@pytest.mark.parametrize("wrong", [(), (1.0, -1.0), float("nan")])
def test_wrong_weights_are_refused(wrong: float | tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="'level_weights' must be >= 0, one number or one per level"):
        PerLevelKL.Options(level_weights=wrong)
    with pytest.raises(ValueError, match="'share' must be <= 1"):
        MicroSplitKL.Options(share=1.5)
