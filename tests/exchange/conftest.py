"""Reference networks in the files of other programs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.exchange.foreign import Files, write
from tests.golden.reference import ReferenceNetwork

Choice = Callable[[ReferenceNetwork], bool]


def _first(golden: Path, chosen: Choice) -> ReferenceNetwork:
    networks = map(ReferenceNetwork.load, sorted((golden / "networks").glob("*.npz")))
    return next(network for network in networks if chosen(network))


@pytest.fixture
def plain(golden: Path, tmp_path: Path) -> Files:
    """A network of two channels that predicts the variance of each."""
    network = _first(golden, lambda n: n.scales == 1 and n.config["predict_logvar"] == "pixelwise")
    return write(network, tmp_path)


@pytest.fixture
def surrounded(golden: Path, tmp_path: Path) -> Files:
    """A network with lateral context at some of its levels."""
    network = _first(
        golden,
        lambda n: 1 < n.scales <= n.levels - 1 and n.config["output_conv_key"] == "output_layer",
    )
    return write(network, tmp_path)


@pytest.fixture
def noisy(golden: Path, tmp_path: Path) -> Files:
    """A network with noise models."""
    return write(_first(golden, lambda n: "noise_models" in n.meta), tmp_path)
