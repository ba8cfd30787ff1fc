"""Values of a foreign config are taken for what they are, or refused by name."""

import pytest

from denoisplit.core.errors import CheckpointError
from denoisplit.core.exchange.config import read_config


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 64.5, [64, float("inf")], True, "64"])
def test_no_whole_number(value: object) -> None:
    with pytest.raises(CheckpointError, match=r"config: data\.image_size must be a (whole )?number"):
        read_config({"data": {"image_size": value}}).integers("patch")


@pytest.mark.parametrize("value", [64, 64.0, 10**400])
def test_a_whole_number(value: float) -> None:
    assert read_config({"data": {"image_size": value}}).integers("patch") == (int(value),)
