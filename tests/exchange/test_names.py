"""Every tensor has one name there and one here."""

from pathlib import Path

import pytest

from denoisplit.core.exchange.tensor_names import our_name, their_name
from tests.golden.reference import ReferenceNetwork


def test_names_translate_there_and_back(golden: Path) -> None:
    for path in sorted((golden / "networks").glob("*.npz")):
        network = ReferenceNetwork.load(path)
        names = [entry["name"] for entry in network.meta["state_dict"]]
        plain = [
            name for name in names if not name.startswith(("parameter_net.", "likelihood.", "noiseModel."))
        ]
        for name in plain:
            ours = our_name(name, projects=network.projects)
            assert ours is not None, name
            assert their_name(ours) == name
        translated = {our_name(name, projects=network.projects) for name in plain}
        assert len(translated) == len(plain)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("bottom_up_layers.3.net.1.res.block.2.weight", "encoder.levels.3.2.layers.2.weight"),
        ("top_down_layers.12.top_prior_params", "decoder.levels.12.prior"),
        ("top_down_layers.2.stochastic.conv_in_p.bias", "decoder.levels.2.prior.bias"),
        (
            "top_down_layers.0.deterministic_block.0.res.block.0.weight",
            "decoder.levels.0.upsample.0.block.layers.0.weight",
        ),
        (
            "top_down_layers.0.deterministic_block.4.res.block.0.weight",
            "decoder.levels.0.upsample.4.layers.0.weight",
        ),
    ],
)
def test_blocks_are_counted_as_here(theirs: str, ours: str) -> None:
    assert our_name(theirs) == ours
    assert their_name(ours) == theirs


@pytest.mark.parametrize(
    "name", ["conv1.weight", "top_down_layers.0.top_prior_params.weight", "xfirst_bottom_up.0."]
)
def test_other_names_are_unknown(name: str) -> None:
    assert our_name(name) is None
    assert their_name(name) == name
