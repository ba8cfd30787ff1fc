"""Estimate of the time of a training on this machine, from a few of its steps."""

import time
from typing import Final

import attrs
import numpy as np
import torch

from denoisplit.core.devices import PROCESSOR, choose_device, seeded, wait_for
from denoisplit.core.network.composer import compose, patch_sides
from denoisplit.core.network.interfaces import IntensityStats, NoisePairs
from denoisplit.core.network.noise_source import StepNoise
from denoisplit.core.network.vse import VSE
from denoisplit.core.precision.choice import choose
from denoisplit.core.precision.probe import Purpose
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.training.data.noise_fits import fitted
from denoisplit.core.training.steps.descent import optimizer_of

STEPS: Final = 5
SECONDS: Final = 8.0
BUSY: Final = 1.5
"""Ratio of elapsed to processor time of a step, above which the machine is busy with other programs."""
QUICK_FIT: Final = ("model.noise_model.fit_pairs=1000", "model.noise_model.fit_steps=2")
"""Options for a quick fit of the presets' noise model, on which the time of a step does not depend."""

_MEAN: Final = 100.0
_STD: Final = 10.0


@attrs.frozen
class StepTime:
    """Time of a training step.

    Attributes:
        elapsed: elapsed seconds.
        own: seconds of these in which the processor worked on the step, not on other programs.
    """

    elapsed: float
    own: float

    @property
    def busy(self) -> bool:
        """Whether other programs kept the processor from the steps."""
        return self.elapsed > BUSY * self.own

    @property
    def idle(self) -> float:
        """Seconds on an otherwise idle machine."""
        return self.own if self.busy else self.elapsed


def step_time(spec: ResolvedSpec) -> StepTime:
    """Time some training steps on random images, and return the fastest except the first.

    Where other programs use the processor, too, the steps are timed again in one thread: several threads
    wait for each other, which takes processor time.

    Args:
        spec: spec of the training, with a noise model whose fit is quick.
    """
    device = choose_device()
    with seeded(spec.training.seed):
        vse = _network(spec, device).to(device)
    found = _timed(vse, spec, device)
    if device != PROCESSOR:  # the processor only waits
        return StepTime(found.elapsed, found.elapsed)
    threads = torch.get_num_threads()
    if not found.busy or threads == 1:
        return found
    torch.set_num_threads(1)
    try:
        return StepTime(found.elapsed, _timed(vse, spec, device).own)
    finally:
        torch.set_num_threads(threads)


def _timed(vse: VSE, spec: ResolvedSpec, device: torch.device) -> StepTime:
    optimizer = optimizer_of(vse, spec.training)
    sides = patch_sides(spec.training.patch, spec.model.dimensions)
    generator = torch.Generator().manual_seed(0)
    taken: list[tuple[float, float]] = []
    begin = time.perf_counter()
    while len(taken) <= STEPS and (len(taken) < 2 or time.perf_counter() - begin < SECONDS):
        images = _MEAN + _STD * torch.randn(
            spec.training.batch, len(spec.channels), *sides, generator=generator
        )
        start, own = time.perf_counter(), time.thread_time()
        _step(vse, images.to(device), optimizer, spec.training.gradient_clip)
        wait_for(device)
        taken.append((time.perf_counter() - start, time.thread_time() - own))
    return StepTime(min(elapsed for elapsed, _ in taken[1:]), min(own for _, own in taken[1:]))


def _network(spec: ResolvedSpec, device: torch.device) -> VSE:
    count = len(spec.channels)
    statistics = IntensityStats(
        mixed_mean=_MEAN, mixed_std=_STD, target_mean=(_MEAN,) * count, target_std=(_STD,) * count
    )
    vse = compose(spec.model, statistics, channels=spec.channels, patch=spec.training.patch)
    vse.precision = choose(spec, vse, device, Purpose.TRAINING).name
    if vse.noise_model.needs_fit:
        rng = np.random.default_rng(0)
        signal = rng.uniform(_MEAN - 3 * _STD, _MEAN + 3 * _STD, 2000)
        pairs = NoisePairs(signal, signal + rng.normal(0, _STD / 2, signal.size), "simulated")
        fitted(vse.noise_model, spec, (pairs,) * count)
    return vse


def _step(vse: VSE, images: torch.Tensor, optimizer: torch.optim.Optimizer, clip: float) -> None:
    noise = StepNoise(0, 0, range(len(images)))
    terms = vse.loss(images.mean(dim=1, keepdim=True), images, noise, kl_weight=1.0)
    torch.autograd.backward(terms.total)
    torch.nn.utils.clip_grad_norm_(vse.parameters(), clip)
    optimizer.step()
    optimizer.zero_grad()


def in_words(seconds: float) -> str:
    """Return a length of time in everyday words."""
    if seconds < 90 * 60:
        return f"{max(1, round(seconds / 60))} min"
    hours = seconds / 3600
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
