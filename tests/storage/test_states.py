"""States from which trainings resume: what is saved can be loaded, or is refused in plain words."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from denoisplit.core.errors import RunError
from denoisplit.core.storage.atomic import write_bytes
from denoisplit.core.storage.states import load_state, save_state, through_a_file


def test_numbers_of_numpy_are_loaded_as_python_s(tmp_path: Path) -> None:
    weights = OrderedDict(a=torch.ones(2))
    state: dict[str, Any] = {
        "rates": [np.float64(0.1), 1 / 3],
        "nested": {np.int64(3): (np.bool_(1), {"n": np.uint8(7)})},
        "ordered": OrderedDict(rate=np.float64(0.2)),
        "weights": weights,
    }
    save_state(tmp_path / "resume.ckpt", state)
    found = load_state(tmp_path / "resume.ckpt")
    assert found == {
        "rates": [0.1, 1 / 3],
        "nested": {3: (True, {"n": 7})},
        "ordered": {"rate": 0.2},
        "weights": found["weights"],
    }
    kinds = [type(one) for one in (found["rates"][0], *found["nested"][3], found["nested"][3][1]["n"])]
    assert kinds == [float, bool, dict, int]
    assert isinstance(found["ordered"], OrderedDict)
    assert torch.equal(found["weights"]["a"], weights["a"])
    assert type(state["rates"][0]) is np.float64, "the state itself is changed"


def test_attributes_of_a_state_stay() -> None:
    """Those of networks say in which version of a layer it is."""
    state: Any = torch.nn.BatchNorm2d(2).state_dict()
    found = through_a_file({"network": state, "rate": np.float64(1)})
    assert found["network"]._metadata == state._metadata


@pytest.mark.parametrize(
    ("value", "said"),
    [(len, "builtins.len"), (np.ones(2), "numpy"), (np.float32(1), "numpy"), (lambda: 1, "<lambda>")],
)
def test_what_would_not_be_loaded_is_named(value: object, said: str) -> None:
    """Single precision counts otherwise than the Python number that would come back."""
    with pytest.raises(ValueError, match=said) as caught:
        through_a_file({"deep": [{"value": value}]})
    assert str(caught.value).isprintable()


def test_no_codes_of_terminals_are_told(tmp_path: Path) -> None:
    torch.save({"deep": len}, tmp_path / "foreign")
    write_bytes(tmp_path / "resume.ckpt", (tmp_path / "foreign").read_bytes())
    with pytest.raises(RunError, match="is not a state that training can resume from") as caught:
        load_state(tmp_path / "resume.ckpt")
    assert "x1b" not in str(caught.value)
    assert "[1m" not in str(caught.value)
