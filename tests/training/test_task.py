"""One training step: a function of its number, in the right precision, and nothing non-finite passes."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from denoisplit.core.errors import NonFiniteLossError
from denoisplit.core.network.dropout import ChannelDropout
from denoisplit.core.network.interfaces import Decoder, Encoder
from denoisplit.core.network.noise_source import ZeroNoise
from denoisplit.core.network.objective import LossTerms
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.schedule import after_step, after_validation
from denoisplit.core.training.steps.descent import optimizer_of, schedule_of
from denoisplit.core.training.steps.drawing import step_seed
from denoisplit.core.training.steps.early_end import MIN_IMPROVEMENT
from denoisplit.core.training.steps.task import SplittingTask, values_of
from denoisplit.plugins.decoders.partial_ladder import PartialLadderDecoder
from tests.network.small import NoiseModelMaker, counts, gaussian, ladder, mixture, network

SIZE = (8, 8)


seeds = st.integers(0, 2**63 - 1)


@given(seed=seeds, step=st.integers(-10, 10**7))
def test_a_step_has_its_own_seed(seed: int, step: int) -> None:
    found = step_seed(seed, step)
    assert 0 <= found < 2**63
    assert found == step_seed(seed, step)
    assert len({found, step_seed(seed, step + 1), step_seed(seed + 1, step)}) == 3


def test_neighbouring_steps_draw_independent_noise() -> None:
    draws = torch.stack(
        [torch.randn(2000, generator=torch.Generator().manual_seed(step_seed(0, s))) for s in range(20)]
    )
    off_diagonal = torch.corrcoef(draws) - torch.eye(20)
    assert float(off_diagonal.abs().max()) < 5 / math.sqrt(2000)


def with_dropout() -> VSE:
    vse = network()
    for module in vse.modules():
        if isinstance(module, ChannelDropout):
            module.p = 0.5
    return vse.train()


def test_a_step_depends_on_its_number_and_nothing_else() -> None:
    """Latent noise and dropout are the same whatever was drawn before, and the global generator stays."""
    task = SplittingTask(with_dropout(), TrainingSpec())
    batch = counts(task.vse, SIZE, batch=2)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = task(batch, 5).total
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(task(batch, 5).total, first)
    assert not torch.equal(task(batch, 6).total, first)


@pytest.mark.parametrize("every", [2, 3, 4])
def test_steps_that_thin_the_likelihood_take_every_pixel_once(every: int) -> None:
    """The mean of ``every`` squared steps is the likelihood of all pixels, and so is its gradient."""
    size = (4 * every, 8 * every)
    vse = network(noise_model=mixture)
    batch = counts(vse, size)
    whole, thinned = (SplittingTask(vse, TrainingSpec(likelihood_every=one)) for one in (1, every))
    same = ZeroNoise()
    steps = range(7, 7 + every**2)
    parts = [vse.loss(*batch, same, kl_weight=1.0, pixels=thinned.pixels(step)) for step in steps]
    everything = vse.loss(*batch, same, kl_weight=1.0, pixels=whole.pixels(7))
    torch.testing.assert_close(torch.stack([one.distortion for one in parts]).mean(), everything.distortion)
    torch.testing.assert_close(torch.stack([one.rate for one in parts]), everything.rate.expand(every**2))


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.0), (10, 0.0), (12, 0.25), (14, 0.5), (18, 1.0), (99, 1.0)]
)
def test_the_weight_of_the_rate_follows_the_step(step: int, expected: float) -> None:
    task = SplittingTask(network(), TrainingSpec(kl_warmup_start=10, kl_warmup_steps=8))
    values = values_of(task(counts(task.vse, SIZE), step))
    assert values["kl_weight"] == expected
    parts = values["train_distortion"] + expected * values["train_rate"]
    assert values["train_loss"] == pytest.approx(parts, rel=1e-6)
    assert values["train_rate"] == pytest.approx(values["train_rate_0"] + values["train_rate_1"], rel=1e-6)


def test_rates_are_logged_by_the_numbers_of_their_levels() -> None:
    def some(rank: int, maps: int) -> tuple[Encoder, Decoder]:
        encoder, _ = ladder(rank, maps, levels=3)
        known: dict[str, Any] = {"feature_shapes": encoder.feature_shapes, "patch": (16,) * rank}
        return encoder, PartialLadderDecoder(PartialLadderDecoder.Options(), out_maps=maps, **known)

    task = SplittingTask(network(parts=some), TrainingSpec())
    values = values_of(task(counts(task.vse, (16, 16)), 0))
    assert [name for name in values if name.startswith("train_rate_")] == ["train_rate_2"]


def test_validation_is_the_distortion_alone() -> None:
    task = SplittingTask(network(), TrainingSpec())
    batch = counts(task.vse, SIZE)
    (first,) = task.validated([batch], 0).values()
    with torch.no_grad():
        expected = [float(task.terms(batch, step, 1.0).distortion) for step in (-1, -2)]
    assert first == expected[0] != expected[1]
    assert task.validated([batch], 50) == {"val_loss": first}, "the same noise at every validation"
    assert task.validated([batch, batch], 0) == {"val_loss": pytest.approx(sum(expected) / 2, rel=1e-12)}
    assert task.loss_of([batch]) == first


@torch.no_grad()
def test_the_channel_weights_of_the_spec_count() -> None:
    vse = network()
    batch = counts(vse, SIZE)
    terms = [
        SplittingTask(vse, TrainingSpec(channel_weights=weights)).terms(batch, 0, 0.0)
        for weights in ((), (3.0, 1.0))
    ]
    first, second = terms[0].distortion_per_channel.tolist()
    assert float(terms[0].total) == pytest.approx((first + second) / 2)
    assert float(terms[1].total) == pytest.approx((3 * first + second) / 4)


@pytest.mark.parametrize("stage", ["training", "validation"])
def test_a_bad_batch_stops_the_training(stage: str) -> None:
    task = SplittingTask(network(), TrainingSpec())
    mixed, targets = counts(task.vse, SIZE)
    targets[0, 1, 2, 3] = math.nan
    train = lambda batch, step: task.took(task(batch, step), step)  # noqa: E731
    look = train if stage == "training" else lambda batch, step: task.validated([batch], step)
    with pytest.raises(NonFiniteLossError) as caught:
        look((mixed, targets), 41)
    assert (caught.value.step, caught.value.term) == (41, "distortion")


@pytest.mark.parametrize("noise_model", [gaussian, mixture])
def test_in_bf16_the_network_is_rounded_and_the_likelihood_is_not(noise_model: NoiseModelMaker) -> None:
    exact = network(noise_model=noise_model).float().train()
    mixed, targets = (image.float() for image in counts(exact, SIZE, batch=2))
    terms: dict[torch.dtype | None, LossTerms] = {}
    for dtype in (None, torch.bfloat16):
        exact.network_dtype = dtype
        task = SplittingTask(exact, TrainingSpec())
        terms[dtype] = task.terms((mixed, targets), 0, 1.0)
        gradients = torch.autograd.grad(terms[dtype].total, list(exact.parameters()))
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
        for name in ("total", "distortion", "distortion_per_channel", "rate", "rate_per_level"):
            assert getattr(terms[dtype], name).dtype == torch.float32
    rounded, full = (float(terms[dtype].total.detach()) for dtype in (torch.bfloat16, None))
    assert rounded != full
    assert rounded == pytest.approx(full, rel=0.05)


def test_in_bf16_counts_keep_their_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """bf16 has 8 bits: counts of a camera would come in steps of 4 and more."""
    vse = network().float()
    vse.network_dtype = torch.bfloat16
    seen: list[Tensor] = []
    log_prob = vse.noise_model.log_prob

    def watched(observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        seen.extend([observation, signal])
        return log_prob(observation, signal, extra)

    monkeypatch.setattr(vse.noise_model, "log_prob", watched)
    mixed, targets = (image.float() for image in counts(vse, SIZE))
    SplittingTask(vse, TrainingSpec()).terms((mixed, targets), 0, 1.0)
    observation, signal = seen
    assert observation.dtype == signal.dtype == torch.float32
    assert torch.equal(observation, targets)


def test_the_optimiser_halves_its_rate_on_a_plateau() -> None:
    spec = TrainingSpec(learning_rate=0.01, plateau_patience=1, plateau_factor=0.5)
    optimizer = optimizer_of(network(), spec)
    assert isinstance(optimizer, torch.optim.Adamax)
    schedule, rates = schedule_of(optimizer, spec), []
    for loss in (5.0, 4.0, 4.0, 4.0, 4.0, 4.0):
        after_step(schedule)
        after_validation(schedule, loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [0.01, 0.01, 0.01, 0.005, 0.005, 0.0025]


def test_the_optimiser_has_the_settings_of_the_reference() -> None:
    """Method section 6.1."""
    optimizer = optimizer_of(network(), TrainingSpec())
    defaults = optimizer.defaults
    assert (defaults["lr"], defaults["betas"], defaults["eps"]) == (1e-3, (0.9, 0.999), 1e-8)
    assert defaults["weight_decay"] == 0
    plateau = schedule_of(optimizer, TrainingSpec())
    assert isinstance(plateau, ReduceLROnPlateau)
    assert (plateau.factor, plateau.mode, plateau.min_lrs) == (0.5, "min", [1e-12])
    assert (plateau.threshold, plateau.threshold_mode) == (1e-4, "rel")
    assert MIN_IMPROVEMENT == 1e-6
