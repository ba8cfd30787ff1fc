"""Timing of a network in each precision on this machine: a few passes, alternately."""

import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from enum import StrEnum
from math import inf, prod
from typing import Final

import torch
from torch import Tensor

from denoisplit.core.devices import seeded
from denoisplit.core.network.composer import patch_sides
from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec

Clock = Callable[[], float]

MEASURED: Final = ("float32", "bf16")
"""Precisions that a processor may support."""

ROUNDS: Final = 2
"""Timed rounds over all precisions, of which the fastest counts: other programs only slow passes down. A
warm-up round before them builds kernels and allocates memory."""

CLEAR: Final = 1.3
"""Ratio of times beyond which the first round decides alone."""

PIXELS: Final = 1 << 14
"""Pixels per pass: smaller maps fit into a cache, unlike those of real work, and the overhead of calls would
make a precision look slow."""


_LEAST: Final = 0.01
"""Share of the whole that a gradient is taken to have at least."""


class Purpose(StrEnum):
    """Task of a network; the best precision may depend on it."""

    TRAINING = "training"
    PREDICTION = "prediction"


def images_of(vse: VSE, training: TrainingSpec) -> Tensor:
    """Stand-ins for training patches [b scales (z) y x], counts: about ``PIXELS`` pixels, at least one patch.

    The sides of large patches are halved.
    """
    sides = list(patch_sides(training.patch, vse.spatial_rank))
    while prod(sides) > PIXELS and max(sides) >= 4 * max(vse.multiple):
        sides[sides.index(max(sides))] //= 2
    rows = max(1, min(training.batch, PIXELS // prod(sides)))
    stand_in = torch.randn(rows, 1 + vse.context, *sides, generator=torch.Generator().manual_seed(0))
    return vse.statistics.mixed_mean + vse.statistics.mixed_std * stand_in


def probe(vse: VSE, images: Tensor, purpose: Purpose, clock: Clock | None = None) -> dict[str, float]:
    """Time a pass in each precision, seconds.

    The likelihood is left out, as it takes equally long in all of them. The network is unchanged, and nothing
    is drawn from global generators.

    Args:
        vse: the network, on a processor.
        images: images to pass through it [b scales (z) y x], counts.
        purpose: task to time.
        clock: clock in seconds; None takes the processor time of the thread if there is one thread, which
            other programs do not affect, or else wall time.
    """
    now = clock or (time.thread_time if torch.get_num_threads() == 1 else time.perf_counter)
    copy, run = deepcopy(vse), _PASSES[purpose]

    def seconds(precision: str) -> float:
        copy.precision = precision
        begin = now()
        run(copy, images)
        return now() - begin

    rounds: list[dict[str, float]] = []
    with seeded(0):  # dropout draws
        while len(rounds) <= ROUNDS and not (rounds[1:] and _is_clear(rounds[1])):
            rounds.append({name: seconds(name) for name in MEASURED})
    return {name: min(one[name] for one in rounds[1:]) for name in MEASURED}


def deviation(vse: VSE, images: Tensor, purpose: Purpose) -> float:
    """Largest relative error of what a pass in bf16 gives, a few per cent where only numbers are rounded.

    Some kernels of processors are wrong: with PyTorch 2.13 on an AMD EPYC, the gradient of a convolution over
    stacks of two planes, for one. Compared are the gradients of a step, or the maps of a sample, each as a
    whole; those that hardly count are measured by the others.

    Args:
        vse: the network, on a processor; it is unchanged.
        images: see ``probe``.
        purpose: task of the pass.
    """
    copy, found = deepcopy(vse), []
    for name in MEASURED:
        copy.precision = name
        with seeded(0):  # the same dropout in both
            found.append([tensor.double() for tensor in _PASSES[purpose](copy, images)])
    exact, rounded = found
    least = _LEAST * float(torch.stack([one.norm() for one in exact]).norm())
    errors = [
        float((other - one).norm() / one.norm().clamp(min=least))
        for one, other in zip(exact, rounded, strict=True)
    ]
    return max((error if error == error else inf for error in errors), default=0.0)


def _is_clear(seconds: Mapping[str, float]) -> bool:
    return max(seconds.values()) > CLEAR * min(seconds.values())


def _step(vse: VSE, images: Tensor) -> list[Tensor]:
    vse.train()
    with torch.enable_grad():
        with vse.autocast():
            decoded = vse.decode(images, _noise())
        value = decoded.output.square().mean()
        if decoded.levels:
            pixels = prod(images.shape[2:])
            value = value + vse.kl_scheme(decoded.levels, image_pixels=pixels, channels=vse.channels).total
        torch.autograd.backward(value)
    found = [one.grad for one in vse.parameters() if one.grad is not None]
    vse.zero_grad(set_to_none=True)
    return found


def _sample(vse: VSE, images: Tensor) -> list[Tensor]:
    vse.eval()
    with torch.inference_mode(), vse.autocast():
        return [vse.sample_maps(vse.encode(images), _noise())]


def _noise() -> GeneratorNoise:
    return GeneratorNoise(torch.Generator().manual_seed(0))


_PASSES: Final[Mapping[Purpose, Callable[[VSE, Tensor], list[Tensor]]]] = {
    Purpose.TRAINING: _step,
    Purpose.PREDICTION: _sample,
}
