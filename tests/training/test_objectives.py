"""What ``objectives`` of a spec add to the loss."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import denoisplit
from denoisplit.core.errors import BrokenPluginError, NonFiniteLossError, SpecError
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.named_term import NamedTerm
from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.objective import require_finite
from denoisplit.core.network.objective_terms import ObjectiveTerm
from denoisplit.core.registry import Component, installed_registry
from denoisplit.core.spec import parse_spec, resolve, to_yaml
from denoisplit.core.spec.records import Chosen, ResolvedSpec
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.fit import fit
from denoisplit.core.training.steps.tried_objectives import objectives_of
from tests.network.small import network

STATS = IntensityStats(mixed_mean=5.0, mixed_std=2.0, target_mean=(1.0, 3.0), target_std=(2.0, 4.0))
SPEC = """
preset: denoisplit
channels: [a, b]
data:
  train: {use: simulated, fields: 2, size: 32, seed: 1}
  validation: {use: simulated, fields: 1, size: 32, seed: 2}
model:
  encoder: {levels: 1, width: 4}
  decoder: {latent_channels: 2}
  noise_model: {use: gaussian}
training: {steps: 2, batch: 1, patch: 16, validate_every: 1, precision: float32}
prediction: {samples: 2}
"""


def resolved(*overrides: str) -> ResolvedSpec:
    return resolve(parse_spec(SPEC, overrides), installed_registry())


def consistency(mode: str, *, weight: float = 1.0) -> NamedTerm:
    spec = resolved(
        f"data.mixing={{mode: {mode}, offset: 2}}",
        f"training.objectives=[{{use: mixture_consistency, weight: {weight}}}]",
    )
    (term,) = objectives_of(spec, STATS)
    return term


@pytest.mark.parametrize(("mode", "made"), [("mean", 6.0), ("sum", 10.0)])
def test_mixture_consistency_is_the_error_of_the_mixture(mode: str, made: float) -> None:
    signal = torch.tensor([4.0, 8.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
    value = consistency(mode).value(signal, signal, torch.full((1, 1, 4, 4), made + 3))
    assert float(value) == pytest.approx((3 / 2) ** 2)


def test_the_weighted_terms_are_added_to_the_total_and_to_nothing_else() -> None:
    vse = network()
    generator = torch.Generator().manual_seed(0)
    targets = 100 + 10 * torch.randn((2, 2, 16, 16), generator=generator)
    mixed = targets.mean(1, keepdim=True)
    terms = [consistency("mean", weight=0.3), attrs.evolve(consistency("mean", weight=2), name="again")]

    def loss(**how: Any) -> Any:
        noise = GeneratorNoise(torch.Generator().manual_seed(1))
        return vse.eval().loss(mixed, targets, noise, kl_weight=0.5, **how)

    without, found = loss(), loss(objectives=terms)
    assert torch.equal(without.distortion, found.distortion)
    assert torch.equal(without.rate, found.rate)
    added = sum(one.weight * float(one.value.detach()) for one in found.objectives)
    assert float(found.total.detach()) == pytest.approx(float(without.total.detach()) + added, rel=1e-6)
    assert [one.name for one in found.objectives] == ["mixture_consistency", "again"]
    broken = attrs.evolve(found.objectives[1], value=torch.tensor(torch.nan))
    with pytest.raises(NonFiniteLossError, match="step 7: objective again is not finite"):
        require_finite(attrs.evolve(found, objectives=(found.objectives[0], broken)), 7)


def test_a_training_with_an_objective_logs_it_and_learns_otherwise(tmp_path: Path) -> None:
    runs = {}
    for name, overrides in {
        "plain": (),
        "zero": ("training.objectives=[{use: mixture_consistency, weight: 0}]",),
        "with": ("training.objectives=[{use: mixture_consistency, weight: 50}]",),
    }.items():
        folder = RunFolder(tmp_path / name)
        fit(resolved(*overrides), folder, resume=False)
        runs[name] = folder
    weights = {name: run.weights.read_bytes() for name, run in runs.items()}
    assert weights["plain"] == weights["zero"]
    assert weights["plain"] != weights["with"]
    assert "train_mixture_consistency" in runs["with"].metrics.read_text().splitlines()[0]
    assert "mixture_consistency" not in runs["plain"].metrics.read_text()
    assert "objectives" not in to_yaml(resolved())


class Odd(ObjectiveTerm):
    @attrs.frozen
    class Options:
        weight: float = 1.0

    def __init__(self, options: Options, *, statistics: IntensityStats, mixing: object) -> None:
        super().__init__(options)

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return signal.mean()


class NoScalar(Odd):
    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return signal.mean((2, 3))


class NoGradient(Odd):
    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return targets.mean()


class Raises(Odd):
    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        raise IndexError("no\nplace")


class Infinite(Odd):
    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return signal.mean() / 0


class InfiniteGradient(Odd):
    """A root at zero, where it is vertical."""

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return (signal - signal).square().mean().sqrt()


class Again(Odd):
    """Computes its inner values again for the gradient."""

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        found: Tensor = checkpoint(torch.square, signal, use_reentrant=True)
        return found.mean()


class Unasked(Odd):
    """Has a gradient, but not to the signal."""

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return torch.zeros((), requires_grad=True) * signal.detach().mean()


class AsksForTwo(Odd):
    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return signal[1].mean()


class SpreadOfTwo(Odd):
    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        return (signal - signal.mean(0)).square().sum() / (len(signal) - 1)


class Trains(Odd):
    def __init__(self, options: Odd.Options, *, statistics: IntensityStats, mixing: object) -> None:
        super().__init__(options, statistics=statistics, mixing=mixing)
        self.factor = nn.Parameter(torch.ones(()))


@pytest.mark.parametrize(
    ("cls", "weight", "message"),
    [
        (NoScalar, 1.0, "has to give a scalar tensor (got a tensor of shape (2, 2))"),
        (NoGradient, 1.0, "has to have a gradient to the signal (got none)"),
        (Unasked, 1.0, "has to depend on the signal (got no gradient) on"),
        (Raises, 1.0, "fails on patches of 16x16 (IndexError: no place)"),
        (Infinite, 1.0, "has to be finite for noise"),
        (InfiniteGradient, 1.0, "has to have a finite gradient for noise (got NaN or infinity) on"),
        (AsksForTwo, 1.0, "fails on a single patch of 16x16 (IndexError: index 1 is out of bounds"),
        (SpreadOfTwo, 1.0, "has to be finite for noise (got nan) on a single patch of 16x16. Repair it"),
        (Trains, 1.0, "must have no trainable parameters (got factor)"),
        (Odd, -1.0, "has to have a weight of 0 or more (got -1.0)"),
    ],
)
def test_a_broken_objective_is_one_line_before_training(cls: type[Odd], weight: float, message: str) -> None:
    row = Component(kind="objective", name="odd", target=cls, package="lab", version="1", summary="Odd.")
    chosen = Chosen(component=row, options=cls.Options(weight))
    spec = resolved()
    spec = attrs.evolve(spec, training=attrs.evolve(spec.training, objectives=(chosen,)))
    with pytest.raises(BrokenPluginError) as caught:
        objectives_of(spec, STATS)
    assert str(caught.value).startswith(f"objective lab/odd: {message}")
    assert "\n" not in str(caught.value)


def test_an_objective_may_compute_its_inner_values_again() -> None:
    row = Component(kind="objective", name="odd", target=Again, package="lab", version="1", summary="Odd.")
    spec = resolved()
    chosen = Chosen(component=row, options=Again.Options(1.0))
    objectives_of(attrs.evolve(spec, training=attrs.evolve(spec.training, objectives=(chosen,))), STATS)


@pytest.mark.parametrize(
    ("overrides", "single"),
    [
        (("training.batch=4",), False),
        (("training.batch=4", "training.accumulate=2"), False),
        (("training.batch=4", "training.accumulate=3"), True),
        (("training.batch=5", "training.accumulate=2", "training.devices=2"), True),
    ],
)
def test_a_single_patch_is_tried_where_a_part_of_a_step_has_one(
    overrides: tuple[str, ...], single: bool
) -> None:
    row = Component(
        kind="objective", name="odd", target=AsksForTwo, package="lab", version="1", summary="Odd."
    )
    spec = resolved(*overrides)
    chosen = Chosen(component=row, options=AsksForTwo.Options())
    spec = attrs.evolve(spec, training=attrs.evolve(spec.training, objectives=(chosen,)))
    with pytest.raises(BrokenPluginError, match="on a single patch") if single else nullcontext():
        assert objectives_of(spec, STATS)


class Ends(Odd):
    """Fails at its fourth batch."""

    def __init__(self, options: Odd.Options, *, statistics: IntensityStats, mixing: object) -> None:
        super().__init__(options, statistics=statistics, mixing=mixing)
        self.batches = 0

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        self.batches += 1
        if self.batches == 4:
            raise IndexError("no\nplace")
        return signal.mean()


class NeedsMemory(Odd):
    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("out of memory")


@pytest.mark.usefixtures("own_components")
def test_an_objective_that_fails_in_a_step_is_one_line(tmp_path: Path) -> None:
    denoisplit.register("objective", "odd", summary="Odd.")(Ends)
    spec = resolved("training.objectives=[{use: odd}]", "training.steps=4")
    with pytest.raises(BrokenPluginError) as caught:
        fit(spec, RunFolder(tmp_path / "run"), resume=False)
    doing = (
        "fails on signals of 1x2x16x16 in a step of the training (IndexError: no place, at test_objectives.py"
    )
    assert str(caught.value).startswith(f"objective notebook/odd: {doing}")
    assert "\n" not in str(caught.value)


def test_memory_that_runs_out_is_no_fault_of_the_objective() -> None:
    row = Component(
        kind="objective", name="odd", target=NeedsMemory, package="lab", version="1", summary="Odd."
    )
    term = NamedTerm("odd", NeedsMemory(Odd.Options(), statistics=STATS, mixing=Mixing()), row)
    with pytest.raises(torch.OutOfMemoryError):
        term.value(torch.ones(1), torch.ones(1), torch.ones(1))


def test_random_weights_of_the_channels_leave_nothing_to_add_up() -> None:
    spec = resolved("data.mixing.alpha=[[0, 1], [1, 0]]", "training.objectives=[{use: mixture_consistency}]")
    with pytest.raises(SpecError, match=r"mixed at equal weights \(got data\.mixing\.alpha"):
        objectives_of(spec, STATS)
