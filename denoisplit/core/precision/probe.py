"""How long a network takes in each precision on this machine: a few of its passes, timed in turns."""

import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from enum import StrEnum
from math import prod
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
"""Precisions that a processor may have units for."""

ROUNDS: Final = 2
"""Of all precisions, of which the faster counts: other programs make passes slower, never faster. In a round
before, kernels are made and memory is asked for."""

CLEAR: Final = 1.3
"""Times as long: where the first round says so, the second one would say nothing else."""

PIXELS: Final = 1 << 14
"""Of a pass: maps of fewer fit a cache that those of the real work do not, and a precision looks slow by
what it costs to call."""


class Purpose(StrEnum):
    """What a network is to do; one precision may be best for the one and not for the other."""

    TRAINING = "training"
    PREDICTION = "prediction"


def images_of(vse: VSE, training: TrainingSpec) -> Tensor:
    """Patches of a training [b scales (z) y x], counts, as many as have ``PIXELS``; one at least.

    Sides of large ones are halved.
    """
    sides = list(patch_sides(training.patch, vse.spatial_rank))
    while prod(sides) > PIXELS and max(sides) >= 4 * max(vse.multiple):
        sides[sides.index(max(sides))] //= 2
    rows = max(1, min(training.batch, PIXELS // prod(sides)))
    stand_in = torch.randn(rows, 1 + vse.context, *sides, generator=torch.Generator().manual_seed(0))
    return vse.statistics.mixed_mean + vse.statistics.mixed_std * stand_in


def probe(vse: VSE, images: Tensor, purpose: Purpose, clock: Clock | None = None) -> dict[str, float]:
    """Seconds of a pass by precision.

    The likelihood is left out: it takes as long in all of them. The network stays as it is, and nothing is
    drawn from the global generators.

    Args:
        vse: the network, on a processor.
        images: that go through it [b scales (z) y x], counts.
        purpose: what it is to do.
        clock: seconds; None takes the processor time of the thread where there is one thread, which other
            programs do not add to, and else the time that goes by.
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


def _is_clear(seconds: Mapping[str, float]) -> bool:
    return max(seconds.values()) > CLEAR * min(seconds.values())


def _step(vse: VSE, images: Tensor) -> None:
    vse.train()
    with torch.enable_grad():
        with vse.autocast():
            decoded = vse.decode(images, _noise())
        value = decoded.output.square().mean()
        if decoded.levels:
            pixels = prod(images.shape[2:])
            value = value + vse.kl_scheme(decoded.levels, image_pixels=pixels, channels=vse.channels).total
        torch.autograd.backward(value)
    vse.zero_grad(set_to_none=True)


def _sample(vse: VSE, images: Tensor) -> None:
    vse.eval()
    with torch.inference_mode(), vse.autocast():
        vse.sample_maps(vse.encode(images), _noise())


def _noise() -> GeneratorNoise:
    return GeneratorNoise(torch.Generator().manual_seed(0))


_PASSES: Final[Mapping[Purpose, Callable[[VSE, Tensor], None]]] = {
    Purpose.TRAINING: _step,
    Purpose.PREDICTION: _sample,
}
