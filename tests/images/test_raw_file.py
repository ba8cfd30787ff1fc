"""Pixels are written into a file without cutting off what a format has put behind them."""

import os
from pathlib import Path

import numpy as np
import pytest

from denoisplit.core.images.writing import raw_file


@pytest.mark.parametrize("reserve", [True, False])
def test_what_is_behind_the_pixels_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserve: bool
) -> None:
    if not reserve:  # as on macOS and Windows
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    path = tmp_path / "a.raw"
    path.write_bytes(b"head" + bytes(6) + b"pages")
    with raw_file(path, (2, 3), np.dtype(np.uint8), 4) as put:
        put((slice(0, 2), slice(0, 3)), np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert path.read_bytes() == b"head" + bytes(range(6)) + b"pages"
