"""KL schemes that learn from training steps."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import denoisplit
from denoisplit.core.network.objective import kl_weight
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.steps.task import SplittingTask
from denoisplit.plugins.kl_schemes.geco import GecoKL
from tests.network.small import counts, network
from tests.training.test_fit import SPEC, Interrupt
from tests.training.test_task import SIZE

SMOOTH, TARGET = 0.9, 2.5


def test_the_distortion_is_steered_to_its_target() -> None:
    """Of a network whose distortion is larger the more the rate costs."""
    scheme = GecoKL(GecoKL.Options(distortion=TARGET, speed=0.05, smoothing=SMOOTH))
    for step in range(800):
        distortion = 2 + scheme.log_multiplier.exp()
        scheme.observe(step=step, distortion=distortion, rate=torch.ones(()))
    assert float(distortion) == pytest.approx(TARGET, rel=1e-3)


def test_the_multiplier_follows_the_moving_average_of_the_differences() -> None:
    """The first step sets the average; the next ones keep 3/4 of it."""
    scheme = GecoKL(GecoKL.Options(distortion=10.0, speed=0.1, smoothing=0.75))
    for step, (distortion, average, log_multiplier) in enumerate(
        [(12.0, 2.0, -0.2), (6.0, 0.5, -0.25), (14.0, 1.375, -0.3875)]
    ):
        scheme.observe(step=step, distortion=torch.tensor(distortion), rate=torch.ones(()))
        assert float(scheme.average) == pytest.approx(average)
        assert float(scheme.log_multiplier) == pytest.approx(log_multiplier)


@pytest.mark.parametrize(("violation", "end"), [(1e6, -1), (-1e6, 1)])
def test_a_target_out_of_reach_leaves_a_finite_multiplier(violation: float, end: int) -> None:
    scheme = GecoKL(GecoKL.Options())
    for step in range(9):
        scheme.observe(step=step, distortion=torch.tensor(violation), rate=torch.ones(()))
    multiplier = float(scheme.log_multiplier.exp())
    assert math.copysign(1, math.log(multiplier)) == end
    assert 0 < multiplier < math.inf


def test_nothing_is_learned_before_the_end_of_the_warm_up() -> None:
    spec = TrainingSpec(kl_warmup_start=2, kl_warmup_steps=4, validate_every=1)
    task = SplittingTask(network(kl_scheme=GecoKL(GecoKL.Options())), spec)
    scheme, batch = task.vse.kl_scheme, counts(task.vse, SIZE)
    for step in range(9):
        before = {name: value.clone() for name, value in scheme.state_dict().items()}
        terms = task(batch, step)
        (gradient,) = torch.autograd.grad(terms.total, next(task.parameters()))
        task.took(terms, step)
        assert bool(gradient.isfinite().all())
        same = all(torch.equal(value, before[name]) for name, value in scheme.state_dict().items())
        over = kl_weight(step, target=1.0, start=2, duration=4) == 1.0
        assert same is not over


@pytest.mark.slow
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    spec, scheme = tmp_path / "spec.yaml", ["model.kl_scheme={use: geco, speed: 0.1}"]
    spec.write_text(SPEC, encoding="utf-8")
    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    denoisplit.train(spec, whole.path, overrides=scheme)
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(spec, cut.path, overrides=scheme, watchers=[Interrupt(4)])
    denoisplit.train(spec, cut.path, overrides=scheme, resume=True)
    expected, found = load_file(whole.weights), load_file(cut.weights)
    assert float(expected["kl_scheme.log_multiplier"]) != 0
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
