"""Kernels make the same words and numbers; where they fail, torch makes them."""

import logging
import os
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch

from denoisplit.core.network.kernels import kernels_of

COMPARED = """
import torch
from denoisplit.core.network import normals, philox, philox_triton

cpu = torch.device("cpu")
streams = philox.Streams(
    seed=2**64 - 5,
    purpose=philox.Purpose.LATENT,
    numbers=range(-2, 1),
    level=3,
    z=range(-1, 1),
    y=range(4, 6),
)
assert torch.equal(philox_triton.words(streams, 70, cpu), philox.computed_words(streams, 70, cpu))
found, expected = philox_triton.normals(streams, 2, cpu), normals.normals(streams, 2 * normals.CHUNK, cpu)
torch.testing.assert_close(found, expected, rtol=4 * 2**-23, atol=0)
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
def test_interpreted_kernels_make_the_same_numbers() -> None:
    """In a process of its own, as Triton asks its environment when it is imported."""
    subprocess.run([sys.executable, "-c", COMPARED], check=True, env={**os.environ, "TRITON_INTERPRET": "1"})


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_other_devices_have_none(device: str) -> None:
    assert kernels_of(torch.device(device)) is None


def test_where_triton_fails_one_line_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("Failed to find C compiler.\nand more")

    monkeypatch.setattr("denoisplit.core.network.kernels.find_spec", lambda _name: True)
    name = "denoisplit.core.network.philox_triton"
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(words=failing))
    monkeypatch.setattr("denoisplit.core.network.philox_triton", sys.modules[name], raising=False)
    kernels_of.cache_clear()
    with caplog.at_level(logging.WARNING, logger="denoisplit"):
        assert kernels_of(torch.device("cuda")) is None
        assert kernels_of(torch.device("cuda")) is None
    kernels_of.cache_clear()
    (record,) = caplog.records
    assert record.getMessage().endswith("Triton fails (RuntimeError: Failed to find C compiler.)")
