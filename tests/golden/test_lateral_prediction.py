"""Reference networks with lateral context give the reference numbers when whole images are predicted."""

import os
from pathlib import Path

import numpy as np
import pytest

from denoisplit.core.arrays import FloatArray
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.prediction.samples import passes
from denoisplit.core.prediction.tiles.canvas import Canvas
from denoisplit.core.prediction.tiles.tiling import Box
from denoisplit.core.spec.records import PredictionSpec
from tests.golden.check_networks import build
from tests.golden.reference import ReferenceNetwork
from tests.network.fixed_noise import FixedNoise

FOLDER = os.environ.get("DENOISPLIT_GOLDEN")
# Without the folder one test stays, so that it shows as skipped.
NETWORKS = (
    [
        path.stem
        for path in sorted(Path(FOLDER, "networks").glob("*.npz"))
        if ReferenceNetwork.load(path).scales > 1
    ]
    if FOLDER
    else ["none"]
)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_of_another_size(golden: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The surround and the latent noise of the reference are random numbers, put in their places here."""
    network = ReferenceNetwork.load(golden / "networks" / f"{name}.npz")
    vse = build(network)
    scales = network.arrays["inf_x"][0].astype(np.float64)
    expected = network.arrays["inf_out"][0, : vse.channels].astype(np.float64)
    size = scales.shape[1:]
    # What does not stride without remainder is padded on both sides there, and cut before the last layer.
    before = [(-n % m) // 2 for n, m in zip(size, vse.multiple, strict=True)]
    widths = [(b, -n % m - b) for n, m, b in zip(size, vse.multiple, before, strict=True)]
    scales = np.pad(scales, [(0, 0), *widths])
    edge = 1 if np.any(widths) else 0

    def cut(_canvas: Canvas, region: Box) -> FloatArray:
        assert region.start == (0, 0), "a single tile"
        return scales

    monkeypatch.setattr(Canvas, "cut", cut)
    monkeypatch.setattr(passes, "CentredNoise", lambda *_: FixedNoise(network.draws("inf_")))
    found = predict(vse, scales[0], PredictionSpec(samples=1, seed=0)).mean
    assert found.dtype == np.float64
    inner = tuple(slice(edge, n - edge) for n in size)
    image = found[:, *(slice(b, b + n) for b, n in zip(before, size, strict=True))]
    difference = (image - expected)[:, *inner]
    assert np.abs(difference).max() <= 2e-7 * np.abs(network.arrays["inf_out"]).max()
