"""Measure a: one training step, against the reference procedure and against CAREamics."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from benchmarks.inputs import (
    CHANNELS,
    Architecture,
    Batch,
    batch,
    network,
    parameters,
    spec_of,
    write_noise_models,
)
from benchmarks.records import OURS, Row
from benchmarks.reference import ReferenceNetwork
from benchmarks.reference_procedure import ReferenceTraining
from benchmarks.rival_process import rival
from benchmarks.settings import Settings
from benchmarks.timing import CLOCKS, Work, alternate, timed
from denoisplit.core.precision.probe import Purpose
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.training.steps.compiling import compiled_blocks

COMPILED = f"{OURS}, compiled"
REFERENCE = "reference procedure"
RIVAL = "CAREamics 0.2.0"


def our_step(
    spec: ResolvedSpec, batch: Batch, *, seed: int = 0
) -> tuple[Callable[[], float], torch.nn.Module]:
    """Return the toolkit's training step on one batch, and its network."""
    from denoisplit.core.training.steps.descent import optimizer_of
    from denoisplit.core.training.steps.task import SplittingTask

    vse = network(spec, Purpose.TRAINING, seed=seed).train()
    task = SplittingTask(vse, spec.training)
    optimizer = optimizer_of(vse, spec.training)
    pair = (torch.from_numpy(batch.mixed), torch.from_numpy(batch.targets))

    def step() -> float:
        loss = task(pair, 0).total
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward([loss])
        torch.nn.utils.clip_grad_norm_(vse.parameters(), spec.training.gradient_clip)
        optimizer.step()
        return float(loss.detach())

    return step, vse


def measure(settings: Settings) -> tuple[Row, ...]:
    """Measure the seconds of a step for every network and batch."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        noise = write_noise_models(folder)
        for architecture in settings.architectures:
            for patch, size in settings.batches:
                with _contestants(settings, architecture, patch, size, noise, folder) as contestants:
                    seconds = alternate(contestants, rounds=settings.rounds)
                case = f"{architecture}, {size} patches of {patch} x {patch}"
                rows += [
                    Row(case=case, contestant=who, unit="s", values=values) for who, values in seconds.items()
                ]
    return tuple(rows)


@contextmanager
def _contestants(
    settings: Settings,
    architecture: Architecture,
    patch: int,
    size: int,
    noise: tuple[Path, ...],
    folder: Path,
) -> Iterator[dict[str, Work]]:
    given, clock = batch(patch=patch, size=size), CLOCKS[settings.clock]
    found: dict[str, Work] = {}
    counts: dict[str, int] = {}
    with ExitStack() as stack:
        for who, precision in ((OURS, "auto"), (f"{OURS}, float32", "float32")):
            step, vse = our_step(
                spec_of(architecture, patch=patch, size=size, noise=noise, precision=precision), given
            )
            found[who], counts[who] = timed(step, clock), parameters(vse)
        if settings.compiled:
            step, vse = our_step(spec_of(architecture, patch=patch, size=size, noise=noise), given)
            stack.enter_context(compiled_blocks(vse))
            found[COMPILED], counts[COMPILED] = timed(step, clock), parameters(vse)
        reference = ReferenceNetwork(architecture, patch=patch, channels=len(CHANNELS))
        found[REFERENCE] = timed(ReferenceTraining.of(reference, noise, given).step, clock)
        counts[REFERENCE] = parameters(reference)
        if settings.rival is not None:
            other = stack.enter_context(
                rival(settings.rival, architecture, given, noise, folder, clock=settings.clock)
            )
            found[RIVAL], counts[RIVAL] = other.step, other.parameters
        require_same(counts)
        yield found


def require_same(counts: dict[str, int]) -> None:
    """Check that all networks have the same number of parameters.

    Raises:
        RuntimeError: they differ, so that a comparison would be meaningless.
    """
    if len(set(counts.values())) != 1:
        raise RuntimeError(f"the networks differ in their numbers of parameters (got {counts})")
