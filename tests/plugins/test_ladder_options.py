"""What the options of the ladder accept, as a spec gives them."""

import pytest
import torch

from denoisplit.core.errors import SpecError
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import parse_spec, resolve
from denoisplit.plugins.encoders.ladder import LadderEncoder

BASE = """
preset: denoisplit
channels: [a, b]
data: {train: {use: simulated}}
"""


@pytest.mark.parametrize(
    "given",
    [
        "latent_channels: 0",
        "latent_channels: []",
        "latent_channels: [4, 0]",
        "clip: 0",
        "clip: -1.5",
        "dropout: 1.0",
    ],
)
def test_numbers_that_make_no_network_are_refused_where_they_stand(given: str) -> None:
    tree = parse_spec(f"{BASE}model:\n  decoder: {{{given}}}\n")
    with pytest.raises(SpecError) as caught:
        resolve(tree, installed_registry())
    (problem,) = caught.value.problems
    name = given.partition(":")[0]
    assert problem.startswith("spec:6:")
    assert f" $.model.decoder.{name}: must be" in problem
    assert "(got " in problem


@pytest.mark.parametrize("given", ["[[2, 0]]", "[[]]", "[[2, 2], [-1, 2]]"])
@pytest.mark.parametrize("name", ["ladder", "lateral_context"])
def test_strides_are_one_or_more(name: str, given: str) -> None:
    tree = parse_spec(f"{BASE}model: {{encoder: {{use: {name}, strides: {given}}}}}")
    with pytest.raises(SpecError, match=r"\.encoder\.strides: must be 1 or more along every axis \(got"):
        resolve(tree, installed_registry())


@pytest.mark.parametrize("strides", [((2, 2),), ((2, 2), (2, 2, 2)), ((1, 2, 2), (1, 2, 2))])
def test_strides_fit_levels_and_axes(strides: tuple[tuple[int, ...], ...]) -> None:
    options = LadderEncoder.Options(levels=2, width=2, strides=strides)
    with pytest.raises(SpecError, match=r"model\.encoder\.strides: 2 lists of 2 numbers are needed"):
        LadderEncoder(options, spatial_rank=2, in_channels=1)


def test_a_level_after_the_first_shrinks_some_axis() -> None:
    LadderEncoder(
        LadderEncoder.Options(levels=2, width=2, strides=((1, 1), (1, 2))), spatial_rank=2, in_channels=1
    )
    options = LadderEncoder.Options(levels=2, width=2, strides=((2, 1), (1, 1)))
    with pytest.raises(SpecError, match=r"model\.encoder\.strides\.1: this level is no smaller than"):
        LadderEncoder(options, spatial_rank=2, in_channels=1)


def test_strides_multiply_after_binning() -> None:
    options = LadderEncoder.Options(levels=2, width=2, binning=2, strides=((1, 2, 2), (2, 2, 3)))
    encoder = LadderEncoder(options, spatial_rank=3, in_channels=1)
    assert [shape.stride for shape in encoder.feature_shapes] == [(2, 4, 4), (4, 8, 12)]
    features = encoder(torch.zeros(1, 1, 8, 16, 24))
    assert [tuple(f.shape[2:]) for f in features] == [(4, 4, 6), (2, 2, 2)]


@pytest.mark.parametrize(("given", "value"), [("8", 8), ("[8, 4, 2, 1]", (8, 4, 2, 1))])
def test_latent_channels_are_one_number_or_one_per_level(given: str, value: object) -> None:
    spec = resolve(
        parse_spec(f"{BASE}model: {{decoder: {{latent_channels: {given}}}}}"), installed_registry()
    )
    assert spec.model.decoder.options.latent_channels == value
