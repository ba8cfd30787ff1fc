"""The laws of calibration and of prediction, and a training step, on a CUDA device in float32 and bf16."""

import numpy as np
import pytest
import torch

from denoisplit.core.devices import deterministic, rounding
from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.prediction.samples.summaries import Samples
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.training.data.batches import Mover
from denoisplit.plugins.calibrators.scale import Scale
from tests.network.small import counts, network
from tests.prediction.networks import small_vse

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]

DTYPES = pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=["float32", "bf16"])
TOLERANCE = {None: 0.01, torch.bfloat16: 0.1}
"""Of a pixel, in intensity ranges: other kernels for other sizes round in other ways."""


def on_gpu(vse: VSE, dtype: torch.dtype | None) -> VSE:
    vse.network_dtype = dtype
    return vse.float().to("cuda")


def image(*shape: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return np.random.default_rng(0).normal(120, 30, shape).astype(np.float32)


@DTYPES
@pytest.mark.parametrize(("tile", "batch"), [(0, 1), (0, 4), (80, 1), (80, 3)])
def test_samples_are_the_same_for_every_tile_and_batch(
    dtype: torch.dtype | None, tile: int, batch: int
) -> None:
    vse, mixed = on_gpu(small_vse(levels=2, width=8), dtype), image(120, 90)
    expected = predict(vse, mixed, PredictionSpec(samples=4, seed=5), batch=1, summaries=[Samples()])
    found = predict(
        vse, mixed, PredictionSpec(samples=4, seed=5, tile=tile), batch=batch, summaries=[Samples()]
    )
    scale = float(np.ptp(expected.mean))
    assert found.mean.dtype == np.float32
    for name, sample in found.images.items():
        assert np.abs(sample - expected.images[name]).max() < TOLERANCE[dtype] * scale


@DTYPES
def test_a_gpu_predicts_what_a_processor_does(dtype: torch.dtype | None) -> None:
    mixed = image(64, 64)
    expected = predict(small_vse(width=8).float(), mixed, PredictionSpec(samples=3, seed=5)).mean
    found = predict(on_gpu(small_vse(width=8), dtype), mixed, PredictionSpec(samples=3, seed=5)).mean
    assert np.abs(found - expected).max() < TOLERANCE[dtype] * np.ptp(expected)


def test_float32_is_exact_and_tf32_is_not() -> None:
    maps = torch.randn(1, 64, 64, 64, dtype=torch.float64)
    kernel = torch.randn(64, 64, 3, 3, dtype=torch.float64)
    exact = torch.nn.functional.conv2d(maps, kernel)
    errors = {}
    for tf32 in (False, True):
        with rounding(torch.device("cuda"), tf32=tf32):
            found = torch.nn.functional.conv2d(maps.float().cuda(), kernel.float().cuda())
        errors[tf32] = float((found.cpu().double() - exact).abs().max() / exact.abs().max())
    assert errors[False] < 1e-5
    assert errors[True] < 1e-2


def test_batches_arrive_as_they_left() -> None:
    batches = [(torch.full((8, 1, 64, 64), i).pin_memory(), torch.rand(8, 2, 64, 64)) for i in range(20)]
    for batch, here in zip(batches, map(Mover(torch.device("cuda")), batches), strict=True):
        assert all(torch.equal(one, other.cpu()) for one, other in zip(batch, here, strict=True))


def test_a_deterministic_step_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    found = []
    for _ in range(2):
        vse = on_gpu(network(), None).train()
        mixed, targets = (one.float().cuda() for one in counts(vse, (32, 32), batch=2))
        with deterministic(torch.device("cuda")):
            noise = GeneratorNoise(torch.Generator().manual_seed(0))
            torch.autograd.backward(vse.loss(mixed, targets, noise, kl_weight=1.0).total)
        found.append([weight.grad for weight in vse.parameters()])
    for one, other in zip(*found, strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)


@DTYPES
def test_calibration_undoes_a_change_of_units(dtype: torch.dtype | None) -> None:
    """A std twice as large gives half the factor, so the calibrated std stays."""
    made = predict(on_gpu(small_vse(width=8), dtype), image(64, 64), PredictionSpec(samples=8, seed=5))
    assert made.std is not None
    truth = made.mean + 3 * np.random.default_rng(1).normal(size=made.mean.shape) * made.std
    calibrator = Scale(Scale.Options())
    stds = []
    for factor in (1, 2):
        calibration = calibrator.fit(made.mean, factor * made.std, truth)
        stds.append(calibrator.apply(calibration, factor * made.std))
    np.testing.assert_allclose(stds[0], stds[1], rtol=1e-5)


@DTYPES
def test_a_training_step_lowers_the_loss_of_its_batch(dtype: torch.dtype | None) -> None:
    vse = on_gpu(network(), dtype).train()
    mixed, targets = (part.float().to("cuda") for part in counts(vse, (32, 32), batch=2))

    def loss() -> torch.Tensor:
        noise = GeneratorNoise(torch.Generator().manual_seed(1))
        return vse.loss(mixed, targets, noise, kl_weight=1.0).total

    first = loss()
    assert first.dtype == torch.float32
    weights = list(vse.parameters())
    optimizer = torch.optim.Adamax(weights, lr=1e-3)
    for _ in range(20):
        for parameter, gradient in zip(weights, torch.autograd.grad(loss(), weights), strict=True):
            assert torch.isfinite(gradient).all()
            parameter.grad = gradient
        optimizer.step()
    assert float(loss().detach()) < float(first.detach())
