"""What the options of the ladder accept, as a spec gives them."""

import pytest

from denoisplit.core.errors import SpecError
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import parse_spec, resolve

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


@pytest.mark.parametrize(("given", "value"), [("8", 8), ("[8, 4, 2, 1]", (8, 4, 2, 1))])
def test_latent_channels_are_one_number_or_one_per_level(given: str, value: object) -> None:
    spec = resolve(
        parse_spec(f"{BASE}model: {{decoder: {{latent_channels: {given}}}}}"), installed_registry()
    )
    assert spec.model.decoder.options.latent_channels == value
